package io.tern.client.core;

import static io.tern.client.core.Script.PEER;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.client.ClientListener.ConnectionState.Down;
import io.tern.client.ClientListener.ConnectionState.Refused;
import io.tern.client.ClientListener.ConnectionState.Up;
import io.tern.client.ClientStore.ResumeTicket;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.ClientState;
import io.tern.protocol.v1.GoAway;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.Reauth;
import io.tern.protocol.v1.Receipt;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The rules for clients about the connection (SPEC sections 6 and 7), one by one.
class ConnectionCoreTest {

  private final Script client = new Script();

  @Test
  void backOffIsFullJitterWithinItsBoundsAndObeysTheServer() {
    for (long seed = 1; seed <= 200; seed++) {
      var backoff = new Backoff();
      var random = new SplittableRandom(seed);
      for (int n = 0; n < 12; n++) {
        assertThat(backoff.nextMillis(random)).isBetween(0L, Math.min(120_000, 500L << n));
      }
      backoff.configure(2_000, 8_000);
      backoff.reset();
      for (int n = 0; n < 6; n++) {
        assertThat(backoff.nextMillis(random)).isBetween(0L, Math.min(8_000, 2_000L << n));
      }
    }
  }

  @Test
  void backOffIsSpreadOverItsWholeRange() {
    var random = new SplittableRandom(42);
    var backoff = new Backoff();
    for (int n = 0; n < 8; n++) {
      backoff.nextMillis(random);
    }
    long limit = backoff.limitMillis(8);
    int[] tenths = new int[10];
    for (int i = 0; i < 10_000; i++) {
      backoff.reset();
      for (int n = 0; n < 8; n++) {
        backoff.nextMillis(new SplittableRandom(1));
      }
      tenths[(int) (backoff.nextMillis(random) * 10 / (limit + 1))]++;
    }
    for (int count : tenths) {
      assertThat(count).isBetween(850, 1150);
    }
  }

  @Test
  void aChangedNetworkIsTriedWithinASecondEvenAfterManyFailures() {
    client.start();
    for (int i = 0; i < 12; i++) {
      client.lost().nextTimer();
    }
    client.lost();
    client.core().networkChanged(client.now);
    assertThat(client.core().deadlineMillis() - client.now).isBetween(0L, 1_000L);
  }

  @Test
  void aServerThatGoesAwaySaysWhenAndWhere() {
    client.numberedAndUp();
    client.send("one");
    int rid = client.out(FrameType.SEND).get(0).rid();
    client.in(
        FrameType.GOAWAY,
        0,
        0,
        0,
        0,
        GoAway.newBuilder()
            .setCode(ErrorCode.DRAIN.number())
            .setGraceMs(5_000)
            .setAfterMinMs(2_000)
            .setAfterMaxMs(4_000)
            .addEdges("127.0.0.9:99")
            .build());
    client.send("two");
    assertThat(client.out(FrameType.SEND)).isEmpty();
    assertThat(client.disconnects).isZero();

    // The last answer is there: nothing holds it any more.
    client.sentAnswer(rid, 1);
    assertThat(client.disconnects).isEqualTo(1);
    assertThat(((Down) client.state()).retryMillis()).isBetween(2_000L, 4_000L);
    client.sleep(4_000);
    assertThat(client.connects.get(client.connects.size() - 1))
        .isEqualTo(InetSocketAddress.createUnresolved("127.0.0.9", 99));
  }

  @Test
  void aConnectionMayTakeAsLongAsAHandshakeMayWait() {
    client.start();
    client.sleep(39_999);
    assertThat(client.disconnects).isZero();
    assertThat(client.connects).hasSize(1);

    client.sleep(1);
    assertThat(client.disconnects).isEqualTo(1);
    assertThat(client.state()).isInstanceOf(Down.class);
  }

  @Test
  void busyAtHelloIsObeyed() {
    client.start().connected().error(0, ErrorCode.BUSY.number(), 7_000, 0);
    assertThat(((Down) client.state()).retryMillis()).isBetween(7_000L, 7_500L);
  }

  @Test
  void protocolErrorsStopAfterThree() {
    client.start();
    for (int i = 0; i < 3; i++) {
      client.connected().error(0, ErrorCode.MALFORMED.number(), 0, 0);
      if (i < 2) {
        client.nextTimer();
      }
    }
    assertThat(client.state()).isInstanceOf(Refused.class);
    client.core().reconnect(client.now);
    client.connected().helloAck(client.ack());
    assertThat(client.state()).isInstanceOf(Up.class);
  }

