package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GoAway;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.util.HexFormat;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A client of bytes for tests: a blocking socket, frames written and read by hand. One thread.
final class RawClient implements AutoCloseable {

  static final int PATIENCE_MILLIS = 10_000;

  /// One frame as it came.
  record Frame(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {

    io.tern.protocol.v1.Error error() {
      assertThat(type).isEqualTo(FrameType.ERROR);
      return parsed(io.tern.protocol.v1.Error.getDefaultInstance());
    }

    GoAway goAway() {
      assertThat(type).isEqualTo(FrameType.GOAWAY);
      return parsed(GoAway.getDefaultInstance());
    }

    @SuppressWarnings("unchecked")
    <T extends MessageLite> T parsed(T prototype) {
      try {
        return (T) prototype.getParserForType().parseFrom(body);
      } catch (InvalidProtocolBufferException e) {
        throw new AssertionError(type + " " + HexFormat.of().formatHex(body), e);
      }
    }
  }

  final Socket socket;
  private final ByteBuf in = Unpooled.buffer();
  private final FrameHeader header = new FrameHeader();

  private RawClient(Socket socket) {
    this.socket = socket;
  }

  static RawClient connect(InetSocketAddress address) {
    try {
      var socket = new Socket();
      socket.setTcpNoDelay(true);
      socket.connect(address, PATIENCE_MILLIS);
      socket.setSoTimeout(PATIENCE_MILLIS);
      return new RawClient(socket);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Over a socket that is connected, with TLS or without.
  static RawClient over(Socket socket) {
    return new RawClient(socket);
  }

  /// Connects and logs in; skips to the end of the first catch-up.
  static RawClient login(InetSocketAddress address, String user, int device) {
    RawClient client = connect(address);
    client.write(preface(), hello(user, device));
    client.helloAck();
    client.until(FrameType.CATCH_UP_PAGE);
    return client;
  }

  static UserId id(String user) {
    return DevelopmentIssuer.userId(user);
  }

  static byte[] preface() {
    return new byte[] {0x54, 0x52, 0x4E, 0x01};
  }

  static Hello.Builder helloBody(String user, int device) {
    return Hello.newBuilder()
        .setVerMin(1)
        .setVerMax(1)
        .setDevice(device)
        .setToken(ByteString.copyFrom(DevelopmentIssuer.token(user, device)))
        .setState(ClientActivity.CLIENT_ACTIVITY_ACTIVE);
  }

  static byte[] hello(String user, int device) {
    return frame(FrameType.HELLO, 0, 0, 0, 0, helloBody(user, device).build());
  }

  static byte[] hello(Hello hello) {
    return frame(FrameType.HELLO, 0, 0, 0, 0, hello);
  }

  static byte[] send(int rid, UserId to, long csn, String text) {
    return frame(
        FrameType.SEND,
        FrameHeader.RID | FrameHeader.CHAT,
        rid,
        to.value(),
        0,
        sendBody(csn, text));
  }

  static Send sendBody(long csn, String text) {
    return Send.newBuilder()
        .setCsn(csn)
        .setContent(
            Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(ByteString.copyFromUtf8(text)))
        .build();
  }

  static byte[] ack(UserId chat, long seq) {
    return frame(
        FrameType.ACK, FrameHeader.CHAT | FrameHeader.SEQ, 0, chat.value(), seq, new byte[0]);
  }

  static byte[] frame(FrameType type, int flags, int rid, long chat, long seq, MessageLite body) {
    return frame(type, flags, rid, chat, seq, body.toByteArray());
  }

  static byte[] frame(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {
    ByteBuf out = Unpooled.buffer();
    FrameWriter.write(out, type, flags, rid, chat, seq, body);
    var bytes = new byte[out.readableBytes()];
    out.readBytes(bytes);
    return bytes;
  }

  /// Writes all pieces in one go.
  RawClient write(byte[]... pieces) {
    ByteBuf all = Unpooled.wrappedBuffer(pieces);
    var bytes = new byte[all.readableBytes()];
    all.readBytes(bytes);
    try {
      socket.getOutputStream().write(bytes);
      socket.getOutputStream().flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return this;
  }

  /// Next frame, or null at the end of the stream.
  @Nullable Frame readOrEnd() {
    while (true) {
      switch (FrameReader.read(in, Limits.FRAME_BYTES_NEGOTIABLE_MAX, header)) {
        case FRAME -> {
          var body = new byte[header.bodyBytes()];
          in.readBytes(body);
          FrameType type = Objects.requireNonNull(FrameType.of(header.type()));
          assertThat(type.isFromServer()).as("%s from a server", type).isTrue();
          assertThat(type.acceptsFlags(header.flags())).as("%s flags", type).isTrue();
          return new Frame(type, header.flags(), header.rid(), header.chat(), header.seq(), body);
        }
        case INCOMPLETE -> {
          if (!fill()) {
            assertThat(in.readableBytes()).as("bytes of a cut frame").isZero();
            return null;
          }
        }
        case MALFORMED, TOO_LARGE -> throw new AssertionError("bad frame from the server");
      }
    }
  }

  Frame read() {
    Frame frame = readOrEnd();
    assertThat(frame).as("a frame before the end of the stream").isNotNull();
    return Objects.requireNonNull(frame);
  }

  /// Skips frames up to one of this type.
  Frame until(FrameType type) {
    while (true) {
      Frame frame = read();
      if (frame.type() == type) {
        return frame;
      }
    }
  }

  HelloAck helloAck() {
    Frame frame = read();
    assertThat(frame.type()).isEqualTo(FrameType.HELLO_ACK);
    return frame.parsed(HelloAck.getDefaultInstance());
  }

  /// The connection ends without another frame.
  void assertEnd() {
    assertThat(readOrEnd()).isNull();
  }

  /// Nothing comes for so long.
  void assertSilentFor(int millis) {
    assertThat(in.readableBytes()).isZero();
    try {
      socket.setSoTimeout(millis);
      int read = socket.getInputStream().read();
      throw new AssertionError(read < 0 ? "end of stream" : "a byte: " + read);
    } catch (SocketTimeoutException e) {
      // As wanted.
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    try {
      socket.setSoTimeout(PATIENCE_MILLIS);
    } catch (SocketException e) {
      throw new UncheckedIOException(e);
    }
  }

  private boolean fill() {
    var bytes = new byte[16 * 1024];
    try {
      int n = socket.getInputStream().read(bytes);
      if (n < 0) {
        return false;
      }
      in.discardReadBytes();
      in.writeBytes(bytes, 0, n);
      return true;
    } catch (SocketTimeoutException e) {
      throw new AssertionError("nothing came in " + PATIENCE_MILLIS + " ms", e);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public void close() {
    try {
      socket.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
