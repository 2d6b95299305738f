package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;

/// An HTTP/2 client frame by frame, in plain, for what a proper client does not do. Confined to one
/// thread.
final class Http2Socket implements AutoCloseable {

  private static final int DATA = 0;
  private static final int HEADERS = 1;
  private static final int SETTINGS = 4;
  private static final int PING = 6;
  private static final int INITIAL_WINDOW_SIZE = 4;
  private static final int ACK = 1;
  private static final int END_STREAM = 1;
  private static final int END_HEADERS = 4;

  private record Frame(int type, int flags, int stream, byte[] payload) {}

  private final Socket socket;
  private final DataInputStream in;
  private int stream = 1;

  /// Says hello. Takes the socket.
  Http2Socket(Socket socket) throws IOException {
    this(socket, new byte[0]);
  }

  /// One that is sent heads only: its streams have no window.
  static Http2Socket withoutWindow(Socket socket) throws IOException {
    return new Http2Socket(socket, new byte[] {0, INITIAL_WINDOW_SIZE, 0, 0, 0, 0});
  }

  private Http2Socket(Socket socket, byte[] settings) throws IOException {
    this.socket = socket;
    socket.setSoTimeout(10_000);
    in = new DataInputStream(socket.getInputStream());
    socket
        .getOutputStream()
        .write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
    write(SETTINGS, 0, 0, settings);
  }

  /// Pings, each time as the one before is answered, at least once and for so long.
  void ping(Duration atLeast) throws IOException {
    long until = System.nanoTime() + atLeast.toNanos();
    do {
      write(PING, 0, 0, new byte[8]);
      Frame frame = read();
      while (frame.type() != PING) {
        frame = read();
      }
      assertThat(frame.flags()).isEqualTo(ACK);
    } while (System.nanoTime() < until);
  }

  /// Pings until the server has closed.
  void pingUntilClosed() {
    Awaitility.await()
        .atMost(Duration.ofSeconds(20))
        .until(() -> {
          try {
            ping(Duration.ZERO);
            return false;
          } catch (EOFException | SocketException e) {
            return true;
          }
        });
  }

  /// The status of the answer, which is read to its end. Opens no window: for short answers.
  int get(String path) throws IOException {
    return get(path, null, true);
  }

  /// The status of the answer; the body may come or not.
  int head(String path, String token) throws IOException {
    return get(path, token, false);
  }

  private int get(String path, @Nullable String token, boolean toTheEnd) throws IOException {
    var head = new ByteArrayOutputStream();
    // GET, http; then texts that need no table (RFC 7541).
    head.write(0x82);
    head.write(0x86);
    literal(head, 4, path);
    literal(head, 1, "x");
    if (token != null) {
      literal(head, 23, "Bearer " + token);
    }
    int asked = stream;
    stream += 2;
    write(HEADERS, END_STREAM | END_HEADERS, asked, head.toByteArray());
    int status = 0;
    while (true) {
      Frame frame = read();
      if (frame.stream() == asked && frame.type() == HEADERS) {
        // :status 200 is entry 8 of the static table; others are not needed here.
        status = (frame.payload()[0] & 0xff) == 0x88 ? 200 : -1;
      }
      boolean ends = (frame.flags() & END_STREAM) != 0;
      if (frame.stream() == asked
          && (frame.type() == DATA || frame.type() == HEADERS)
          && (ends || !toTheEnd)) {
        return status;
      }
    }
  }

  /// Begins a head and goes on with it byte by byte, until the server has closed.
  void trickleHeadUntilClosed() throws IOException {
    socket.getOutputStream().write(header(10_000, HEADERS, END_STREAM | END_HEADERS, stream));
    socket.setSoTimeout(20);
    Awaitility.await()
        .atMost(Duration.ofSeconds(20))
        .pollInterval(Duration.ofMillis(20))
        .until(() -> {
          try {
            socket.getOutputStream().write(0x82);
            return in.read() == -1;
          } catch (java.net.SocketTimeoutException e) {
            return false;
          } catch (SocketException e) {
            return true;
          }
        });
  }

  private static void literal(ByteArrayOutputStream head, int name, String value) {
    number(head, 4, name);
    number(head, 7, value.length());
    head.writeBytes(value.getBytes(StandardCharsets.US_ASCII));
  }

  /// In the last `bits` of a byte, and more bytes where it does not fit.
  private static void number(ByteArrayOutputStream head, int bits, int number) {
    int most = (1 << bits) - 1;
    head.write(Math.min(number, most));
    if (number >= most) {
      int rest = number - most;
      for (; rest >= 128; rest >>>= 7) {
        head.write((rest & 127) | 128);
      }
      head.write(rest);
    }
  }

  private static byte[] header(int length, int type, int flags, int stream) {
    return ByteBuffer.allocate(9)
        .put((byte) (length >>> 16))
        .putShort((short) length)
        .put((byte) type)
        .put((byte) flags)
        .putInt(stream)
        .array();
  }

  private void write(int type, int flags, int stream, byte[] payload) throws IOException {
    socket.getOutputStream().write(header(payload.length, type, flags, stream));
    socket.getOutputStream().write(payload);
  }

  /// The next one. Acknowledges the server's settings by the way.
  private Frame read() throws IOException {
    int length = in.readUnsignedByte() << 16 | in.readUnsignedShort();
    var frame =
        new Frame(in.readUnsignedByte(), in.readUnsignedByte(), in.readInt(), new byte[length]);
    in.readFully(frame.payload());
    if (frame.type() == SETTINGS && frame.flags() != ACK) {
      write(SETTINGS, ACK, 0, new byte[0]);
    }
    return frame;
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
