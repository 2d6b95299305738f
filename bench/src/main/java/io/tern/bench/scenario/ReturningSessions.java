package io.tern.bench.scenario;

import com.google.protobuf.ByteString;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufInputStream;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.tern.bench.measure.Json;
import io.tern.bench.measure.Latencies;
import io.tern.bench.measure.ProcessUsage;
import io.tern.client.ClientTls;
import io.tern.client.netty.TlsClient;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.CatchUpPage;
import io.tern.protocol.v1.ChatDue;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// Devices that have been away while people wrote to them, and come back at once. A child of
/// [CatchUps]: says `away` when everything is waiting for them; on a line of input they return, and
/// it says `back` when all have everything, after writing the result. They stay until it is ended.
@Command(name = "returning-sessions")
public final class ReturningSessions implements Callable<Integer> {

  private static final int SENDERS_MIN = 20;
  private static final int IN_FLIGHT_MAX = 24;
  private static final int LOGINS_AT_ONCE = 64;
  private static final int STEP_SECONDS_MAX = 300;

  /// Connections that the kernel has not answered yet. All devices are on one core here: without a
  /// bound it would connect for seconds before the first of them says a word, and the server would
  /// close those that say nothing.
  private static final int CONNECTING_MAX = 64;

  /// Full jitter, as of a client that the server told nothing.
  private static final long RETRY_MILLIS_MAX = 1_000;

  /// Added at random to a wait that the server named, as a client does.
  private static final long RETRY_SPREAD_MILLIS = 500;

  @Option(names = "--connect", required = true)
  private String server;

  @Option(names = "--pin", defaultValue = "", description = "For TLS.")
  private String pin;

  @Option(names = "--devices", defaultValue = "1")
  private int devices;

  @Option(names = "--chats", defaultValue = "200", description = "Of each device.")
  private int chats;

  @Option(names = "--entries", defaultValue = "50", description = "In each chat.")
  private int entries;

  @Option(names = "--size", defaultValue = "100")
  private int size;

  @Option(names = "--server-pid", required = true)
  private long serverPid;

  @Option(names = "--json", required = true)
  private Path json;

  private final List<UserId> users = new ArrayList<>();
  private final List<Sender> senders = new ArrayList<>();

  /// The newest resume ticket of each device. Confined to the event loop.
  private final List<ByteString> tickets = new ArrayList<>();

  private final Latencies helloNanos = new Latencies();
  private final Latencies summaryNanos = new Latencies();
  private final Latencies doneNanos = new Latencies();
  private ByteString text = ByteString.EMPTY;
  private @Nullable TlsClient tls;
  private SocketAddress address = new InetSocketAddress(0);
  private long faults;
  private long retries;

  /// Confined to the event loop.
  private final ArrayDeque<Returning> toConnect = new ArrayDeque<>();

  private int connecting;

  public static void main(String[] args) {
    System.exit(new CommandLine(new ReturningSessions()).execute(args));
  }

  @Override
  public Integer call() throws Exception {
    text = ByteString.copyFrom(new byte[size]);
    address = RawSession.address(server);
    tls = pin.isEmpty() ? null : new TlsClient(ClientTls.pinned(List.of(pin)));
    String prefix = "returning-" + ProcessHandle.current().pid() + "-";
    var loop = (EventLoop) new MultiThreadIoEventLoopGroup(1, RawSession.ioHandler()).next();
    for (int i = 0; i < devices; i++) {
      users.add(DevelopmentIssuer.userId(prefix + i));
    }
    beKnown(loop);
    writeToThem(loop, prefix);
    System.out.println("away");
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    if (input.readLine() == null) {
      return 0;
    }
    Json.write(json, comeBack(loop));
    System.out.println("back");
    // The connections stay: when all of them end at once, those who write beside it feel that too.
    var _ = input.readLine();
    return 0;
  }

  private void addTls(Channel to) {
    if (tls != null) {
      to.pipeline().addLast(tls.handler(to.alloc(), address));
    }
  }

  /// Each device has its own address, as it would have at home.
  private static InetSocketAddress home(int device) {
    return new InetSocketAddress("127.1." + device / 250 + "." + (device % 250 + 1), 0);
  }

