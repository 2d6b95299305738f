package io.tern.tools.system;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.netty.buffer.Unpooled;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.CatchUp;
import io.tern.protocol.v1.ChatInfo;
import io.tern.protocol.v1.Chats;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.ClientState;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GoAway;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import io.tern.protocol.v1.Typing;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// A live server takes the conformance vectors and 10,000 spoiled sessions (`-Dtern.mutations`)
/// with leak detection on, while two bystanders chat: each bad session gets the right answer or is
/// closed with a code, the bystanders notice nothing, and the server is healthy afterwards and ends
/// in good order.
class BadInputTest {

  private static final Path FAILURES = Path.of("target", "histories");
  private static final Path VECTORS = Path.of("..", "protocol", "vectors");
  private static final int THREADS = 4;
  private static final Duration ANSWER_MAX = Duration.ofSeconds(10);

  private static final UserId MALLORY = DevelopmentIssuer.userId("mallory");
  private static final UserId TRUDY = DevelopmentIssuer.userId("trudy");

  @TempDir Path folder;

  private final long seed = Faults.seed();
  private final Random random = new Random(seed);
  private final AtomicInteger logins = new AtomicInteger();
  private ServerProcess server;
  private InetSocketAddress address;
  private Campaign bystanders;

  @BeforeEach
  void startServerAndBystanders() throws IOException {
    var plan =
        Faults.plan(folder.resolve("data"), FAILURES.resolve("bad-input.log"), random)
            .withJvm("-Dio.netty.leakDetection.level=paranoid");
    Files.deleteIfExists(plan.log());
    server = ServerProcess.start(plan);
    address = server.awaitReady().listen();
    bystanders =
        new Campaign(
            "BAD",
            seed,
            address,
            FAILURES,
            new Campaign.Plan(
                2, 1, 50, 8, false, false, Duration.ofSeconds(20), Campaign.Groups.NONE));
    bystanders.start();
    RawSession.login(address, new DeviceId(TRUDY, 1)).close();
  }

  @AfterEach
  void stop() {
    bystanders.close();
    server.close();
  }

  @Test
  @Timeout(120)
  void everySessionVectorGetsItsAnswers() throws IOException {
    var json = new ObjectMapper();
    var failures = new ArrayList<String>();
    int count = 0;
    for (var line : Files.readAllLines(VECTORS.resolve("sessions.jsonl"))) {
      var vector = json.readTree(line);
      count++;
      var wrong = runVector(vector);
      if (wrong != null) {
        failures.add(vector.get("name").asText() + ": " + wrong);
      }
    }
    System.out.printf("BAD: %d session vectors%n", count);
    assertThat(failures).isEmpty();
    assertUnharmed();
  }

  @Test
  @Timeout(120)
  void everyBadFrameAndBodyVectorIsRefused() throws IOException {
    var json = new ObjectMapper();
    var failures = new ArrayList<String>();
    int count = 0;
    for (var line : Files.readAllLines(VECTORS.resolve("frames.jsonl"))) {
      var vector = json.readTree(line);
      var error = vector.path("error").asText();
      // A client's frames may have up to 64 KiB, whatever limit a vector is about.
      if ((error.equals("MALFORMED") || error.equals("TOO_LARGE")) && !vector.has("max_frame")) {
        count++;
        expectClosing(vector, HexFormat.of().parseHex(vector.get("hex").asText()), failures);
      }
    }
    for (var line : Files.readAllLines(VECTORS.resolve("bodies.jsonl"))) {
      var vector = json.readTree(line);
      if (vector.has("error") && vector.get("type").asText().equals("SEND")) {
        count++;
        expectRefusal(vector, failures);
      }
    }
    System.out.printf("BAD: %d frame and body vectors%n", count);
    assertThat(failures).isEmpty();
    assertUnharmed();
  }

  /// Seed 458049108 of the test below: four questions that nobody answers to the client, and a
  /// fifth that waits for their end.
  @Test
  @Timeout(120)
  void aRequestBehindFourTypingsIsServed() throws IOException {
    try (var session = login()) {
      session.write(
          HexFormat.of()
              .parseHex(
                  "0b2402c0a9a780bdae3f0801092402b8a9a780bdae3f0b2402b8a9a780bdae3f0801"
                      + "0b2402b8a9a780bdae3f08010b2603aa02b8a9a780bdae3f030400000a2306b8a9a780bdae3f02"));

      assertThat(expectAlive(session)).isNull();
    }
    assertUnharmed();
  }

