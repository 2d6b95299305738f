package io.tern.protocol;

import static io.tern.protocol.Wire.hex;
import static io.tern.protocol.Wire.wire;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.protocol.FrameReader.Result;
import io.tern.protocol.Frames.Frame;
import io.tern.protocol.Prescan.Verdict;
import io.tern.protocol.v1.ContactCard;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Location;
import io.tern.protocol.v1.Send;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// The conformance vectors: what they are made of. `protocol/vectors/README.md` says what they
/// mean.
final class VectorFiles {

  static final Path DIRECTORY = Path.of("vectors");

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
  private static final byte[] NOTHING = {};

  private final Map<String, List<ObjectNode>> files = new LinkedHashMap<>();

  private VectorFiles() {}

  /// Every file's lines, by name.
  static Map<String, List<ObjectNode>> generate() {
    var vectors = new VectorFiles();
    vectors.frames();
    vectors.bodies();
    vectors.events();
    vectors.sessions();
    vectors.conversation();
    return vectors.files;
  }

  static List<ObjectNode> read(String file) {
    try {
      return Files.readAllLines(DIRECTORY.resolve(file)).stream().map(BodyJson::parse).toList();
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  // ---- frames.jsonl
  // ------------------------------------------------------------------------------

  private void frames() {
    for (FrameType type : FrameType.values()) {
      String name = type.name().toLowerCase(Locale.ROOT).replace('_', '-');
      // ZSTD would say that the body is compressed.
      int all = (type.requiredFlags() | type.optionalFlags()) & ~FrameHeader.ZSTD;
      frame(name + "-with-everything", sample(type, all, Samples.body(type)));
      frame(name + "-with-the-least", sample(type, type.requiredFlags(), NOTHING));
    }
    int rid = FrameHeader.RID;
    int place = FrameHeader.CHAT | FrameHeader.SEQ;
    frame(
        "deliver-registered",
        new Frame(
            FrameType.DELIVER, place, 0, Samples.ALICE, 43, Samples.registered().toByteArray()));
    frame("rid-of-32-bits", new Frame(FrameType.CHATS, rid, -1, 0, 0, NOTHING));
    frame("chat-and-seq-of-64-bits", new Frame(FrameType.ACK, place, 0, -1, -1, NOTHING));
    frame(
        "chat-and-seq-0-are-for-the-receiver-to-refuse",
        new Frame(FrameType.ACK, place, 0, 0, 0, NOTHING));
    frame("len-127-in-one-byte", new Frame(FrameType.PING, 0, 0, 0, 0, new byte[125]));
    frame("len-128-in-two-bytes", new Frame(FrameType.PING, 0, 0, 0, 0, new byte[126]));
    frame("unknown-fields-are-skipped", hex("0c 08 00 0801 980601 a206026869"), 65_536);
    frame("unknown-type-for-the-server-to-ignore", hex("03 60 00 ff"), 65_536);
    frame("unknown-push-for-the-client-to-ignore", hex("04 f0 01 05 ff"), 65_536);
    frame("unknown-request", hex("03 4f 01 05"), 65_536);
    frame("two-frames-the-first-is-decoded", hex("02 04 00 02 05 00"), 65_536);

    frame("nothing", NOTHING, 65_536);
    frame("len-cut-off", hex("80"), 65_536);
    frame("type-cut-off", hex("02"), 65_536);
    frame("flags-cut-off", hex("02 04"), 65_536);
    frame("rid-cut-off", hex("08 20 01 80"), 65_536);
    frame("chat-cut-off", hex("08 07 06 ffff"), 65_536);
    frame("body-cut-off", hex("05 04 00 0102"), 65_536);

    frame("len-0", hex("00"), 65_536);
    frame("len-1", hex("01 04"), 65_536);
    frame("len-0-in-two-bytes", hex("8000"), 65_536);
    frame("len-2-in-two-bytes", hex("8200 0400"), 65_536);
    frame("len-2-in-three-bytes", hex("828000 0400"), 65_536);
    frame("len-goes-on-in-a-fourth-byte", hex("80808001"), 65_536);
    frame("len-over-64-kib", hex("818004"), 65_536);
    frame("len-over-4-kib-before-login", hex("8120"), 4_096);
    frame("len-over-256-kib", hex("818010"), 262_144);
    frame("flag-40", hex("02 04 40"), 65_536);
    frame("flag-80", hex("02 04 80"), 65_536);
    frame("flag-80-of-a-frame-whose-body-has-not-come", hex("e807 20 80"), 65_536);
    frame("rid-outside-len", hex("02 20 01 05"), 65_536);
    frame("rid-ends-outside-len", hex("03 20 01 80 01"), 65_536);
    frame("chat-outside-len", hex("03 20 03 05 07"), 65_536);
    frame("seq-outside-len", hex("04 a0 05 05 80 01"), 65_536);
    frame("rid-not-minimal", hex("04 20 01 8500"), 65_536);
    frame("rid-of-33-bits", hex("07 20 01 8080808010"), 65_536);
    frame("rid-of-six-bytes", hex("08 20 01 808080808001"), 65_536);
    frame("chat-not-minimal", hex("04 07 02 8100"), 65_536);
    frame("chat-of-65-bits", hex("0c 07 02 ffffffffffffffffff02"), 65_536);
    frame("chat-of-eleven-bytes", hex("0d 07 02 8080808080808080808001"), 65_536);
    frame("seq-not-minimal", hex("05 07 06 05 8000"), 65_536);
    frame("seq-of-eleven-bytes", hex("0e 07 06 05 8080808080808080808001"), 65_536);
  }

  private static Frame sample(FrameType type, int flags, byte[] body) {
    return new Frame(
        type,
        flags,
        (flags & FrameHeader.RID) == 0 ? 0 : 300,
        (flags & FrameHeader.CHAT) == 0
            ? 0
            : (flags & FrameHeader.GROUP) == 0 ? Samples.BOB : Samples.GROUP,
        (flags & FrameHeader.SEQ) == 0 ? 0 : 1_000,
        body);
  }

  private void frame(String name, Frame frame) {
    frame(name, frame.encoded(), 65_536);
  }

  private void frame(String name, byte[] bytes, int frameBytesMax) {
    ObjectNode line = line("frames.jsonl", name);
    line.put("hex", HexFormat.of().formatHex(bytes));
    if (frameBytesMax != 65_536) {
      line.put("max_frame", frameBytesMax);
    }
    var header = new FrameHeader();
    ByteBuf in = Unpooled.wrappedBuffer(bytes);
    Result result = FrameReader.read(in, frameBytesMax, header);
    if (result == Result.FRAME) {
      byte[] body = new byte[header.bodyBytes()];
      in.readBytes(body);
      line.set("decoded", BodyJson.frame(header, body));
    } else {
      line.put("error", result.name());
      if (result != Result.INCOMPLETE) {
        line.put("after", refusedAfter(bytes, frameBytesMax));
      }
    }
  }

  /// How many bytes it takes to refuse.
  static int refusedAfter(byte[] bytes, int frameBytesMax) {
    for (int length = 0; length <= bytes.length; length++) {
      Result result =
          FrameReader.read(
              Unpooled.wrappedBuffer(bytes, 0, length), frameBytesMax, new FrameHeader());
      if (result != Result.INCOMPLETE) {
        return length;
      }
    }
    throw new AssertionError("not refused");
  }

  // ---- bodies.jsonl
  // ------------------------------------------------------------------------------

  private void bodies() {
    for (FrameType type : FrameType.values()) {
      if (Prescan.clientBody(type) != null) {
        String name = type.name().toLowerCase(Locale.ROOT).replace('_', '-');
        body(name + "-with-everything", type, Samples.body(type));
        body(name + "-empty", type, NOTHING);
      }
    }
    for (Content content : Samples.contents()) {
      String kind = content.getKind().name().toLowerCase(Locale.ROOT).substring(5);
      Send send = Send.newBuilder().setCsn(18).setContent(content).build();
      body("send-" + kind, FrameType.SEND, send.toByteArray());
    }
    for (GroupEdit edit : Samples.groupEdits()) {
      String change = edit.getChangeCase().name().toLowerCase(Locale.ROOT).replace('_', '-');
      body("group-edit-" + change, FrameType.GROUP_EDIT, edit.toByteArray());
    }
    Wire text = wire().number(1, 1).bytes(2, hex("6869"));
    body(
        "unknown-fields-of-every-wire-type",
        FrameType.SEND,
        wire()
            .number(1, 1)
            .message(2, text)
            .number(90, -1)
            .tag(91, 1)
            .raw("0102030405060708")
            .bytes(92, hex("ff00"))
            .tag(93, 5)
            .raw("01020304")
            .bytes());
    body(
        "unknown-fields-inside-content",
        FrameType.SEND,
        wire().number(1, 1).message(2, wire().raw(text.bytes()).bytes(15, hex("0b0c"))).bytes());
    body(
        "unknown-kind",
        FrameType.SEND,
        wire().number(1, 1).message(2, wire().number(1, 99)).bytes());
    body(
        "negative-kind",
        FrameType.SEND,
        wire().number(1, 1).message(2, wire().number(1, -1)).bytes());
    body("fields-in-another-order", FrameType.SEND, wire().message(2, text).number(1, 1).bytes());
    body(
        "mentions-not-packed",
        FrameType.SEND,
        wire().number(1, 1).message(2, wire().number(4, 5).number(4, 6)).bytes());
    body(
        "mentions-packed-in-two-pieces",
        FrameType.SEND,
        wire().number(1, 1).message(2, wire().bytes(4, hex("05")).bytes(4, hex("06"))).bytes());
    body("varints-that-are-not-minimal", FrameType.SEND, hex("08 818000 12 8480808000 08011200"));
    body("csn-of-64-bits", FrameType.SEND, wire().number(1, -1).bytes());
    body("64-mentions", FrameType.SEND, wire().message(2, wire().bytes(4, new byte[64])).bytes());
    body("512-fields", FrameType.SEND, repeat(wire(), 512).bytes());

    body("value-cut-off", FrameType.SEND, hex("08"));
    body("varint-cut-off", FrameType.SEND, hex("0880"));
    body("varint-of-65-bits", FrameType.SEND, hex("08 ffffffffffffffffff02"));
    body("varint-of-11-bytes", FrameType.SEND, hex("08 8080808080808080808001"));
    body("tag-of-33-bits", FrameType.SEND, hex("8080808010 00"));
    body("field-number-0", FrameType.SEND, hex("0001"));
    body("length-over-the-end", FrameType.SEND, hex("1205"));
    body("length-over-the-end-of-content", FrameType.SEND, hex("1203 120568 3001"));
    body("length-of-64-bits", FrameType.SEND, hex("12 ffffffffffffffffff01"));
    body("fixed64-cut-off", FrameType.SEND, hex("d905 00000000"));
    body("fixed32-cut-off", FrameType.SEND, hex("dd05 0000"));
    body("wire-type-6", FrameType.SEND, hex("0e"));
    body("wire-type-7", FrameType.SEND, hex("0f"));
    body("group", FrameType.SEND, hex("db05 0801 dc05"));
    body("end-group", FrameType.SEND, hex("dc05"));
    body("group-inside-content", FrameType.SEND, hex("1204 db05 dc05"));
    body("depth-9-of-groups", FrameType.SEND, hex("db05".repeat(9) + "dc05".repeat(9)));
    body("csn-as-bytes", FrameType.SEND, hex("0a0101"));
    body("csn-as-fixed64", FrameType.SEND, hex("09 0100000000000000"));
    body("content-as-number", FrameType.SEND, hex("1001"));
    body("mentions-as-fixed32", FrameType.SEND, hex("1205 25 01000000"));
    body("csn-twice", FrameType.SEND, hex("0801 0801"));
    body("content-twice", FrameType.SEND, wire().message(2, text).message(2, text).bytes());
    body("body-twice", FrameType.SEND, hex("1206 120161 120162"));
    body("two-of-a-oneof", FrameType.GROUP_EDIT, hex("1005 1806"));
    body("device-of-33-bits", FrameType.HELLO, hex("20 8080808010"));
    body("app-not-utf8", FrameType.HELLO, hex("5a02 c328"));
    body("app-with-a-surrogate", FrameType.HELLO, hex("5a03 eda080"));
    body("app-of-65-bytes", FrameType.HELLO, wire().bytes(11, new byte[65]).bytes());
    body("65-mentions", FrameType.SEND, wire().message(2, wire().bytes(4, new byte[65])).bytes());
    body("101-users", FrameType.PRESENCE_SUB, wire().bytes(1, new byte[101]).bytes());
    body("17-settings", FrameType.SETTINGS, wire().raw("0a00".repeat(17)).bytes());
    body("101-added", FrameType.GROUP_EDIT, wire().message(2, users(101)).bytes());
    body("1025-members", FrameType.GROUP_CREATE, wire().bytes(2, new byte[1025]).bytes());
    body("title-of-257-bytes", FrameType.GROUP_EDIT, wire().bytes(6, new byte[257]).bytes());
    body("op-id-of-17-bytes", FrameType.GROUP_EDIT, wire().bytes(1, new byte[17]).bytes());
    body(
        "preview-of-4097-bytes",
        FrameType.SEND,
        wire().message(2, wire().message(9, wire().bytes(4, new byte[4094]))).bytes());
    body("513-fields", FrameType.SEND, repeat(wire(), 513).bytes());
    body(
        "513-fields-over-two-levels",
        FrameType.SEND,
        repeat(wire().message(2, repeat(wire(), 256)), 256).bytes());
    body("ping-of-64-bytes", FrameType.PING, new byte[64]);
    body("ping-of-65-bytes", FrameType.PING, new byte[65]);
    body("a-field-that-ack-does-not-have-yet", FrameType.ACK, hex("0801"));
    body("a-group-in-ack", FrameType.ACK, hex("0b0c"));
  }

  private static Wire users(int count) {
    return wire().bytes(1, new byte[count]);
  }

  private static Wire repeat(Wire wire, int times) {
    for (int i = 0; i < times; i++) {
      wire.number(15, 1);
    }
    return wire;
  }

  private void body(String name, FrameType type, byte[] body) {
    ObjectNode line = line("bodies.jsonl", name);
    line.put("type", type.name());
    line.put("hex", HexFormat.of().formatHex(body));
    Verdict verdict = Prescan.check(type, body, 0, body.length);
    if (verdict == Verdict.OK) {
      line.set("decoded", BodyJson.of(type, body));
    } else {
      line.put("error", verdict.name());
    }
  }

  // ---- events.jsonl
  // ------------------------------------------------------------------------------

  /// What stands in `Content.body` where the kind says that it is a message.
  private void events() {
    for (Content content : Samples.contents()) {
      switch (content.getKind()) {
        case KIND_CONTACT -> event("contact", content, ContactCard.getDescriptor());
        case KIND_LOCATION -> event("location", content, Location.getDescriptor());
        default -> {}
      }
    }
    for (GroupEvent event : Samples.groupEvents()) {
      String name = "group-" + event.getChangeCase().name().toLowerCase(Locale.ROOT);
      event(name.replace('_', '-'), Kind.KIND_GROUP, event);
    }
    for (Setting setting : Samples.settings().getSetList()) {
      String name = "setting-" + setting.getWhatCase().name().toLowerCase(Locale.ROOT);
      event(name, Kind.KIND_SETTING, Settings.newBuilder().addSet(setting).build());
    }
    event("registered", Kind.KIND_REGISTERED, Samples.registeredEvent());
  }

  private void event(String name, Content content, Descriptor body) {
    try {
      event(name, content.getKind(), DynamicMessage.parseFrom(body, content.getBody()));
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }

  private void event(String name, Kind kind, Message body) {
    ObjectNode line = line("events.jsonl", name);
    line.put("kind", kind.name());
    line.put("hex", HexFormat.of().formatHex(body.toByteArray()));
    line.set("decoded", BodyJson.of(body));
  }

  // ---- sessions.jsonl
  // ----------------------------------------------------------------------------

  private void sessions() {
    byte[] hello = new Frame(FrameType.HELLO, 0, 0, 0, 0, Samples.body(FrameType.HELLO)).encoded();
    byte[] send = sample(FrameType.SEND, 3, Samples.body(FrameType.SEND)).encoded();
    connection("preface-of-http", hex("474554202f20485454502f312e310d0a"));
    connection("preface-of-another-major", hex("54524e02"));
    connection("preface-alone", hex("54524e01"));
    connection("hello", hello(hello));
    connection("hello-and-send-in-one-flight", wire().raw(hello(hello)).raw(send).bytes());
    connection("send-before-hello", hello(send));
    connection("ping-before-hello", hello(hex("020400")));
    connection("hello-with-flags", hello(hex("03 01 01 05")));
    connection("hello-over-4-kib", hello(hex("8120 01 00")));
    connection("hello-that-does-not-parse", hello(hex("03 01 00 08")));
    connection(
        "hello-of-version-2-only",
        hello(
            hello(
                Hello.newBuilder()
                    .setVerMin(2)
                    .setVerMax(3)
                    .setDevice(1)
                    .setToken(Samples.utf8("t")))));
    connection(
        "hello-without-version",
        hello(hello(Hello.newBuilder().setDevice(1).setToken(Samples.utf8("t")))));
    connection(
        "hello-without-token",
        hello(hello(Hello.newBuilder().setVerMin(1).setVerMax(1).setDevice(1))));

    session("second-hello", hello);
    session("len-0", hex("00"));
    session("len-over-64-kib", hex("818004"));
    session("frame-of-the-server", hex("04 a0 05 05 07"));
    session("push-of-the-server", hex("02 e6 00"));
    session("unknown-request", hex("04 4f 01 05 ff"));
    session("unknown-request-without-rid", hex("02 4f 00"));
    session("unknown-session-type", hex("02 1f 00"));
    session("unknown-private-type", hex("02 f8 00"));
    session("unknown-type-to-ignore-then-ping", hex("03 60 00 ff 04 04 00 abcd"));
    session("unknown-type-to-ignore-with-rid", hex("03 7f 01 05"));
    session("ping", hex("04 04 00 abcd"));
    session("pong", hex("04 05 00 abcd"));
    session("ping-of-65-bytes", new Frame(FrameType.PING, 0, 0, 0, 0, new byte[65]).encoded());
    session(
        "title-of-257-bytes",
        sample(
                FrameType.GROUP_EDIT,
                FrameType.GROUP_EDIT.requiredFlags(),
                wire().bytes(6, new byte[257]).bytes())
            .encoded());
    session(
        "watch-of-101-users",
        sample(FrameType.PRESENCE_SUB, 1, wire().bytes(1, new byte[101]).bytes()).encoded());
    session("send-without-rid", new Frame(FrameType.SEND, 2, 0, Samples.BOB, 0, NOTHING).encoded());
    session("send-without-chat", new Frame(FrameType.SEND, 1, 5, 0, 0, NOTHING).encoded());
    session("send-with-seq", new Frame(FrameType.SEND, 7, 5, Samples.BOB, 1, NOTHING).encoded());
    session(
        "send-compressed",
        new Frame(FrameType.SEND, 3 | FrameHeader.ZSTD, 5, Samples.BOB, 0, NOTHING).encoded());
    session(
        "send-with-own",
        new Frame(FrameType.SEND, 3 | FrameHeader.OWN, 5, Samples.BOB, 0, NOTHING).encoded());
    session("chats-with-group-but-no-chat", hex("03 25 11 05"));
    session(
        "send-whose-body-does-not-parse",
        new Frame(FrameType.SEND, 3, 5, Samples.BOB, 0, hex("0801 0801")).encoded());
    session("send-to-chat-0", new Frame(FrameType.SEND, 3, 5, 0, 0, NOTHING).encoded());
    session(
        "send-to-an-id-of-49-bits",
        new Frame(FrameType.SEND, 3, 5, 1L << 48, 0, Samples.body(FrameType.SEND)).encoded());
    session(
        "history-whose-body-does-not-parse",
        new Frame(FrameType.HISTORY, 3, 5, Samples.BOB, 0, hex("0b")).encoded());
    session("ack-without-seq", new Frame(FrameType.ACK, 2, 0, Samples.BOB, 0, NOTHING).encoded());
    session("ack-of-seq-0", new Frame(FrameType.ACK, 6, 0, Samples.BOB, 0, NOTHING).encoded());
    session("ack-of-chat-0", new Frame(FrameType.ACK, 6, 0, 0, 1, NOTHING).encoded());
    session(
        "ack-with-a-field-of-the-future",
        new Frame(FrameType.ACK, 6, 0, Samples.BOB, 1, hex("0801")).encoded());
    session("client-state-whose-body-does-not-parse", hex("03 08 00 08"));
    session(
        "what-comes-behind-a-fatal-frame-is-not-read",
        wire().raw("02 a0 00").raw("04 04 00 abcd").bytes());
  }

  private static byte[] hello(byte[] frame) {
    return wire().raw("54524e01").raw(frame).bytes();
  }

  private static byte[] hello(Hello.Builder hello) {
    return new Frame(FrameType.HELLO, 0, 0, 0, 0, hello.build().toByteArray()).encoded();
  }

  private void connection(String name, byte[] bytes) {
    answers(name, "connection", bytes, Judge.onConnection(bytes));
  }

  private void session(String name, byte[] bytes) {
    answers(name, "session", bytes, Judge.onSession(bytes));
  }

  private void answers(String name, String state, byte[] bytes, List<Judge.Answer> answers) {
    ObjectNode line = line("sessions.jsonl", name);
    line.put("state", state);
    line.put("hex", HexFormat.of().formatHex(bytes));
    line.set("answers", json(answers));
  }

  static ArrayNode json(List<Judge.Answer> answers) {
    ArrayNode array = NODES.arrayNode();
    for (Judge.Answer answer : answers) {
      ObjectNode node = array.addObject();
      // A chain, because switching over record patterns came after Java 17.
      if (answer instanceof Judge.Answer.Refuse a) {
        node.put("refuse", a.code().number());
        if (a.other() != null) {
          node.put("or", a.other().number());
        }
        node.put("rid", a.rid());
      } else if (answer instanceof Judge.Answer.Close a) {
        node.put("close", a.code().number());
      } else if (answer instanceof Judge.Answer.Hangup) {
        node.put("hangup", true);
      } else if (answer instanceof Judge.Answer.LogIn) {
        node.put("login", true);
      } else if (answer instanceof Judge.Answer.Handle a) {
        node.put("handle", a.type());
      } else if (answer instanceof Judge.Answer.Ignore a) {
        node.put("ignore", a.type());
      } else if (answer instanceof Judge.Answer.Pong a) {
        node.put("pong", a.hex());
      }
    }
    return array;
  }

  // ---- conversation.jsonl
  // ------------------------------------------------------------------------

  private void conversation() {
    int step = 0;
    for (Conversation.Step each : Conversation.STEPS) {
      ObjectNode line = line("conversation.jsonl", each.name());
      line.put("step", ++step);
      line.put("from", each.from());
      line.put("to", each.to());
      line.put("hex", HexFormat.of().formatHex(each.bytes()));
      if (each.frame() != null) {
        var header = new FrameHeader();
        ByteBuf in = Unpooled.wrappedBuffer(each.bytes());
        FrameReader.read(in, Limits.FRAME_BYTES_MAX, header);
        byte[] body = new byte[header.bodyBytes()];
        in.readBytes(body);
        line.set("decoded", BodyJson.frame(header, body));
      }
    }
  }

  private ObjectNode line(String file, String name) {
    ObjectNode line = NODES.objectNode();
    line.put("name", name);
    List<ObjectNode> lines = files.computeIfAbsent(file, f -> new ArrayList<>());
    for (JsonNode other : lines) {
      if (other.get("name").asText().equals(name)) {
        throw new AssertionError("two vectors are called " + name);
      }
    }
    lines.add(line);
    return line;
  }

  /// Whether encoding the parsed body again gives the same bytes.
  static boolean isCanonical(FrameType type, byte[] body) {
    var descriptor = BodyJson.descriptor(type);
    try {
      return descriptor == null
          || java.util.Arrays.equals(
              DynamicMessage.parseFrom(descriptor, body).toByteArray(), body);
    } catch (InvalidProtocolBufferException e) {
      return false;
    }
  }
}