  private void beKnown(EventLoop loop) throws Exception {
    for (int from = 0; from < devices; from += LOGINS_AT_ONCE) {
      var some = new ArrayList<RawSession>();
      for (int i = from; i < Math.min(devices, from + LOGINS_AT_ONCE); i++) {
        tickets.add(ByteString.EMPTY);
        var session = new Visit(i);
        session.connect(loop, address, home(i));
        some.add(session);
      }
      for (RawSession session : some) {
        session.up.get(STEP_SECONDS_MAX, TimeUnit.SECONDS);
        loop.submit(session::close).sync();
      }
    }
  }

  private void writeToThem(EventLoop loop, String prefix) throws Exception {
    int count = Math.max(chats, SENDERS_MIN);
    var written = new CountDownLatch(count);
    for (int i = 0; i < count; i++) {
      var sender = new Sender(DevelopmentIssuer.userId(prefix + "sender-" + i), written);
      senders.add(sender);
    }
    for (int d = 0; d < devices; d++) {
      for (int c = 0; c < chats; c++) {
        senders.get((d + c) % count).to.add(users.get(d));
      }
    }
    for (int i = 0; i < count; i++) {
      Sender sender = senders.get(i);
      sender.connect(loop, address, new InetSocketAddress("127.2.0." + (i % 250 + 1), 0)).sync();
      sender.up.get(STEP_SECONDS_MAX, TimeUnit.SECONDS);
    }
    loop.execute(() -> senders.forEach(Sender::more));
    if (!written.await(STEP_SECONDS_MAX, TimeUnit.SECONDS)) {
      throw new IOException("the senders are not done");
    }
    for (Sender sender : senders) {
      loop.submit(sender::close).sync();
    }
  }

  private Map<String, Object> comeBack(EventLoop loop) throws Exception {
    var back = new CountDownLatch(devices);
    var usage = new ProcessUsage(serverPid);
    long cpu = usage.cpuMicros();
    long began = System.nanoTime();
    loop.execute(() -> {
      for (int i = 0; i < devices; i++) {
        toConnect.add(new Returning(i, began, back, loop));
      }
      connectSome();
    });
    boolean all = back.await(STEP_SECONDS_MAX, TimeUnit.SECONDS);
    long nanos = System.nanoTime() - began;
    long cpuMicros = usage.cpuMicros() - cpu;
    long total = (long) devices * chats * entries;
    var result = new LinkedHashMap<String, Object>();
    result.put("all_back", all);
    result.put("seconds", nanos / 1e9);
    result.put("entries", total);
    result.put("entries_per_s", total * 1e9 / nanos);
    result.put("entries_per_cpu_s", cpuMicros == 0 ? 0 : total * 1e6 / cpuMicros);
    result.put("server_cpu_us_per_entry", cpuMicros / (double) total);
    result.put("hello_ms", helloNanos.millis());
    result.put("summary_ms", summaryNanos.millis());
    result.put("caught_up_ms", doneNanos.millis());
    result.put("faults", faults);
    result.put("retries", retries);
    return result;
  }

  private void connectSome() {
    while (connecting < CONNECTING_MAX && !toConnect.isEmpty()) {
      connecting++;
      toConnect
          .remove()
          .connect()
          .addListener(done -> {
            connecting--;
            connectSome();
          });
    }
  }

  private static ByteString ticketIn(FrameHeader header, ByteBuf body) throws IOException {
    return HelloAck.parseFrom(new ByteBufInputStream(body, header.bodyBytes())).getResume();
  }

  /// Logs in, so that there is somebody to write to, and keeps the ticket to come back with.
  private final class Visit extends RawSession {
    private final int number;

    Visit(int number) {
      super(users.get(number));
      this.number = number;
    }

    @Override
    void configure(Channel to) {
      addTls(to);
    }

    @Override
    void onFrame(FrameType type, FrameHeader header, ByteBuf body) throws IOException {
      if (type == FrameType.HELLO_ACK) {
        tickets.set(number, ticketIn(header, body));
      }
    }
  }

  private final class Sender extends RawSession {
    private final List<UserId> to = new ArrayList<>();
    private final CountDownLatch written;
    private final Map<Long, Long> csns = new HashMap<>();
    private int next;
    private int inFlight;
    private int answered;

    Sender(UserId user, CountDownLatch written) {
      super(user);
      this.written = written;
    }

    @Override
    void configure(Channel to) {
      addTls(to);
    }

