package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Hand-made bodies that are small to send and dear to read, through every door: each is refused
/// with its code, and somebody else's session goes on. Bombs of what is around the frames are in
/// [WebSocketDoorTest], [ProxyDoorTest] and [OpensslProbesTest].
class BombsTest {

  /// Wire types of protobuf.
  private static final int VARINT = 0;

  private static final int BYTES = 2;
  private static final int GROUP = 3;
  private static final int GROUP_END = 4;
  private static final int FIXED32 = 5;

  @TempDir static Path data;

  private static TestServer server;
  private static RawClient bystander;

  @BeforeAll
  static void start() {
    server =
        TestServer.start(
            data,
            "net.tls.listen=127.0.0.1:0",
            "net.websocket.listen=127.0.0.1:0",
            "limits.cheap.rate=0");
    bystander = server.login("bystander");
  }

  @AfterEach
  void theBystanderNoticedNothing() {
    bystander.write(RawClient.frame(FrameType.PING, 0, 0, 0, 0, ascii("fine")));
    assertThat(bystander.until(FrameType.PONG).body()).isEqualTo(ascii("fine"));
    await().until(() -> server.server.connections() == 1);
  }

  @AfterAll
  static void stop() {
    bystander.close();
    server.close();
  }

  /// In SEND: refused one by one, and the session goes on.
  @ParameterizedTest
  @ValueSource(strings = {"tcp", "tls", "websocket"})
  void aBombInASendIsRefusedAndTheSessionGoesOn(String door) throws IOException {
    try (RawClient mallory = connect(door)) {
      begin(mallory, door, RawClient.hello("mallory", 1));
      mallory.helloAck();
      mallory.until(FrameType.CATCH_UP_PAGE);
      int rid = 0;
      for (var bomb : sends().entrySet()) {
        rid++;
        mallory.write(
            RawClient.frame(
                FrameType.SEND,
                FrameHeader.RID | FrameHeader.CHAT,
                rid,
                RawClient.id("bystander").value(),
                0,
                bomb.getValue()));
        RawClient.Frame answer = mallory.read();
        assertThat(answer.type()).as(bomb.getKey()).isEqualTo(FrameType.ERROR);
        assertThat(answer.rid()).as(bomb.getKey()).isEqualTo(rid);
        assertThat(answer.error().getCode())
            .as(bomb.getKey())
            .isEqualTo(bomb.getKey().endsWith("(404)") ? 404 : 400);
      }
      assertThat(rid).isGreaterThanOrEqualTo(28);
      mallory.write(RawClient.frame(FrameType.PING, 0, 0, 0, 0, ascii("up")));
      assertThat(mallory.until(FrameType.PONG).body()).isEqualTo(ascii("up"));
    }
  }

  /// In HELLO: refused, and that is the end.
  @ParameterizedTest
  @ValueSource(strings = {"tcp", "tls", "websocket"})
  void aBombInAHelloIsTheEnd(String door) throws IOException {
    for (var bomb : hellos().entrySet()) {
      try (RawClient mallory = connect(door)) {
        begin(mallory, door, RawClient.frame(FrameType.HELLO, 0, 0, 0, 0, bomb.getValue()));
        RawClient.Frame answer = mallory.read();
        assertThat(answer.type()).as(bomb.getKey()).isEqualTo(FrameType.ERROR);
        assertThat(answer.error().getCode())
            .as(bomb.getKey())
            .isEqualTo(Integer.parseInt(bomb.getKey().substring(0, 3)));
        mallory.assertEnd();
      }
    }
  }

  private static RawClient connect(String door) throws IOException {
    return switch (door) {
      case "tcp" -> server.connect();
      case "tls" -> RawClient.over(TlsSockets.tern(server.server));
      default -> {
        var below = new Socket();
        below.connect(server.server.listening().webSocket().getFirst());
        yield RawClient.over(WebSocketSocket.over(below, ""));
      }
    };
  }

  private static void begin(RawClient client, String door, byte[] hello) {
    if (!door.equals("websocket")) {
      client.write(RawClient.preface());
    }
    client.write(hello);
  }

  // ---- bombs -----------------------------------------------------------------------------------

