package io.tern.edge;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// A WebSocket client of bytes, written from RFC 6455 alone. Looks like a socket: each write is a
/// binary message, and what is read is the payload of binary messages. One thread.
final class WebSocketSocket extends Socket {

  static final int CONTINUATION = 0;
  static final int TEXT = 1;
  static final int BINARY = 2;
  static final int CLOSE = 8;
  static final int PING = 9;
  static final int PONG = 10;

  private static final byte[] MASK = {0x37, (byte) 0xFA, 0x21, 0x3D};

  /// Good headers but for the request line.
  static final String HEADERS =
      """
      Host: localhost
      Upgrade: websocket
      Connection: keep-alive, Upgrade
      Sec-WebSocket-Version: 13
      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
      Sec-WebSocket-Protocol: chat, tern.v1
      """
          .replace("\n", "\r\n");

  static final String REQUEST_LINE = "GET /v1/websocket HTTP/1.1\r\n";

  private final Socket below;
  private final DataInputStream in;
  private final Payload payload;

  /// What the server's Close frame said; 0 while it has said nothing, 1005 for no code.
  int closeCode;

  int pongs;

  private WebSocketSocket(Socket below, DataInputStream in) {
    this.below = below;
    this.in = in;
    this.payload = new Payload();
  }

  /// Asks over `below` and returns the answer's head, without the empty line.
  static String ask(Socket below, DataInputStream in, String request) throws IOException {
    below.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
    below.getOutputStream().flush();
    var head = new ByteArrayOutputStream();
    while (!head.toString(StandardCharsets.ISO_8859_1).endsWith("\r\n\r\n")) {
      int b = in.read();
      if (b < 0) {
        break;
      }
      head.write(b);
    }
    return head.toString(StandardCharsets.ISO_8859_1);
  }

  /// Upgrades `below`, with more headers than the usual ones.
  static WebSocketSocket over(Socket below, String more) throws IOException {
    below.setSoTimeout(RawClient.PATIENCE_MILLIS);
    var in = new DataInputStream(below.getInputStream());
    String answer = ask(below, in, REQUEST_LINE + HEADERS + more + "\r\n");
    if (!answer.startsWith("HTTP/1.1 101 ")
        || !answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n")
        || !answer.contains("Sec-WebSocket-Protocol: tern.v1\r\n")
        || answer.contains("Extensions")) {
      throw new IOException(answer);
    }
    return new WebSocketSocket(below, in);
  }

  /// One frame, masked.
  static byte[] frame(boolean fin, int opcode, byte[] payload) {
    var frame = new ByteArrayOutputStream();
    frame.write((fin ? 0x80 : 0) | opcode);
    int length = payload.length;
    if (length < 126) {
      frame.write(0x80 | length);
    } else if (length <= 0xFFFF) {
      frame.write(0x80 | 126);
      frame.write(length >>> 8);
      frame.write(length);
    } else {
      frame.write(0x80 | 127);
      for (int shift = 56; shift >= 0; shift -= 8) {
        frame.write((int) ((long) length >>> shift));
      }
    }
    frame.writeBytes(MASK);
    for (int i = 0; i < length; i++) {
      frame.write(payload[i] ^ MASK[i & 3]);
    }
    return frame.toByteArray();
  }

  void raw(byte[] bytes) throws IOException {
    below.getOutputStream().write(bytes);
    below.getOutputStream().flush();
  }

  void frames(boolean fin, int opcode, byte[] payload) throws IOException {
    raw(frame(fin, opcode, payload));
  }

  /// Reads to the end and returns the close code; 0 when there was no Close frame.
  int readClose() throws IOException {
    while (payload.read(new byte[4096], 0, 4096) >= 0) {
      // What came before it.
    }
    return closeCode;
  }

  @Override
  public InputStream getInputStream() {
    return payload;
  }

  @Override
  public OutputStream getOutputStream() {
    return new OutputStream() {
      @Override
      public void write(int b) throws IOException {
        write(new byte[] {(byte) b});
      }

      @Override
      public void write(byte[] bytes, int offset, int length) throws IOException {
        var message = new byte[length];
        System.arraycopy(bytes, offset, message, 0, length);
        frames(true, BINARY, message);
      }
    };
  }

  @Override
  public synchronized void setSoTimeout(int millis) throws SocketException {
    below.setSoTimeout(millis);
  }

  @Override
  public synchronized void close() throws IOException {
    below.close();
  }

  /// The payload of binary messages.
  private final class Payload extends InputStream {
    private byte @Nullable [] message;
    private int at;

    @Override
    public int read() throws IOException {
      var one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
    }

    @Override
    public int read(byte[] to, int offset, int length) throws IOException {
      while (message == null || at == message.length) {
        if (!next()) {
          return -1;
        }
      }
      int n = Math.min(length, message.length - at);
      System.arraycopy(message, at, to, offset, n);
      at += n;
      return n;
    }

    private boolean next() throws IOException {
      int first = in.read();
      if (first < 0) {
        return false;
      }
      int length = in.readUnsignedByte();
      if (length == 126) {
        length = in.readUnsignedShort();
      } else if (length == 127) {
        length = (int) in.readLong();
      }
      if ((first & 0xF0) != 0x80) {
        throw new IOException("a server's frame is final, without reserved bits");
      }
      var bytes = new byte[length];
      in.readFully(bytes);
      switch (first & 0xF) {
        case BINARY -> {
          message = bytes;
          at = 0;
        }
        case CLOSE -> closeCode = length < 2 ? 1005 : ((bytes[0] & 0xFF) << 8) | (bytes[1] & 0xFF);
        case PONG -> pongs++;
        default -> throw new IOException("opcode " + (first & 0xF));
      }
      return true;
    }
  }
}