  @ParameterizedTest
  @ValueSource(ints = {202, 203, 204, 206, 207, 250})
  void identityErrorsAreNotTriedAgain(int code) {
    client.start().connected().error(0, code, 0, 0);
    assertThat(client.state()).isInstanceOf(Refused.class);
    assertThat(client.connects).hasSize(1);
    assertThat(client.core().deadlineMillis()).isEqualTo(ClientCore.NEVER);
  }

  @Test
  void aRefusedClientStaysRefusedOnAnotherNetwork() {
    client.start().connected().error(0, ErrorCode.REVOKED.number(), 0, 0);
    client.core().networkChanged(client.now);
    assertThat(client.core().deadlineMillis()).isEqualTo(ClientCore.NEVER);
  }

  @Test
  void ticketsAreUsedWithARisingCountAndReplacedByTheToken() throws Exception {
    client.store.setResumeTicket(new ResumeTicket(new byte[] {1}, 5));
    client.start().connected();
    Hello first = Hello.parseFrom(client.out(FrameType.HELLO).get(0).body());
    assertThat(first.getCount()).isEqualTo(6);
    assertThat(first.getToken().isEmpty()).isTrue();
    assertThat(Objects.requireNonNull(client.store.resumeTicket()).count()).isEqualTo(6);

    client.error(0, ErrorCode.RESUME_REJECTED.number(), 0, 0);
    client.connected();
    Hello second = Hello.parseFrom(client.out(FrameType.HELLO).get(0).body());
    assertThat(second.getResume().isEmpty()).isTrue();
    assertThat(second.getToken().toStringUtf8()).isEqualTo("token");
    assertThat(second.getCount()).isEqualTo(6);
  }

  @Test
  void anExpiredTokenIsReplacedWhenThereIsAnother() throws Exception {
    client.start().connected();
    client.token = "newer".getBytes(StandardCharsets.UTF_8);
    client.out();
    client.error(0, ErrorCode.TOKEN_EXPIRED.number(), 0, 0);
    client.connected();
    Hello hello = Hello.parseFrom(client.out(FrameType.HELLO).get(0).body());
    assertThat(hello.getToken().toStringUtf8()).isEqualTo("newer");
    client.error(0, ErrorCode.TOKEN_EXPIRED.number(), 0, 0);
    assertThat(client.state()).isInstanceOf(Refused.class);
  }

  /// The session a ticket opened lives as long as its old token; the newer one it has not seen.
  @Test
  void aTokenThatCameWhileThereWasNoConnectionIsShownToTheNext() throws Exception {
    client.store.setResumeTicket(new ResumeTicket(new byte[] {1}, 5));
    client.start();
    client.token = "newer".getBytes(StandardCharsets.UTF_8);
    client.core().reauth(client.now, client.token);
    client.connected().out();
    client.helloAck(client.ack());
    assertThat(reauths()).containsExactly("newer");

    client.reconnect().out();
    assertThat(reauths()).isEmpty();
  }

  @Test
  void aTokenThatCameWhileHelloIsUnderWayIsShownAfterIt() throws Exception {
    client.start().connected().out();
    client.token = "newer".getBytes(StandardCharsets.UTF_8);
    client.core().reauth(client.now, client.token);
    client.core().endPass(client.now);
    assertThat(client.out()).isEmpty();
    client.helloAck(client.ack());
    assertThat(reauths()).containsExactly("newer");
  }

  @Test
  void aTokenThatHelloHasShownIsNotShownAgain() throws Exception {
    client.start();
    client.token = "newer".getBytes(StandardCharsets.UTF_8);
    client.core().reauth(client.now, client.token);
    client.connected().helloAck(client.ack());
    assertThat(reauths()).isEmpty();
  }

  /// Its session may have been opened by a ticket, and never have seen the token.
  @Test
  void aSessionWhoseTimeIsOverIsFollowedByOneOfTheNewestToken() throws Exception {
    client.store.setResumeTicket(new ResumeTicket(new byte[] {1}, 5));
    client.up();
    client.core().reauth(client.now, client.token);
    client.core().endPass(client.now);
    client.out();
    client.in(
        FrameType.GOAWAY,
        0,
        0,
        0,
        0,
        GoAway.newBuilder().setCode(ErrorCode.TOKEN_EXPIRED.number()).build());
    client.nextTimer().connected();
    Hello hello = Hello.parseFrom(client.out(FrameType.HELLO).get(0).body());
    assertThat(hello.getResume().isEmpty()).isTrue();
    assertThat(hello.getToken().toStringUtf8()).isEqualTo("token");

    client.error(0, ErrorCode.TOKEN_EXPIRED.number(), 0, 0);
    assertThat(client.state()).isInstanceOf(Refused.class);
  }