  @Test
  @Timeout(600)
  void spoiledSessionsHarmNobody() throws Exception {
    int mutations = Integer.getInteger("tern.mutations", 10_000);
    System.out.printf("BAD: seed %d, %d mutations%n", seed, mutations);
    var failures = new ConcurrentLinkedQueue<String>();
    var closings = new Tally();
    var next = new AtomicInteger();
    long began = System.nanoTime();
    try (var pool = Executors.newFixedThreadPool(THREADS)) {
      for (int thread = 0; thread < THREADS; thread++) {
        int index = 1 + thread;
        pool.execute(() -> {
          while (failures.size() < 5) {
            int number = next.getAndIncrement();
            if (number >= mutations) {
              return;
            }
            var wrong = runSpoiled(seed + number, new DeviceId(MALLORY, index), closings);
            if (wrong != null) {
              failures.add("session " + (seed + number) + ": " + wrong);
            }
          }
        });
      }
    }
    System.out.printf(
        "BAD: %d spoiled sessions in %.1f s: %s%n",
        mutations, (System.nanoTime() - began) * 1e-9, closings);
    assertThat(failures).isEmpty();
    assertThat(closings.of(ErrorCode.MALFORMED)).isPositive();
    assertUnharmed();
  }

  // ---- Vectors ---------------------------------------------------------------------------------

  /// What is wrong with the server's answers to a vector; null when nothing is.
  private @Nullable String runVector(JsonNode vector) throws IOException {
    var bytes = HexFormat.of().parseHex(vector.get("hex").asText());
    boolean isLoggedIn = vector.get("state").asText().equals("session");
    try (var session = isLoggedIn ? login() : RawSession.connect(address)) {
      session.write(bytes);
      for (var answer : vector.get("answers")) {
        var wrong = expect(session, answer);
        if (wrong != null) {
          return wrong;
        }
        if (answer.has("close") || answer.has("hangup") || answer.has("login")) {
          return null;
        }
      }
      return isLoggedIn ? expectAlive(session) : null;
    }
  }

  private @Nullable String expect(RawSession session, JsonNode answer) throws IOException {
    if (answer.has("hangup")) {
      var frame = session.read(ANSWER_MAX);
      return frame == null ? null : "expected the end, got " + frame;
    }
    if (answer.has("close")) {
      return expectClose(session, answer.get("close").asInt());
    }
    if (answer.has("refuse")) {
      var frame = session.await(FrameType.ERROR, ANSWER_MAX);
      int code = frame.error().getCode();
      // Where a frame is wrong in two ways, the vector names both codes.
      return (code == answer.get("refuse").asInt() || code == answer.path("or").asInt())
              && frame.rid() == answer.get("rid").asInt()
          ? null
          : "expected " + answer + ", got " + frame + " " + frame.error();
    }
    if (answer.has("pong")) {
      var frame = session.await(FrameType.PONG, ANSWER_MAX);
      var body = HexFormat.of().formatHex(frame.body());
      return body.equals(answer.get("pong").asText())
          ? null
          : "expected " + answer + ", got " + body;
    }
    if (answer.has("login")) {
      // The vectors' token is nobody's: what matters is that the frame got as far as its token.
      var frame = session.read(ANSWER_MAX);
      return frame != null
              && frame.is(FrameType.ERROR)
              && ErrorCode.classOf(frame.error().getCode()) == ErrorCode.ErrorClass.IDENTITY
          ? null
          : "expected the token to be refused, got " + frame;
    }
    // `handle` and `ignore` show themselves by the session's going on.
    return null;
  }

  private static @Nullable String expectClose(RawSession session, int code) throws IOException {
    var frame = awaitLast(session);
    return frame != null && frame.is(FrameType.ERROR) && frame.error().getCode() == code
        ? null
        : "expected to be closed with "
            + code
            + ", got "
            + (frame != null && frame.is(FrameType.ERROR) ? frame.error() : frame);
  }

  /// The last frame before the end.
  private static RawSession.@Nullable Frame awaitLast(RawSession session) throws IOException {
    RawSession.Frame last = null;
    for (var frame = session.read(ANSWER_MAX); frame != null; frame = session.read(ANSWER_MAX)) {
      last = frame;
    }
    return last;
  }

