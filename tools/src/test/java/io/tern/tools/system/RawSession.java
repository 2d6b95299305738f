package io.tern.tools.system;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.DeviceId;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.Limits;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.ConnectReason;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.HelloAck;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// A connection whose every byte a test decides. Blocks; confined to one thread.
final class RawSession implements AutoCloseable {

  private static final byte[] EMPTY = {};
  private static final ConcurrentHashMap<DeviceId, ByteString> TOKENS = new ConcurrentHashMap<>();

  private final Socket socket;
  private final InputStream input;
  private final ByteBuf in = Unpooled.buffer();
  private final byte[] chunk = new byte[16 * 1024];

  /// A frame as it came.
  ///
  /// @param code the type byte
  record Frame(int code, int flags, int rid, long chat, long seq, byte[] body) {

    boolean is(FrameType type) {
      return code == type.code();
    }

    boolean hasRid() {
      return (flags & FrameHeader.RID) != 0;
    }

    Error error() throws IOException {
      return Error.parseFrom(body);
    }

    @Override
    public String toString() {
      var type = FrameType.of(code);
      return "%s flags=%02x rid=%d chat=%d seq=%d body=%s"
          .formatted(
              type == null ? "%02x".formatted(code) : type,
              flags,
              rid,
              chat,
              seq,
              HexFormat.of().formatHex(body));
    }
  }

  private RawSession(Socket socket) throws IOException {
    this.socket = socket;
    input = socket.getInputStream();
  }

  /// Connects, and sends nothing.
  static RawSession connect(InetSocketAddress address) throws IOException {
    return connect(address, 0);
  }

  /// @param receiveBytes size of the socket's receive buffer; 0 for the system's choice
  static RawSession connect(InetSocketAddress address, int receiveBytes) throws IOException {
    var socket = new Socket();
    if (receiveBytes > 0) {
      socket.setReceiveBufferSize(receiveBytes);
    }
    socket.setTcpNoDelay(true);
    socket.connect(address, 5_000);
    return new RawSession(socket);
  }

  /// Connects and logs in; returns when HELLO_ACK has come.
  static RawSession login(InetSocketAddress address, DeviceId device) throws IOException {
    return login(address, device, 0);
  }

  static RawSession login(InetSocketAddress address, DeviceId device, int receiveBytes)
      throws IOException {
    var session = connect(address, receiveBytes);
    session.write(preface());
    session.write(hello(device));
    session.awaitHelloAck();
    return session;
  }

  /// Signing is dear, and tokens are good for a day.
  private static ByteString tokenOf(DeviceId device) {
    return TOKENS.computeIfAbsent(
        device, d -> ByteString.copyFrom(DevelopmentIssuer.token(d.user(), d.index())));
  }

  static byte[] preface() {
    return ByteBufUtil.getBytes(Unpooled.copyInt(Limits.PREFACE));
  }

  static byte[] hello(DeviceId device) {
    return frame(
        FrameType.HELLO,
        0,
        0,
        0,
        0,
        Hello.newBuilder()
            .setVerMin(Limits.VERSION)
            .setVerMax(Limits.VERSION)
            .setDevice(device.index())
            .setToken(tokenOf(device))
            .setState(ClientActivity.CLIENT_ACTIVITY_ACTIVE)
            .setReason(ConnectReason.CONNECT_REASON_START)
            .setApp("raw")
            .setPingS(240)
            .build());
  }

  static byte[] frame(FrameType type, int flags, int rid, long chat, long seq, MessageLite body) {
    return frame(type, flags, rid, chat, seq, body.toByteArray());
  }

  static byte[] frame(FrameType type, int flags, int rid, long chat, long seq) {
    return frame(type, flags, rid, chat, seq, EMPTY);
  }

  static byte[] frame(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {
    var out = Unpooled.buffer();
    FrameWriter.write(out, type, flags, rid, chat, seq, body);
    return ByteBufUtil.getBytes(out);
  }

  private HelloAck awaitHelloAck() throws IOException {
    var frame = read(Duration.ofSeconds(20));
    if (frame == null || !frame.is(FrameType.HELLO_ACK)) {
      throw new IOException("no HELLO_ACK but " + frame);
    }
    return HelloAck.parseFrom(frame.body);
  }

  void write(byte[] bytes) throws IOException {
    socket.getOutputStream().write(bytes);
  }

  /// Says that nothing more will come.
  void end() throws IOException {
    socket.shutdownOutput();
  }

  /// The next frame; null when the server has closed.
  ///
  /// @throws SocketTimeoutException when neither happens in time
  /// @throws IOException when what comes is not a frame
  @Nullable Frame read(Duration atMost) throws IOException {
    long deadline = System.nanoTime() + atMost.toNanos();
    while (true) {
      var header = new FrameHeader();
      switch (FrameReader.read(in, Limits.FRAME_BYTES_NEGOTIABLE_MAX, header)) {
        case FRAME -> {
          var body = new byte[header.bodyBytes()];
          in.readBytes(body);
          in.discardSomeReadBytes();
          return new Frame(
              header.type(), header.flags(), header.rid(), header.chat(), header.seq(), body);
        }
        case INCOMPLETE -> {}
        case MALFORMED, TOO_LARGE -> throw new IOException("the server sends nonsense");
      }
      long left = (deadline - System.nanoTime()) / 1_000_000;
      if (left <= 0) {
        throw new SocketTimeoutException("no frame in " + atMost);
      }
      socket.setSoTimeout((int) left);
      int count;
      try {
        count = input.read(chunk);
      } catch (SocketTimeoutException e) {
        throw e;
      } catch (IOException e) {
        return null; // Reset: the server has closed while bytes were still on their way to it.
      }
      if (count < 0) {
        if (in.isReadable()) {
          throw new IOException("the server closed within a frame");
        }
        return null;
      }
      in.writeBytes(chunk, 0, count);
    }
  }

  /// Reads until a frame of this type has come.
  Frame await(FrameType type, Duration atMost) throws IOException {
    long deadline = System.nanoTime() + atMost.toNanos();
    while (true) {
      var frame = read(Duration.ofNanos(Math.max(1, deadline - System.nanoTime())));
      if (frame == null) {
        throw new IOException("closed instead of " + type);
      }
      if (frame.is(type)) {
        return frame;
      }
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
