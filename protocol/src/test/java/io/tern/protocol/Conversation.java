package io.tern.protocol;

import com.google.protobuf.ByteString;
import io.tern.protocol.Frames.Frame;
import io.tern.protocol.v1.*;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The worked example of the specification, and what a message costs on the wire.
final class Conversation {

  /// Bytes that one side writes; `frame` is null for the preface.
  record Step(String name, String from, String to, @Nullable Frame frame) {
    byte[] bytes() {
      return frame == null ? HexFormat.of().parseHex("54524e01") : frame.encoded();
    }
  }

  private static final String ALICE = "alice";
  private static final String BOB = "bob";
  private static final String SERVER = "server";
  private static final int PLACE = FrameHeader.CHAT | FrameHeader.SEQ;
  private static final byte[] EMPTY = {};

  private static final Content HI =
      Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(Samples.utf8("Hi Bob!")).build();

  static final List<Step> STEPS =
      List.of(
          new Step("preface", ALICE, SERVER, null),
          new Step("HELLO", ALICE, SERVER, frame(FrameType.HELLO, 0, 0, 0, 0, hello())),
          new Step(
              "SEND",
              ALICE,
              SERVER,
              frame(
                  FrameType.SEND,
                  FrameHeader.RID | FrameHeader.CHAT,
                  1,
                  Samples.BOB,
                  0,
                  Send.newBuilder().setCsn(1).setContent(HI).build().toByteArray())),
          new Step("HELLO_ACK", SERVER, ALICE, frame(FrameType.HELLO_ACK, 0, 0, 0, 0, helloAck())),
          new Step(
              "CATCH_UP_PAGE",
              SERVER,
              ALICE,
              frame(
                  FrameType.CATCH_UP_PAGE,
                  0,
                  0,
                  0,
                  0,
                  CatchUpPage.newBuilder().setDone(true).build().toByteArray())),
          new Step(
              "SENT",
              SERVER,
              ALICE,
              frame(
                  FrameType.SENT,
                  FrameHeader.RID | FrameHeader.SEQ,
                  1,
                  0,
                  1,
                  Sent.newBuilder().setTsMs(Samples.TS).build().toByteArray())),
          new Step(
              "DELIVER",
              SERVER,
              BOB,
              frame(
                  FrameType.DELIVER,
                  PLACE,
                  0,
                  Samples.ALICE,
                  1,
                  DeliverBody.encode(0, 1, Samples.TS, HI.toByteArray(), 0))),
          new Step("ACK", BOB, SERVER, frame(FrameType.ACK, PLACE, 0, Samples.ALICE, 1, EMPTY)),
          new Step(
              "RECEIPT delivered",
              SERVER,
              ALICE,
              frame(
                  FrameType.RECEIPT,
                  FrameHeader.CHAT,
                  0,
                  Samples.BOB,
                  0,
                  Receipt.newBuilder().setDelivered(1).build().toByteArray())),
          new Step("READ", BOB, SERVER, frame(FrameType.READ, PLACE, 0, Samples.ALICE, 1, EMPTY)),
          new Step(
              "RECEIPT read",
              SERVER,
              ALICE,
              frame(
                  FrameType.RECEIPT,
                  FrameHeader.CHAT,
                  0,
                  Samples.BOB,
                  0,
                  Receipt.newBuilder().setDelivered(1).setRead(1).build().toByteArray())));

  private Conversation() {}

  private static Frame frame(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {
    return new Frame(type, flags, rid, chat, seq, body);
  }

  private static byte[] hello() {
    return Hello.newBuilder()
        .setVerMin(1)
        .setVerMax(1)
        .setDevice(1)
        .setToken(Samples.utf8("token-of-alice"))
        .setState(ClientActivity.CLIENT_ACTIVITY_ACTIVE)
        .setReason(ConnectReason.CONNECT_REASON_START)
        .setPingS(240)
        .build()
        .toByteArray();
  }

  private static byte[] helloAck() {
    return HelloAck.newBuilder()
        .setVer(1)
        .setSession(7)
        .setEpoch(1)
        .setNowMs(Samples.TS)
        .setResume(Samples.utf8("sealed"))
        .setResumeTtlS(604_800)
        .setLimits(
            SessionLimits.newBuilder()
                .setMaxFrame(65_536)
                .setBodyBytes(16_384)
                .setInFlight(32)
                .setSendsPerS(10)
                .setSendsBurst(40)
                .setWindow(256)
                .setWindowBytes(262_144))
        .setBackoff(Backoff.newBuilder().setBaseMs(500).setCapMs(120_000))
        .setPingS(240)
        .setIdleS(370)
        .setUser(Samples.ALICE)
        .setDevice(1)
        .build()
        .toByteArray();
  }

  // ---- cost
  // --------------------------------------------------------------------------------------

  /// One row of the cost table.
  record Cost(String frame, int bytes) {}

  /// All frames of one 100-byte text in a chat that has been going on: ids of 48 bits, the 300th
  /// request of the connection, the 250th send, the 1,000th entry. Receipts carry both watermarks.
  static List<Cost> cost() {
    int rid = 300;
    long csn = 250;
    long seq = 1_000;
    Content text =
        Content.newBuilder()
            .setKind(Kind.KIND_TEXT)
            .setBody(ByteString.copyFrom(new byte[100]))
            .build();
    byte[] send = Send.newBuilder().setCsn(csn).setContent(text).build().toByteArray();
    byte[] sent = Sent.newBuilder().setTsMs(Samples.TS).build().toByteArray();
    byte[] deliver = DeliverBody.encode(0, 1, Samples.TS, text.toByteArray(), 0);
    byte[] delivered =
        Receipt.newBuilder().setDelivered(seq).setRead(seq - 1).build().toByteArray();
    byte[] read = Receipt.newBuilder().setDelivered(seq).setRead(seq).build().toByteArray();
    int request = FrameHeader.RID | FrameHeader.CHAT;
    return List.of(
        cost("SEND", frame(FrameType.SEND, request, rid, Samples.BOB, 0, send)),
        cost("SENT", frame(FrameType.SENT, FrameHeader.RID | FrameHeader.SEQ, rid, 0, seq, sent)),
        cost("DELIVER", frame(FrameType.DELIVER, PLACE, 0, Samples.ALICE, seq, deliver)),
        cost("ACK", frame(FrameType.ACK, PLACE, 0, Samples.ALICE, seq, EMPTY)),
        cost(
            "RECEIPT delivered",
            frame(FrameType.RECEIPT, FrameHeader.CHAT, 0, Samples.BOB, 0, delivered)),
        cost("READ", frame(FrameType.READ, PLACE, 0, Samples.ALICE, seq, EMPTY)),
        cost("RECEIPT read", frame(FrameType.RECEIPT, FrameHeader.CHAT, 0, Samples.BOB, 0, read)));
  }

  private static Cost cost(String name, Frame frame) {
    return new Cost(name, frame.encoded().length);
  }
}
