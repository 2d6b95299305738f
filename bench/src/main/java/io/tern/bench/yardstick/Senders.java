package io.tern.bench.yardstick;

import com.google.protobuf.ByteString;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.tern.bench.measure.Latencies;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.Limits;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The connections of [BareLoad] and what they have seen. Confined to one event loop, except the
/// counters.
///
/// A closed loop sends the next message when one is answered, and its latency counts from the
/// write. An open loop sends at fixed times whatever the server does, and its latency counts from
/// the time the send was due: a server that stalls is charged for everything it kept waiting.
final class Senders {

  // Answers a connection may wait for; a server that falls further behind ends the run.
  private static final int WAITING_MAX = 8192;

  private final EventLoop loop;
  private final int inFlight;
  private final long intervalNanos;
  private final byte[] body;
  private final List<Connection> connections = new ArrayList<>();
  private final Latencies sent = new Latencies();
  private final Latencies late = new Latencies();

  private boolean sending;
  private boolean measuring;
  private long measuringFrom;
  private long nextSendAt;
  private int nextConnection;

  private volatile long started;
  private volatile long done;
  private volatile long doubled;
  private volatile long reordered;

  /// @param inFlight of each connection, for a closed loop; else 0
  /// @param rate of all connections, for an open loop; else 0
  Senders(EventLoop loop, int textBytes, int inFlight, int rate) {
    this.loop = loop;
    this.inFlight = inFlight;
    this.intervalNanos = rate == 0 ? 0 : 1_000_000_000L / rate;
    var text = "x".repeat(textBytes).getBytes(StandardCharsets.UTF_8);
    var content = Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(ByteString.copyFrom(text));
    this.body = Send.newBuilder().setCsn(1).setContent(content).build().toByteArray();
  }

  Connection newConnection(Channel channel) {
    var connection = new Connection(channel, 1L << 40 | connections.size());
    connections.add(connection);
    return connection;
  }

  void start() {
    sending = true;
    if (intervalNanos == 0) {
      for (Connection connection : connections) {
        long now = System.nanoTime();
        for (int i = 0; i < inFlight; i++) {
          connection.send(now);
        }
        connection.flush();
      }
    } else {
      nextSendAt = System.nanoTime();
      sendWhatIsDue();
    }
  }

  /// From here on latencies are recorded.
  void beginMeasuring() {
    measuring = true;
    measuringFrom = System.nanoTime();
  }

  void stop() {
    sending = false;
  }

  /// Messages answered so far. Any thread.
  long done() {
    return done;
  }

  /// Messages sent and not answered. Any thread.
  long waiting() {
    return started - done;
  }

  /// After the run. Any thread.
  long lost() {
    return started - done;
  }

  long doubled() {
    return doubled;
  }

  long reordered() {
    return reordered;
  }

  Map<String, Object> sentMillis() {
    return sent.millis();
  }

  /// By how much this generator itself missed the time a send was due.
  Map<String, Object> lateMillis() {
    return late.millis();
  }

  private void sendWhatIsDue() {
    if (!sending) {
      return;
    }
    long now = System.nanoTime();
    int first = nextConnection;
    int count = 0;
    while (nextSendAt - now <= 0) {
      connections.get(nextConnection).send(nextSendAt);
      if (measuring) {
        late.record(now - nextSendAt);
      }
      nextSendAt += intervalNanos;
      nextConnection = (nextConnection + 1) % connections.size();
      count++;
    }
    for (int i = 0; i < Math.min(count, connections.size()); i++) {
      connections.get((first + i) % connections.size()).flush();
    }
    loop.schedule(this::sendWhatIsDue, nextSendAt - System.nanoTime(), TimeUnit.NANOSECONDS);
  }

  // Written by the event loop only.
  @SuppressWarnings("NonAtomicVolatileUpdate")
  private void onAnswer(long startedAt) {
    done++;
    if (measuring && startedAt - measuringFrom >= 0) {
      sent.record(System.nanoTime() - startedAt);
    }
  }

  /// One connection: numbers its sends by RID, and expects the answers in that order.
  final class Connection extends ChannelInboundHandlerAdapter {

    private static final int SEND_FLAGS = FrameHeader.RID | FrameHeader.CHAT;

    private final Channel channel;
    private final long chat;
    private final FrameHeader header = new FrameHeader();
    // By RID: when the send was due.
    private final long[] startedAt = new long[WAITING_MAX];

    private int sentRid;
    private int answeredRid;
    private long answeredSeq;
    private @Nullable ByteBuf partial;
    private @Nullable ByteBuf out;

    private Connection(Channel channel, long chat) {
      this.channel = channel;
      this.chat = chat;
    }

    /// Adds a message to what [#flush] sends.
    // Written by the event loop only.
    @SuppressWarnings("NonAtomicVolatileUpdate")
    private void send(long at) {
      if (sentRid - answeredRid == WAITING_MAX) {
        throw new IllegalStateException("the server is " + WAITING_MAX + " answers behind");
      }
      int rid = ++sentRid;
      startedAt[rid & (WAITING_MAX - 1)] = at;
      if (out == null) {
        out = channel.alloc().ioBuffer(2048);
      }
      FrameWriter.write(out, FrameType.SEND, SEND_FLAGS, rid, chat, 0, body);
      started++;
    }

    private void flush() {
      ByteBuf frames = out;
      out = null;
      if (frames != null) {
        channel.writeAndFlush(frames, channel.voidPromise());
      }
    }

    /// Takes over `msg`.
    @Override
    public void channelRead(ChannelHandlerContext ctx, Object msg) {
      ByteBuf in = (ByteBuf) msg;
      if (partial != null) {
        partial.writeBytes(in);
        in.release();
        in = partial;
        partial = null;
      }
      while (FrameReader.read(in, Limits.FRAME_BYTES_MAX, header) == FrameReader.Result.FRAME) {
        in.skipBytes(header.bodyBytes());
        onSent();
      }
      if (in.isReadable()) {
        partial = ctx.alloc().buffer().writeBytes(in);
      }
      in.release();
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
      flush();
    }

    @SuppressWarnings("NonAtomicVolatileUpdate")
    private void onSent() {
      int rid = header.rid();
      if (rid <= answeredRid) {
        doubled++;
        return;
      }
      if (rid != answeredRid + 1 || header.seq() != answeredSeq + 1) {
        reordered++;
      }
      answeredRid = rid;
      answeredSeq = header.seq();
      onAnswer(startedAt[rid & (WAITING_MAX - 1)]);
      if (sending && inFlight > 0) {
        send(System.nanoTime());
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
      System.err.println("connection lost: " + cause);
      ctx.close();
    }
  }
}
