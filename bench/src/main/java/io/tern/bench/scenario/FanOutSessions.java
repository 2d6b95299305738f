package io.tern.bench.scenario;

import com.google.protobuf.ByteString;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufInputStream;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.tern.bench.measure.Json;
import io.tern.bench.measure.Latencies;
import io.tern.bench.measure.Niceness;
import io.tern.bench.measure.ProcessUsage;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.LongBinaryOperator;
import java.util.function.ToLongFunction;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// One group, all of it online, some of it writing: how many deliveries a second when senders write
/// as fast as they are answered, and what a sender waits at a share of that. A child of [FanOut].
/// Every member checks that the entries come one after the other.
///
/// Both are measured in turns on one warm server, a share of the peak just before it and another
/// peak after it: a machine that is shared is not as fast in one minute as in another, and where
/// the two peaks differ nobody knows what the share was one of ([ShareTurn]).
///
/// Who writes has an event loop to itself, and the one that reads for everybody gives way to it: an
/// answer would lie in its socket until hundreds of others are read, and the load would measure
/// itself.
@Command(name = "fan-out-sessions")
public final class FanOutSessions implements Callable<Integer> {

  private static final int LOGINS_AT_ONCE = 64;
  private static final int STEP_SECONDS_MAX = 60;
  private static final long TICK_MICROS = 1_000;

  /// After a warm-up.
  private static final int COMPILING_SECONDS_MAX = 60;

  private static final int SETTLING_SECONDS = 3;

  @Option(names = "--connect", required = true)
  private String server;

  @Option(names = "--members", defaultValue = "1000")
  private int members;

  @Option(names = "--senders", defaultValue = "4")
  private int senders;

  @Option(names = "--in-flight", defaultValue = "4", description = "Of each sender.")
  private int inFlight;

  @Option(names = "--share", defaultValue = "0.8", description = "Of the peak.")
  private double share;

  @Option(names = "--turns", defaultValue = "8")
  private int turns;

  @Option(names = "--seconds", defaultValue = "5", description = "Of each measurement.")
  private int seconds;

  @Option(names = "--warmup", defaultValue = "10")
  private int warmup;

  @Option(names = "--size", defaultValue = "100")
  private int size;

  @Option(names = "--server-pid", required = true)
  private long serverPid;

  @Option(names = "--json", required = true)
  private Path json;

  private final List<MemberSession> sessions = new ArrayList<>();
  private final EventLoop writers = newLoop();
  private final EventLoop readers = newLoop();
  private final CompletableFuture<Long> created = new CompletableFuture<>();
  private ByteString text = ByteString.EMPTY;
  private Latencies sentNanos = new Latencies();

  /// From one tick to the next: what is over [#TICK_MICROS] is this load's own.
  private Latencies tickNanos = new Latencies();

  private volatile long group;
  private long messages;
  private volatile boolean sending;

  /// Messages a second of all senders; 0: as many as their windows take.
  private double rate;

  private double due;
  private long ticked;
  private int next;

  private static EventLoop newLoop() {
    return (EventLoop) new MultiThreadIoEventLoopGroup(1, RawSession.ioHandler()).next();
  }

  public static void main(String[] args) {
    System.exit(new CommandLine(new FanOutSessions()).execute(args));
  }

  @Override
  public Integer call() throws Exception {
    text = ByteString.copyFrom(new byte[size]);
    readers.submit(Niceness::giveWay).sync();
    login();
    create();
    var usage = new ProcessUsage(serverPid);
    sending = true;
    goOn(0);
    TimeUnit.SECONDS.sleep(warmup);
    double first = messagesPerSecond(measure(usage));
    boolean compiled = usage.awaitCompiled(COMPILING_SECONDS_MAX);
    goOn(share * first);
    TimeUnit.SECONDS.sleep(warmup);
    compiled &= usage.awaitCompiled(COMPILING_SECONDS_MAX);
    var peaks = new ArrayList<Map<String, Object>>();
    var shares = new ArrayList<Map<String, Object>>();
    peaks.add(peak(usage));
    for (int i = 0; i < turns; i++) {
      goOn(share * messagesPerSecond(peaks.getLast()));
      shares.add(measure(usage));
      peaks.add(peak(usage));
    }
    sending = false;
    awaitAll();
    var result = new LinkedHashMap<String, Object>();
    result.put("members", members);
    result.put("compiled", compiled);
    result.put("peak", peaks);
    result.put("share", shares);
    result.put("faults", sum(session -> session.faults));
    result.put("refused", sum(session -> session.refused));
    result.put("lost", missing());
    Json.write(json, result);
    return 0;
  }