  private static Map<String, byte[]> sends() {
    byte[] text = ascii("hello");
    byte[] content = join(number(1, 1), field(2, text));
    var bombs = new LinkedHashMap<String, byte[]>();
    bombs.put("nested 5 deep", join(number(1, 1), field(2, nested(9, 4))));
    bombs.put("nested 1,000 deep", join(number(1, 1), field(2, nested(9, 1_000))));
    bombs.put("a group", join(number(1, 1), tag(20, GROUP), tag(20, GROUP_END)));
    bombs.put("the end of no group", join(number(1, 1), tag(20, GROUP_END)));
    bombs.put("10,000 groups in each other", repeat(tag(1, GROUP), 10_000));
    bombs.put("a group in the content", join(number(1, 1), field(2, tag(20, GROUP))));
    bombs.put("content twice", join(number(1, 1), field(2, content), field(2, content)));
    bombs.put("content 500 times", join(number(1, 1), repeat(field(2, content), 500)));
    bombs.put("csn twice", join(number(1, 1), number(1, 1), field(2, content)));
    bombs.put("csn 5,000 times", repeat(number(1, 1), 5_000));
    bombs.put("513 unknown fields", join(number(1, 1), repeat(number(99, 1), 513)));
    bombs.put("5,000 unknown fields", join(number(1, 1), repeat(number(99, 1), 5_000)));
    bombs.put("65 mentions", join(number(1, 1), field(2, repeat(number(4, 9), 65))));
    bombs.put("16,000 mentions", join(number(1, 1), field(2, field(4, new byte[16_000]))));
    bombs.put("body cut", join(number(1, 1), tag(2, BYTES), new byte[] {100, 1}));
    bombs.put("length of 2 GiB", join(number(1, 1), tag(2, BYTES), varint(0x7FFF_FFFFL)));
    bombs.put("length of 2^63", join(number(1, 1), tag(2, BYTES), varint(Long.MIN_VALUE)));
    bombs.put("length of -1", join(number(1, 1), tag(2, BYTES), varint(-1)));
    bombs.put(
        "varint of 11 bytes",
        join(tag(1, VARINT), repeat(new byte[] {(byte) 0xFF}, 10), new byte[] {1}));
    bombs.put("varint without an end", join(tag(1, VARINT), repeat(new byte[] {(byte) 0x80}, 9)));
    bombs.put("field number 0", join(tag(0, VARINT), new byte[] {1}));
    bombs.put("wire type 6", join(number(1, 1), tag(3, 6)));
    bombs.put("wire type 7", join(number(1, 1), tag(3, 7)));
    bombs.put("csn as text", join(field(1, text), field(2, content)));
    bombs.put("content as a number", join(number(1, 1), number(2, 1)));
    bombs.put("body twice", join(number(1, 1), field(2, join(content, field(2, text)))));
    bombs.put("ttl over 32 bits", join(number(1, 1), field(2, join(content, number(5, 1L << 40)))));
    bombs.put(
        "mentions as fixed32",
        join(number(1, 1), field(2, join(content, tag(4, FIXED32), new byte[4]))));
    bombs.put(
        "preview that is no UTF-8",
        join(
            number(1, 1),
            field(2, join(content, field(9, field(1, new byte[] {(byte) 0xC0, (byte) 0x80}))))));
    bombs.put("no content", number(1, 1));
    bombs.put("nothing", new byte[0]);
    bombs.put(
        "body over 16 KiB (404)",
        join(number(1, 1), field(2, join(number(1, 1), field(2, new byte[16 * 1024 + 1])))));
    bombs.put("60 KB of zeros (404)", new byte[60_000]);
    return bombs;
  }

  /// The name begins with the code.
  private static Map<String, byte[]> hellos() {
    var bombs = new LinkedHashMap<String, byte[]>();
    bombs.put("100 a group", join(number(1, 1), number(2, 1), tag(20, GROUP)));
    bombs.put("100 nested", join(number(1, 1), number(2, 1), field(1, nested(1, 500))));
    bombs.put("100 version twice", join(number(1, 1), number(1, 1), number(2, 1)));
    bombs.put("100 513 unknown fields", repeat(number(99, 1), 513));
    bombs.put("100 app that is no UTF-8", field(11, new byte[] {(byte) 0xFF}));
    bombs.put("100 device over 32 bits", number(4, 1L << 40));
    bombs.put("100 token cut", join(number(1, 1), tag(6, BYTES), varint(4_000)));
    bombs.put("101 nothing", new byte[0]);
    bombs.put("102 4 KiB and more", field(6, new byte[4_096]));
    return bombs;
  }

  /// A message in field `field` of a message in field `field`…
  private static byte[] nested(int field, int depth) {
    byte[] message = number(1, 1);
    for (int i = 0; i < depth && message.length < 16_000; i++) {
      message = field(field, message);
    }
    return message;
  }

  private static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }

  private static byte[] varint(long value) {
    var bytes = new ByteArrayOutputStream();
    long rest = value;
    while ((rest & ~0x7FL) != 0) {
      bytes.write((int) (rest & 0x7F) | 0x80);
      rest >>>= 7;
    }
    bytes.write((int) rest);
    return bytes.toByteArray();
  }

  private static byte[] tag(int field, int wireType) {
    return varint(((long) field << 3) | wireType);
  }

  private static byte[] number(int field, long value) {
    return join(tag(field, VARINT), varint(value));
  }

  private static byte[] field(int field, byte[] content) {
    return join(tag(field, BYTES), varint(content.length), content);
  }

  private static byte[] repeat(byte[] piece, int times) {
    var all = new ByteArrayOutputStream();
    for (int i = 0; i < times; i++) {
      all.writeBytes(piece);
    }
    return all.toByteArray();
  }

  private static byte[] join(byte[]... pieces) {
    var all = new ByteArrayOutputStream();
    for (byte[] piece : pieces) {
      all.writeBytes(piece);
    }
    return all.toByteArray();
  }
}