  private static @Nullable String expectAlive(RawSession session) throws IOException {
    byte[] token = {1, 2, 3};
    session.write(RawSession.frame(FrameType.PING, 0, 0, 0, 0, token));
    var pong = session.await(FrameType.PONG, ANSWER_MAX);
    while (!Arrays.equals(pong.body(), token)) {
      pong = session.await(FrameType.PONG, ANSWER_MAX); // Of a PING before it.
    }
    return null;
  }

  private void expectClosing(JsonNode vector, byte[] bytes, List<String> failures)
      throws IOException {
    int code = vector.get("error").asText().equals("TOO_LARGE") ? 102 : 100;
    try (var session = login()) {
      session.write(bytes);
      var wrong = expectClose(session, code);
      if (wrong != null) {
        failures.add(vector.get("name").asText() + ": " + wrong);
      }
    }
  }

  private void expectRefusal(JsonNode vector, List<String> failures) throws IOException {
    var body = HexFormat.of().parseHex(vector.get("hex").asText());
    try (var session = login()) {
      int flags = FrameHeader.RID | FrameHeader.CHAT;
      session.write(RawSession.frame(FrameType.SEND, flags, 7, TRUDY.value(), 0, body));
      var frame = session.await(FrameType.ERROR, ANSWER_MAX);
      int error = frame.error().getCode();
      boolean isRight =
          frame.rid() == 7 && ErrorCode.classOf(error) == ErrorCode.ErrorClass.REQUEST;
      if (!isRight) {
        failures.add(vector.get("name").asText() + ": got " + frame + " " + frame.error());
      }
    }
  }

  private RawSession login() throws IOException {
    // A device of its own for each session, so that none replaces another.
    int index = 1 + logins.getAndIncrement() % Limits.DEVICES_PER_USER_MAX;
    return RawSession.login(address, new DeviceId(MALLORY, index));
  }

  // ---- Spoiled sessions ------------------------------------------------------------------------

  /// What is wrong with the server's behaviour to one spoiled session; null when nothing is.
  private @Nullable String runSpoiled(long sessionSeed, DeviceId device, Tally closings) {
    var dice = new Random(sessionSeed);
    var mutator = new Mutator(dice);
    boolean fromTheStart = dice.nextInt(5) == 0;
    var frames = session(dice);
    if (fromTheStart) {
      frames.addFirst(RawSession.hello(device));
      frames.addFirst(RawSession.preface());
    }
    var bytes = mutator.spoil(frames, session(dice));
    try (var session =
        fromTheStart ? RawSession.connect(address) : RawSession.login(address, device)) {
      write(session, bytes, dice);
      return fromTheStart ? endAndDrain(session, closings) : judge(session, bytes, closings);
    } catch (IOException e) {
      return e + " for " + HexFormat.of().formatHex(bytes);
    }
  }

  /// In one piece, or in two, or byte by byte.
  private static void write(RawSession session, byte[] bytes, Random dice) {
    try {
      switch (dice.nextInt(bytes.length < 200 ? 3 : 2)) {
        case 0 -> session.write(bytes);
        case 1 -> {
          int cut = dice.nextInt(bytes.length + 1);
          session.write(Arrays.copyOfRange(bytes, 0, cut));
          session.write(Arrays.copyOfRange(bytes, cut, bytes.length));
        }
        default -> {
          for (byte b : bytes) {
            session.write(new byte[] {b});
          }
        }
      }
    } catch (IOException e) {
      // Closed before it had read everything: its answer is judged all the same.
    }
  }

  /// After HELLO: what a reader of frames says decides what must happen.
  private static @Nullable String judge(RawSession session, byte[] bytes, Tally closings)
      throws IOException {
    var verdict = Verdict.of(bytes);
    if (verdict.isFatal) {
      return drain(session, closings, true, verdict.saysBye);
    }
    if (verdict.isIncomplete || verdict.saysBye) {
      return endAndDrain(session, closings);
    }
    try {
      session.write(
          RawSession.frame(
              FrameType.PING, 0, 0, 0, 0, "still there".getBytes(StandardCharsets.US_ASCII)));
    } catch (IOException e) {
      return drain(session, closings, true, false);
    }
    while (true) {
      var frame = session.read(ANSWER_MAX);
      if (frame == null) {
        return "closed without a word";
      }
      var wrong = check(frame);
      if (wrong != null) {
        return wrong;
      }
      if (frame.is(FrameType.PONG)
          && new String(frame.body(), StandardCharsets.US_ASCII).equals("still there")) {
        closings.goesOn();
        return null;
      }
      if (isClosing(frame)) {
        closings.count(frame);
        return expectEnd(session);
      }
    }
  }

