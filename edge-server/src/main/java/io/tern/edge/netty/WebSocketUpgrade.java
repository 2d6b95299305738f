package io.tern.edge.netty;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpVersion;
import io.tern.edge.config.WebSocketConfig;
import io.tern.protocol.ErrorCode;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.List;
import java.util.Locale;

/// Judges a request to become a WebSocket, and writes the answer. Stateless.
///
/// Extensions are never agreed to: without compression a message costs what it holds, and nothing
/// of one user is compressed next to something of another.
final class WebSocketUpgrade {

  /// The subprotocol: Tern's frames, major version 1.
  static final String SUBPROTOCOL = "tern.v1";

  /// Of RFC 6455.
  private static final String GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

  private static final int KEY_BYTES = 16;
  private static final int VERSION = 13;

  private WebSocketUpgrade() {}

  /// What the answer is.
  ///
  /// @param status 101, or that of the refusal
  /// @param field what is wrong; the accept key with 101
  record Verdict(int status, ErrorCode code, String field) {

    boolean isGood() {
      return status == 101;
    }

    boolean isOriginsFault() {
      return status == 403;
    }

    /// Ownership passes to the caller.
    ByteBuf response(ByteBufAllocator alloc) {
      return ByteBufUtil.writeAscii(alloc, isGood() ? agreement() : refusal());
    }

    private String agreement() {
      return "HTTP/1.1 101 Switching Protocols\r\n"
          + "Upgrade: websocket\r\n"
          + "Connection: Upgrade\r\n"
          + "Sec-WebSocket-Accept: "
          + field
          + "\r\nSec-WebSocket-Protocol: "
          + SUBPROTOCOL
          + "\r\n\r\n";
    }

    private String refusal() {
      String body =
          "{\"error\":{\"code\":"
              + code.number()
              + ",\"name\":\""
              + code.name()
              + "\",\"field\":\""
              + field
              + "\"}}";
      return "HTTP/1.1 "
          + status
          + " "
          + reason(status)
          + "\r\n"
          + (status == 426 ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : "")
          + "Content-Type: application/json\r\n"
          + "Content-Length: "
          + body.length()
          + "\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
          + body;
    }

    private static String reason(int status) {
      return switch (status) {
        case 403 -> "Forbidden";
        case 404 -> "Not Found";
        case 405 -> "Method Not Allowed";
        case 426 -> "Upgrade Required";
        case 431 -> "Request Header Fields Too Large";
        default -> "Bad Request";
      };
    }
  }

  /// In this order: is it HTTP, is it for us, is it WebSocket, may this page.
  static Verdict judge(HttpRequest request, WebSocketConfig config) {
    if (request.decoderResult().isFailure()) {
      return request.decoderResult().cause() instanceof TooLongFrameException
          ? no(431, "headers")
          : no(400, "request");
    }
    if (!request.protocolVersion().equals(HttpVersion.HTTP_1_1)) {
      return no(400, "version");
    }
    if (!request.uri().equals(config.path())) {
      // Also with a query: a token in it would be in every log on the way.
      return request.uri().startsWith(config.path() + "?")
          ? no(400, "query")
          : new Verdict(404, ErrorCode.NOT_FOUND, "path");
    }
    if (!request.method().equals(HttpMethod.GET)) {
      return no(405, "method");
    }
    HttpHeaders headers = request.headers();
    if (headers.contains(HttpHeaderNames.TRANSFER_ENCODING)
        || (headers.contains(HttpHeaderNames.CONTENT_LENGTH)
            && !"0".equals(headers.get(HttpHeaderNames.CONTENT_LENGTH)))) {
      return no(400, "body");
    }
    if (headers.getAll(HttpHeaderNames.HOST).size() != 1) {
      return no(400, "host");
    }
    List<String> origins = headers.getAll(HttpHeaderNames.ORIGIN);
    if (origins.size() > 1
        || (origins.size() == 1 && !config.origins().contains(origins.getFirst()))) {
      return new Verdict(403, ErrorCode.NOT_ALLOWED, "origin");
    }
    if (!headers.containsValue(HttpHeaderNames.UPGRADE, "websocket", true)
        || !headers.containsValue(HttpHeaderNames.CONNECTION, "upgrade", true)) {
      return no(426, "upgrade");
    }
    if (!String.valueOf(VERSION).equals(only(headers, HttpHeaderNames.SEC_WEBSOCKET_VERSION))) {
      return no(426, "sec-websocket-version");
    }
    String key = only(headers, HttpHeaderNames.SEC_WEBSOCKET_KEY);
    if (!isKey(key)) {
      return no(400, "sec-websocket-key");
    }
    if (!headers.containsValue(HttpHeaderNames.SEC_WEBSOCKET_PROTOCOL, SUBPROTOCOL, false)) {
      return no(400, "sec-websocket-protocol");
    }
    return new Verdict(101, ErrorCode.ARGUMENT, accept(key));
  }

  private static Verdict no(int status, String field) {
    return new Verdict(status, ErrorCode.ARGUMENT, field.toLowerCase(Locale.ROOT));
  }

  /// The value of a header that must be there once; else an empty text.
  private static String only(HttpHeaders headers, CharSequence name) {
    List<String> values = headers.getAll(name);
    return values.size() == 1 ? values.getFirst() : "";
  }

  private static boolean isKey(String key) {
    try {
      return key.length() == 24 && Base64.getDecoder().decode(key).length == KEY_BYTES;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  private static String accept(String key) {
    try {
      return Base64.getEncoder()
          .encodeToString(
              MessageDigest.getInstance("SHA-1")
                  .digest((key + GUID).getBytes(StandardCharsets.US_ASCII)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
