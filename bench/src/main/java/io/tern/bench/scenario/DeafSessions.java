package io.tern.bench.scenario;

import com.google.protobuf.ByteString;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// Sessions that log in and never read again, and others that keep sending to them; or, to compare,
/// the same with sessions that do read and acknowledge. A child of [SlowConsumers]: says `up` when
/// all are logged in, starts to send, and ends with its input.
@Command(name = "deaf-sessions")
public final class DeafSessions implements Callable<Integer> {

  private static final int SENDERS = 20;
  // Below the server's limit, so that a stall of the server shows as fewer messages, not as
  // refusals.
  private static final int IN_FLIGHT_MAX = 24;
  private static final int LOGIN_SECONDS_MAX = 10;
  // What the kernel takes in a reader's place.
  private static final int RECEIVE_BUFFER_BYTES = 4096;
  private static final long TICK_MILLIS = 10;

  @Option(names = "--connect", required = true)
  private String server;

  @Option(names = "--consumers", defaultValue = "500")
  private int consumers;

  @Option(
      names = "--rate",
      defaultValue = "2000",
      description = "Messages a second to all of them.")
  private int rate;

  @Option(names = "--size", defaultValue = "4000")
  private int size;

  @Option(names = "--reading", description = "The sessions do read, and acknowledge.")
  private boolean reading;

  private final List<Session> senders = new ArrayList<>();
  private final List<UserId> deaf = new ArrayList<>();
  private ByteString text = ByteString.EMPTY;
  private double due;
  private int next;
  private long sent;
  private long answered;
  private long refused;

  public static void main(String[] args) {
    System.exit(new CommandLine(new DeafSessions()).execute(args));
  }

  @Override
  public Integer call() throws Exception {
    text = ByteString.copyFrom(new byte[size]);
    String prefix = "deaf-" + ProcessHandle.current().pid() + "-";
    var group = new MultiThreadIoEventLoopGroup(1, RawSession.ioHandler());
    var loop = (EventLoop) group.next();
    for (int i = 0; i < consumers; i++) {
      deaf.add(login(loop, prefix + i, !reading).user);
    }
    for (int i = 0; i < SENDERS; i++) {
      senders.add(login(loop, prefix + "sender-" + i, false));
    }
    System.out.println("up " + consumers);
    var _ = loop.scheduleAtFixedRate(this::flood, 0, TICK_MILLIS, TimeUnit.MILLISECONDS);
    try (var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
      while (input.readLine() != null) {
        loop.submit(() ->
                System.out.println(
                    "sent " + sent + " answered " + answered + " refused " + refused))
            .sync();
      }
    }
    return 0;
  }

  private Session login(EventLoop loop, String name, boolean isDeaf) throws Exception {
    var session = new Session(DevelopmentIssuer.userId(name), isDeaf, consumers);
    session.connect(loop, RawSession.address(server), null).sync();
    session.up.get(LOGIN_SECONDS_MAX, TimeUnit.SECONDS);
    return session;
  }

  /// Sends what has come due. On the loop.
  private void flood() {
    due = Math.min(due + rate * TICK_MILLIS / 1000.0, rate);
    for (int passed = 0; due >= 1 && passed < consumers; next = (next + 1) % consumers) {
      Session sender = senders.get(next % SENDERS);
      if (sender.inFlight >= IN_FLIGHT_MAX) {
        passed++;
        continue;
      }
      sender.send(next, deaf.get(next));
      sent++;
      due--;
    }
    for (Session sender : senders) {
      sender.flush();
    }
  }

  private final class Session extends RawSession {

    private final boolean isDeaf;
    // By consumer.
    private final long[] csn;
    private int inFlight;
    private int rid;

    private Session(UserId user, boolean isDeaf, int consumers) {
      super(user);
      this.isDeaf = isDeaf;
      this.csn = new long[isDeaf ? 0 : consumers];
    }

    @Override
    void configure(Channel to) {
      if (isDeaf) {
        to.config().setOption(ChannelOption.SO_RCVBUF, RECEIVE_BUFFER_BYTES);
      }
    }

    private void send(int consumer, UserId to) {
      var content = Content.newBuilder().setKind(Kind.KIND_BINARY).setBody(text);
      byte[] body =
          Send.newBuilder().setCsn(++csn[consumer]).setContent(content).build().toByteArray();
      frame(FrameType.SEND, FrameHeader.RID | FrameHeader.CHAT, ++rid, to.value(), 0, body);
      inFlight++;
    }

    @Override
    void onFrame(FrameType type, FrameHeader header, ByteBuf body) {
      if (type == FrameType.HELLO_ACK && isDeaf) {
        stopReading();
      } else if (type == FrameType.SENT) {
        inFlight--;
        answered++;
      } else if (type == FrameType.ERROR) {
        inFlight--;
        refused++;
      }
    }
  }
}