  private static @Nullable String endAndDrain(RawSession session, Tally closings)
      throws IOException {
    try {
      session.end();
    } catch (IOException e) {
      // Already closed by the server.
    }
    return drain(session, closings, false, true);
  }

  /// Reads to the end, which must come.
  private static @Nullable String drain(
      RawSession session, Tally closings, boolean mustName, boolean mayBeSilent)
      throws IOException {
    RawSession.Frame last = null;
    for (var frame = session.read(ANSWER_MAX); frame != null; frame = session.read(ANSWER_MAX)) {
      if (last != null && isClosing(last)) {
        return "after " + last + " came " + frame;
      }
      var wrong = check(frame);
      if (wrong != null) {
        return wrong;
      }
      last = frame;
    }
    if (last != null && isClosing(last)) {
      closings.count(last);
    } else if (mustName && !mayBeSilent) {
      return "closed without a code; the last frame was " + last;
    } else {
      closings.endsSilently();
    }
    return null;
  }

  private static @Nullable String expectEnd(RawSession session) throws IOException {
    var after = session.read(ANSWER_MAX);
    return after == null ? null : "after the closing ERROR came " + after;
  }

  private static boolean isClosing(RawSession.Frame frame) {
    return frame.is(FrameType.GOAWAY) || (frame.is(FrameType.ERROR) && !frame.hasRid());
  }

  /// No frame of the server may be strange, and no error its own fault.
  private static @Nullable String check(RawSession.Frame frame) throws IOException {
    if (FrameType.of(frame.code()) == null) {
      return "an unknown frame: " + frame;
    }
    if (frame.is(FrameType.ERROR)) {
      var error = frame.error();
      var code = ErrorCode.of(error.getCode());
      if (code == null || code.errorClass() == ErrorCode.ErrorClass.SERVER) {
        return "a strange error: " + error;
      }
      if (!frame.hasRid()
          && code.errorClass() != ErrorCode.ErrorClass.PROTOCOL
          && code.errorClass() != ErrorCode.ErrorClass.IDENTITY) {
        return "closed for what is no reason to close: " + error;
      }
    }
    return null;
  }

  /// What the frame layer makes of bytes behind HELLO.
  private record Verdict(boolean isFatal, boolean isIncomplete, boolean saysBye) {
    static Verdict of(byte[] bytes) {
      var in = Unpooled.wrappedBuffer(bytes);
      var header = new FrameHeader();
      boolean bye = false;
      while (in.isReadable()) {
        var result = FrameReader.read(in, Limits.FRAME_BYTES_MAX, header);
        switch (result) {
          case FRAME -> {
            in.skipBytes(header.bodyBytes());
            bye |= header.type() == FrameType.BYE.code();
          }
          case INCOMPLETE -> {
            return new Verdict(false, true, bye);
          }
          case MALFORMED, TOO_LARGE -> {
            return new Verdict(true, false, bye);
          }
        }
      }
      return new Verdict(false, false, bye);
    }
  }

  /// How sessions ended.
  private static final class Tally {
    private final Map<ErrorCode, Long> codes = new EnumMap<>(ErrorCode.class);
    private final AtomicLong alive = new AtomicLong();
    private final AtomicLong silent = new AtomicLong();

    void goesOn() {
      alive.incrementAndGet();
    }

    void endsSilently() {
      silent.incrementAndGet();
    }

    synchronized void count(RawSession.Frame closing) throws InvalidProtocolBufferException {
      int number =
          closing.is(FrameType.GOAWAY)
              ? GoAway.parseFrom(closing.body()).getCode()
              : Error.parseFrom(closing.body()).getCode();
      var code = ErrorCode.of(number);
      codes.merge(code == null ? ErrorCode.INTERNAL : code, 1L, Long::sum);
    }

    synchronized long of(ErrorCode code) {
      return codes.getOrDefault(code, 0L);
    }

