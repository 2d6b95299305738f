package io.tern.tools.load;

import static java.util.Objects.requireNonNull;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Send;
import io.tern.protocol.v1.SessionLimits;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/// A chat server without a disk that does the least, and wrong where a test wants it: it shows that
/// `load` notices. A token is the user's id, 8 bytes. One event loop owns everything.
final class FakeServer implements AutoCloseable {

  /// What to do with a delivery.
  enum Fault {
    NONE,
    /// Acknowledged and never delivered.
    LOSE,
    /// Delivered at two seqs.
    DOUBLE,
    /// The sender's next one overtakes it.
    REORDER,
    /// Another body.
    CORRUPT,
    /// BUSY, once.
    PUT_OFF,
    /// Not a delivery at all: HELLO gets no answer.
    MUTE,
    /// Every user's first HELLO is answered with BUSY and a time, and the end.
    BUSY_LOGIN
  }

  private final MultiThreadIoEventLoopGroup group =
      new MultiThreadIoEventLoopGroup(1, LoginGate.ioHandler());
  private final Channel listener;
  private final Map<Long, Connection> users = new HashMap<>();
  private final Map<Long, Long> putOff = new HashMap<>();
  private final Map<ChatId, Long> heads = new HashMap<>();
  private final Map<Long, Long> csns = new HashMap<>();

  /// The fault of the `faultAt`-th message, counted over all users.
  private final Fault fault;

  private final long faultAt;
  private long messages;
  private byte[] held = {};
  private long heldSeq;
  private long holder;

  FakeServer(Fault fault, long faultAt) {
    this.fault = fault;
    this.faultAt = faultAt;
    this.listener =
        new ServerBootstrap()
            .group(group)
            .channel(
                Epoll.isAvailable() ? EpollServerSocketChannel.class : NioServerSocketChannel.class)
            .childHandler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    channel.pipeline().addLast(new Connection(channel));
                  }
                })
            .bind("127.0.0.1", 0)
            .syncUninterruptibly()
            .channel();
  }

  InetSocketAddress address() {
    return (InetSocketAddress) listener.localAddress();
  }

  @Override
  public void close() {
    listener.close().syncUninterruptibly();
    group.shutdownGracefully(0, 5, TimeUnit.SECONDS).syncUninterruptibly();
  }

  private final class Connection extends ByteToMessageDecoder {
    private final FrameHeader header = new FrameHeader();
    private boolean hasPreface;
    private long user;
    private final Channel channel;

    Connection(Channel channel) {
      this.channel = channel;
    }

    @Override
    protected void decode(ChannelHandlerContext ctx, ByteBuf in, List<Object> none)
        throws Exception {
      if (!hasPreface) {
        if (in.readableBytes() < Limits.PREFACE_BYTES) {
          return;
        }
        hasPreface = in.readInt() == Limits.PREFACE;
      }
      while (FrameReader.read(in, Limits.FRAME_BYTES_MAX, header) == FrameReader.Result.FRAME) {
        var body = new byte[header.bodyBytes()];
        in.readBytes(body);
        onFrame(body);
      }
    }

    @Override
    public void channelReadComplete(ChannelHandlerContext ctx) {
      users.values().forEach(connection -> connection.channel.flush());
    }

    private void onFrame(byte[] body) throws Exception {
      switch (requireNonNull(FrameType.of(header.type()))) {
        case HELLO -> {
          if (fault == Fault.MUTE) {
            return;
          }
          long who = ByteBuffer.wrap(Hello.parseFrom(body).getToken().toByteArray()).getLong();
          if (fault == Fault.BUSY_LOGIN && putOff.putIfAbsent(who, System.nanoTime()) == null) {
            var error = Error.newBuilder().setCode(ErrorCode.BUSY.number()).setRetryMs(50);
            write(FrameType.ERROR, 0, 0, 0, 0, error.build().toByteArray());
            channel.flush();
            channel.close();
            return;
          }
          if (fault == Fault.BUSY_LOGIN
              && System.nanoTime() - requireNonNull(putOff.get(who))
                  < TimeUnit.MILLISECONDS.toNanos(50)) {
            throw new AssertionError("too soon");
          }
          user = ByteBuffer.wrap(Hello.parseFrom(body).getToken().toByteArray()).getLong();
          users.put(user, this);
          var ack =
              HelloAck.newBuilder()
                  .setUser(user)
                  .setDevice(1)
                  .setLimits(SessionLimits.newBuilder().setInFlight(32));
          write(FrameType.HELLO_ACK, 0, 0, 0, 0, ack.build().toByteArray());
        }
        case SEND -> onSend(Send.parseFrom(body));
        case ACK -> {
          var receipt = Receipt.newBuilder().setDelivered(header.seq()).build();
          user(header.chat())
              .write(FrameType.RECEIPT, FrameHeader.CHAT, 0, user, 0, receipt.toByteArray());
        }
        case BYE -> channel.close();
        default -> throw new AssertionError("frame " + header.type());
      }
    }

    private void onSend(Send send) {
      var chat = ChatId.direct(new UserId(user), new UserId(header.chat()));
      long last = csns.getOrDefault(key(), 0L);
      if (send.getCsn() != last + 1) {
        refuse(ErrorCode.OUT_OF_ORDER, last + 1);
        return;
      }
      messages++;
      var now = messages == faultAt ? fault : Fault.NONE;
      if (now == Fault.PUT_OFF) {
        refuse(ErrorCode.BUSY, 0);
        return;
      }
      csns.put(key(), send.getCsn());
      long seq = heads.merge(chat, 1L, Long::sum);
      write(FrameType.SENT, FrameHeader.RID | FrameHeader.SEQ, header.rid(), 0, seq, new byte[0]);
      var deliver = Deliver.newBuilder().setDevice(1).setContent(send.getContent()).build();
      switch (now) {
        case NONE -> {
          deliver(seq, deliver.toByteArray());
          if (held.length > 0 && holder == user) {
            deliver(heldSeq, held);
            held = new byte[0];
          }
        }
        case LOSE -> {}
        case DOUBLE -> {
          deliver(seq, deliver.toByteArray());
          deliver(heads.merge(chat, 1L, Long::sum), deliver.toByteArray());
        }
        case REORDER -> {
          held = deliver.toByteArray();
          heldSeq = seq;
          holder = user;
        }
        case CORRUPT -> {
          var changed = deliver.toByteArray();
          changed[changed.length - 1]++;
          deliver(seq, changed);
        }
        case PUT_OFF, MUTE, BUSY_LOGIN -> throw new AssertionError();
      }
    }

    private long key() {
      return user * 31 + header.chat();
    }

    private void refuse(ErrorCode code, long csn) {
      var error = Error.newBuilder().setCode(code.number()).setCsn(csn).setRetryMs(5).build();
      write(FrameType.ERROR, FrameHeader.RID, header.rid(), 0, 0, error.toByteArray());
    }

    private Connection user(long id) {
      return requireNonNull(users.get(id));
    }

    private void deliver(long seq, byte[] body) {
      user(header.chat())
          .write(FrameType.DELIVER, FrameHeader.CHAT | FrameHeader.SEQ, 0, user, seq, body);
    }

    private void write(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {
      var out = channel.alloc().buffer();
      FrameWriter.write(out, type, flags, rid, chat, seq, body);
      channel.write(out, channel.voidPromise());
    }
  }
}