  private Map<String, Object> peak(ProcessUsage usage) throws Exception {
    goOn(0);
    return measure(usage);
  }

  /// Lets the senders write at another rate, and what was in flight come to rest.
  private void goOn(double messagesPerSecond) throws Exception {
    writers.submit(() -> begin(messagesPerSecond)).sync();
    TimeUnit.SECONDS.sleep(SETTLING_SECONDS);
  }

  private Map<String, Object> measure(ProcessUsage usage) throws Exception {
    long messagesBefore = writers.submit(this::start).get();
    long deliveriesBefore = sum(session -> session.deliveries);
    long cpu = usage.cpuMicros();
    long began = System.nanoTime();
    TimeUnit.SECONDS.sleep(seconds);
    long written = writers.submit(() -> messages).get() - messagesBefore;
    long delivered = sum(session -> session.deliveries) - deliveriesBefore;
    double measured = (System.nanoTime() - began) / 1e9;
    long cpuMicros = usage.cpuMicros() - cpu;
    var result = new LinkedHashMap<String, Object>();
    result.put("messages_per_s", written / measured);
    result.put("deliveries_per_s", delivered / measured);
    result.put("deliveries_per_cpu_s", cpuMicros == 0 ? 0 : delivered * 1e6 / cpuMicros);
    result.put("server_cpu_us_per_delivery", cpuMicros / (double) Math.max(1, delivered));
    result.put("tick_ms", writers.submit(() -> tickNanos.millis()).get());
    result.put("sent_ms", writers.submit(() -> sentNanos.millis()).get());
    return result;
  }

  private static double messagesPerSecond(Map<String, Object> measured) {
    return (Double) Objects.requireNonNull(measured.get("messages_per_s"));
  }

  private void login() throws Exception {
    String prefix = "fan-out-" + ProcessHandle.current().pid() + "-";
    var address = RawSession.address(server);
    for (int from = 0; from < members; from += LOGINS_AT_ONCE) {
      var some = new ArrayList<RawSession>();
      for (int i = from; i < Math.min(members, from + LOGINS_AT_ONCE); i++) {
        var session = new MemberSession(DevelopmentIssuer.userId(prefix + i));
        session.connect(
            loopOf(i), address, new InetSocketAddress("127.3." + i / 250 + "." + (i % 250 + 1), 0));
        sessions.add(session);
        some.add(session);
      }
      for (RawSession session : some) {
        session.up.get(STEP_SECONDS_MAX, TimeUnit.SECONDS);
      }
    }
  }

  private EventLoop loopOf(int member) {
    return member < senders ? writers : readers;
  }

  private void create() throws Exception {
    var body =
        GroupCreate.newBuilder().setTitle("fan-out").setOpId(ByteString.copyFrom(new byte[16]));
    sessions.stream().skip(1).forEach(session -> body.addMembers(session.user.value()));
    writers.execute(() -> {
      MemberSession owner = sessions.getFirst();
      owner.frame(FrameType.GROUP_CREATE, FrameHeader.RID, 1, 0, 0, body.build().toByteArray());
      owner.flush();
    });
    group = created.get(STEP_SECONDS_MAX, TimeUnit.SECONDS);
  }

  // ---- on the loop of those who write

  private void begin(double messagesPerSecond) {
    boolean ticks = rate > 0;
    rate = messagesPerSecond;
    if (rate == 0) {
      for (int i = 0; i < senders; i++) {
        MemberSession sender = sessions.get(i);
        while (sender.since.size() < inFlight) {
          sender.send(System.nanoTime());
        }
        sender.flush();
      }
    } else if (!ticks) {
      due = 0;
      ticked = System.nanoTime();
      tick();
    }
  }