    @Override
    public synchronized String toString() {
      return "%s still alive, %s ended by us, closed with %s".formatted(alive, silent, codes);
    }
  }

  /// The frames of a valid session after HELLO.
  private static List<byte[]> session(Random dice) {
    var frames = new ArrayList<byte[]>();
    long chat = TRUDY.value();
    int length = 2 + dice.nextInt(6);
    for (int i = 0; i < length; i++) {
      int rid = 1 + dice.nextInt(300);
      frames.add(
          switch (dice.nextInt(12)) {
            case 0, 1, 2 ->
                RawSession.frame(
                    FrameType.SEND, FrameHeader.RID | FrameHeader.CHAT, rid, chat, 0, send(dice));
            case 3 ->
                RawSession.frame(
                    FrameType.ACK,
                    FrameHeader.CHAT | FrameHeader.SEQ,
                    0,
                    chat,
                    1 + dice.nextInt(4));
            case 4 ->
                RawSession.frame(
                    FrameType.READ,
                    FrameHeader.CHAT | FrameHeader.SEQ,
                    0,
                    chat,
                    1 + dice.nextInt(4));
            case 5 ->
                RawSession.frame(
                    FrameType.HISTORY,
                    FrameHeader.RID | FrameHeader.CHAT,
                    rid,
                    chat,
                    0,
                    History.newBuilder().setAfter(dice.nextInt(3)).setLimit(5).build());
            case 6 ->
                RawSession.frame(
                    FrameType.CHATS,
                    FrameHeader.RID,
                    rid,
                    0,
                    0,
                    Chats.newBuilder().setLimit(1 + dice.nextInt(100)).build());
            case 7 ->
                RawSession.frame(
                    FrameType.CHAT_INFO,
                    FrameHeader.RID | FrameHeader.CHAT,
                    rid,
                    chat,
                    0,
                    ChatInfo.getDefaultInstance());
            case 8 ->
                RawSession.frame(
                    FrameType.TYPING,
                    FrameHeader.CHAT,
                    0,
                    chat,
                    0,
                    Typing.newBuilder().setOn(dice.nextBoolean()).build());
            case 9 ->
                RawSession.frame(
                    FrameType.CATCH_UP, FrameHeader.RID, rid, 0, 0, CatchUp.getDefaultInstance());
            case 10 ->
                RawSession.frame(
                    FrameType.CLIENT_STATE,
                    0,
                    0,
                    0,
                    0,
                    ClientState.newBuilder()
                        .setState(ClientActivity.CLIENT_ACTIVITY_INACTIVE)
                        .setPingS(60)
                        .build());
            default -> RawSession.frame(FrameType.PING, 0, 0, 0, 0, new byte[dice.nextInt(9)]);
          });
    }
    return frames;
  }

  private static Send send(Random dice) {
    var body = new byte[dice.nextInt(60)];
    dice.nextBytes(body);
    return Send.newBuilder()
        .setCsn(1 + dice.nextInt(3))
        .setContent(
            Content.newBuilder()
                .setKind(Kind.KIND_BINARY)
                .setBody(ByteString.copyFrom(body))
                .setReplyTo(dice.nextInt(3))
                .addMentions(MALLORY.value())
                .setTtlS(dice.nextInt(2) * 3_600))
        .build();
  }

  // ---- Afterwards ------------------------------------------------------------------------------

  private void assertUnharmed() throws IOException {
    var _ = bystanders.awaitAcknowledged(5, ANSWER_MAX);
    var report = bystanders.finish();
    System.out.println("BAD: bystanders: " + report);
    assertThat(report.isClean()).as(report.toString()).isTrue();
    assertThat(report.totals().acknowledged()).isPositive();
    assertThat(server.isAlive()).isTrue();
    assertThat(server.admin("/health").statusCode()).isEqualTo(200);
    bystanders.close();
    // Leaks are told when the garbage collector finds them.
    Commands.run(
        Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
        Long.toString(server.process().pid()),
        "GC.run");
    RawSession.login(address, new DeviceId(MALLORY, 1)).close();
    int exit = server.stop();
    // Of exceptions; not of Armeria's flag verboseExceptions, which it tells at its start.
    assertThat(server.log()).doesNotContain("LEAK:").doesNotContainPattern("Exception\\b");
    assertThat(exit).isIn(0, 143);
  }
}