  private List<String> reauths() throws Exception {
    var tokens = new ArrayList<String>();
    for (Script.Out out : client.out(FrameType.REAUTH)) {
      tokens.add(Reauth.parseFrom(out.body()).getToken().toStringUtf8());
    }
    return tokens;
  }

  /// Kotlin has no checked exceptions, and a missing class is an Error.
  @Test
  void whateverTheListenerThrowsTheClientGoesOn() {
    client.failure =
        () -> {
          throw new NoClassDefFoundError("the app's");
        };
    client.up().lost().nextTimer().connected().helloAck(client.ack());
    assertThat(client.state()).isInstanceOf(Up.class);
    assertThat(client.connects).hasSize(2);
  }

  @Test
  void theConfiguredAddressesAreKeptHoweverManyTheServersName() {
    client.up();
    for (int round = 0; round < 3; round++) {
      var goAway = GoAway.newBuilder().setCode(ErrorCode.DRAIN.number());
      for (int i = 0; i < 16; i++) {
        goAway.addEdges("edge-" + round + "-" + i + ":7420");
      }
      client.in(FrameType.GOAWAY, 0, 0, 0, 0, goAway.build());
      client.nextTimer().connected().helloAck(client.ack());
    }
    client.connects.clear();
    for (int i = 0; i < 40; i++) {
      client.lost().nextTimer();
    }
    assertThat(client.connects)
        .contains(
            InetSocketAddress.createUnresolved("one", 1),
            InetSocketAddress.createUnresolved("two", 2),
            InetSocketAddress.createUnresolved("edge-2-0", 7420));
    assertThat(Set.copyOf(client.connects)).hasSize(18);
  }

  @Test
  void aSilentConnectionIsAskedAndThenDead() {
    client.up().sleep(239_000);
    assertThat(client.out(FrameType.PING)).isEmpty();
    client.sleep(1_000);
    assertThat(client.out(FrameType.PING)).hasSize(1);
    client.sleep(20_000);
    assertThat(client.disconnects).isEqualTo(1);
    assertThat(client.states).anyMatch(s -> s instanceof Down d && d.reason().contains("dead"));
  }

  @Test
  void aLineThatHoldsIsAskedLessOften() throws Exception {
    client.up();
    for (int i = 0; i < 3; i++) {
      client.sleep(240_000);
      assertThat(client.out(FrameType.PING)).hasSize(1);
      client.in(FrameType.PONG, 0, 0, 0, 0, Receipt.getDefaultInstance());
    }
    ClientState told = ClientState.parseFrom(client.out(FrameType.CLIENT_STATE).get(0).body());
    assertThat(told.getPingS()).isEqualTo(270);
  }

  @Test
  void aFixedIntervalStaysAndTheServersIdleLimitIsKept() {
    client.ping = Duration.ofSeconds(30);
    client.restart().connected().helloAck(client.ack().setIdleS(40));
    client.out();
    client.sleep(20_000);
    assertThat(client.out(FrameType.PING)).hasSize(1);
  }

  @Test
  void serverFramesMayComeByteByByte() {
    client.up();
    ByteBuf all = Script.delivers(1, 5);
    ByteBuf in = Unpooled.buffer();
    while (all.isReadable()) {
      in.writeByte(all.readByte());
      client.core().onBytes(client.now, in);
    }
    client.core().endPass(client.now);
    assertThat(client.messages).hasSize(5);
  }

  /// Whatever comes, the client answers with a new connection or a refusal, never with an
  /// exception.
  @Test
  void garbageFromTheServerDoesNoHarm() {
    long seed = Long.getLong("tern.client.seed", System.nanoTime());
    System.out.println("garbage: -Dtern.client.seed=" + seed);
    var random = new SplittableRandom(seed);
    for (int round = 0; round < 3_000; round++) {
      var victim = new Script();
      victim.up().send("one").deliver(1);
      var types = FrameType.values();
      for (int i = 0; i < 5; i++) {
        var body = new byte[random.nextInt(30)];
        random.nextBytes(body);
        ByteBuf frame =
            Script.frame(
                types[random.nextInt(types.length)],
                random.nextInt(64),
                random.nextInt(0x8000),
                random.nextBoolean() ? PEER.value() : random.nextLong() & 0xFFFFFFFFFFFFL,
                random.nextInt(5),
                body);
        if (random.nextInt(4) == 0) {
          int at = random.nextInt(frame.writerIndex());
          frame.setByte(at, random.nextInt(256));
        }
        victim.core().onBytes(victim.now, frame);
        victim.core().endPass(victim.now);
        assertThat(victim.states)
            .noneMatch(s -> s instanceof Refused r && r.detail().contains("Exception"));
      }
    }
  }
}