  private void tick() {
    if (!sending || rate == 0) {
      return;
    }
    long now = System.nanoTime();
    tickNanos.record(now - ticked);
    due += (now - ticked) * rate / 1e9;
    ticked = now;
    while (due >= 1) {
      due--;
      // Timed from when it was due, not from when this loop came to it.
      sessions.get(next++ % senders).send(now - (long) (due * 1e9 / rate));
    }
    for (int i = 0; i < senders; i++) {
      sessions.get(i).flush();
    }
    var _ = sessions.getFirst().later(this::tick, TICK_MICROS);
  }

  private long start() {
    sentNanos = new Latencies();
    tickNanos = new Latencies();
    return messages;
  }

  // ---- of all

  /// Entries that somebody has not got.
  private long missing() throws Exception {
    long head =
        onLoops(sessions -> sessions.mapToLong(session -> session.head).max().orElse(0), Math::max);
    // A send without an answer is an entry that nobody has heard of yet.
    return sum(session -> head - session.last + session.since.size());
  }

  private long sum(ToLongFunction<MemberSession> of) throws Exception {
    return onLoops(sessions -> sessions.mapToLong(of).sum(), Long::sum);
  }

  /// Asks each loop about its own sessions.
  private long onLoops(ToLongFunction<Stream<MemberSession>> ask, LongBinaryOperator join)
      throws Exception {
    long ofWriters = writers.submit(() -> ask.applyAsLong(sessions.stream().limit(senders))).get();
    long ofReaders = readers.submit(() -> ask.applyAsLong(sessions.stream().skip(senders))).get();
    return join.applyAsLong(ofWriters, ofReaders);
  }

  /// Until everybody has everything.
  private void awaitAll() throws Exception {
    for (int i = 0; i < STEP_SECONDS_MAX * 10; i++) {
      if (missing() == 0) {
        return;
      }
      TimeUnit.MILLISECONDS.sleep(100);
    }
  }

  private final class MemberSession extends RawSession {
    private final ArrayDeque<Long> since = new ArrayDeque<>(0);

    /// Places of this session's entries that others' before them keep from counting.
    private final ArrayDeque<Long> own = new ArrayDeque<>(0);

    private long last;
    private long csn;
    private long head;
    private long deliveries;
    private long faults;
    private long refused;

    MemberSession(UserId user) {
      super(user);
    }

    void send(long sinceNanos) {
      var content = Content.newBuilder().setKind(Kind.KIND_BINARY).setBody(text);
      byte[] body = Send.newBuilder().setCsn(++csn).setContent(content).build().toByteArray();
      frame(
          FrameType.SEND,
          FrameHeader.RID | FrameHeader.CHAT | FrameHeader.GROUP,
          (int) csn,
          group,
          0,
          body);
      since.add(sinceNanos);
    }

    @Override
    void onFrame(FrameType type, FrameHeader header, ByteBuf body) throws IOException {
      switch (type) {
        case DELIVER -> {
          if (header.has(FrameHeader.GROUP)) {
            deliveries++;
            take(header.seq());
          }
        }
        case SENT -> {
          messages++;
          sentNanos.record(System.nanoTime() - since.remove());
          // What others wrote before may still be on its way.
          own.add(header.seq());
          passOwn();
          head = Math.max(head, header.seq());
          // Not one for each: what a share of the peak has left over is more than that.
          while (sending && rate == 0 && since.size() < inFlight) {
            send(System.nanoTime());
          }
        }
        case GROUP_CREATED -> {
          last = Math.max(last, header.seq());
          created.complete(header.chat());
        }
        case ERROR -> {
          refused++;
          var error = Error.parseFrom(new ByteBufInputStream(body, header.bodyBytes()));
          created.completeExceptionally(
              new IllegalStateException("refused: " + error.getCode() + " " + error.getDetail()));
        }
        default -> {}
      }
    }

    private void take(long seq) {
      if (seq == last + 1) {
        last = seq;
        passOwn();
      } else if (seq > last) {
        faults++;
        last = seq;
      }
      head = Math.max(head, seq);
    }

    private void passOwn() {
      while (!own.isEmpty() && own.peek() <= last + 1) {
        last = Math.max(last, own.remove());
      }
    }
  }
}