    void more() {
      while (next < to.size() * entries && inFlight < IN_FLIGHT_MAX) {
        long chat = to.get(next % to.size()).value();
        var content = Content.newBuilder().setKind(Kind.KIND_BINARY).setBody(text);
        long csn = csns.merge(chat, 1L, Long::sum);
        byte[] body = Send.newBuilder().setCsn(csn).setContent(content).build().toByteArray();
        frame(FrameType.SEND, FrameHeader.RID | FrameHeader.CHAT, next + 1, chat, 0, body);
        next++;
        inFlight++;
      }
      flush();
      if (answered == to.size() * entries) {
        answered++;
        written.countDown();
      }
    }

    @Override
    void onFrame(FrameType type, FrameHeader header, ByteBuf body) {
      if (type == FrameType.SENT) {
        inFlight--;
        answered++;
        more();
      } else if (type == FrameType.ERROR) {
        throw new IllegalStateException("a send was refused");
      }
    }
  }

  /// A device that comes back, tries again when it is sent away, and counts what it gets.
  private final class Returning {
    private final int number;
    private final long began;
    private final CountDownLatch back;
    private final EventLoop loop;
    private final Map<Long, Long> seqs = new HashMap<>();
    private long resumes;
    private long got;
    private long announced;
    private boolean isBack;

    Returning(int number, long began, CountDownLatch back, EventLoop loop) {
      this.number = number;
      this.began = began;
      this.back = back;
      this.loop = loop;
    }

    ChannelFuture connect() {
      announced = 0;
      return new Connection().connect(loop, address, home(number));
    }

    private void start() {
      toConnect.add(this);
      connectSome();
    }

    /// @param serverMillis what the server said; 0 for nothing
    private void again(long serverMillis) {
      if (!isBack) {
        retries++;
        var random = ThreadLocalRandom.current();
        long wait =
            serverMillis == 0
                ? random.nextLong(RETRY_MILLIS_MAX)
                : serverMillis + random.nextLong(RETRY_SPREAD_MILLIS);
        var _ = loop.schedule(this::start, wait, TimeUnit.MILLISECONDS);
      }
    }

    private void onEntry(long chat, long seq) {
      long before = seqs.getOrDefault(chat, 0L);
      if (seq == before + 1) {
        seqs.put(chat, seq);
        got++;
      } else if (seq > before) {
        faults++;
      }
    }

    private void onPage(CatchUpPage page) {
      long sum = 0;
      for (ChatDue due : page.getChatsList()) {
        sum += due.getDue();
      }
      announced += sum;
      long all = (long) chats * entries;
      if (sum > 0 && announced >= all) {
        summaryNanos.record(System.nanoTime() - began);
      }
      if (page.getDone() && !isBack) {
        if (got != all) {
          faults++;
        }
        isBack = true;
        doneNanos.record(System.nanoTime() - began);
        back.countDown();
      }
    }

    private final class Connection extends RawSession {
      private long serverMillis;

      Connection() {
        super(users.get(number));
        up.whenComplete((done, failure) -> {
          if (failure == null) {
            helloNanos.record(System.nanoTime() - began);
          } else {
            again(serverMillis);
          }
        });
      }

      @Override
      void configure(Channel to) {
        addTls(to);
      }

      /// As the SDK does it: the ticket, until one is refused.
      @Override
      Hello proof() {
        ByteString ticket = tickets.get(number);
        return ticket.isEmpty()
            ? super.proof()
            : Hello.newBuilder().setResume(ticket).setCount(++resumes).build();
      }

      @Override
      void onFrame(FrameType type, FrameHeader header, ByteBuf body) throws IOException {
        switch (type) {
          case HELLO_ACK -> tickets.set(number, ticketIn(header, body));
          case DELIVER -> onEntry(header.chat(), header.seq());
          case CATCH_UP_PAGE ->
              onPage(CatchUpPage.parseFrom(new ByteBufInputStream(body, header.bodyBytes())));
          case ERROR -> {
            var in = new ByteBufInputStream(body, header.bodyBytes());
            var error = io.tern.protocol.v1.Error.parseFrom(in);
            serverMillis = error.getRetryMs();
            if (ErrorCode.of(error.getCode()) == ErrorCode.RESUME_REJECTED) {
              tickets.set(number, ByteString.EMPTY);
            }
          }
          default -> {}
        }
      }
    }
  }
}
