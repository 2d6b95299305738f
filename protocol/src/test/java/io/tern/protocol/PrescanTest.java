package io.tern.protocol;

import static io.tern.protocol.Wire.hex;
import static io.tern.protocol.Wire.wire;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import com.google.protobuf.Value;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.protocol.Prescan.Verdict;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.PresenceSub;
import io.tern.protocol.v1.Send;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class PrescanTest {

  private static final byte[] TEXT = "hello".getBytes(StandardCharsets.UTF_8);

  @Test
  void acceptsWhatTheGeneratedEncoderWrites() {
    Send send =
        Send.newBuilder()
            .setCsn(-1)
            .setContent(
                Content.newBuilder()
                    .setKind(Kind.KIND_TEXT)
                    .setBody(ByteString.copyFrom(TEXT))
                    .setReplyTo(7)
                    .addMentions(1)
                    .addMentions(UserId.VALUE_MAX)
                    .setTtlS(-1)
                    .setForwarded(2))
            .build();
    assertThat(check(FrameType.SEND, send.toByteArray())).isEqualTo(Verdict.OK);
    Hello hello = Hello.newBuilder().setVerMin(1).setApp("Tern ツ 🐦/1").build();
    assertThat(check(FrameType.HELLO, hello.toByteArray())).isEqualTo(Verdict.OK);
  }

  @Test
  void acceptsAnEmptyBodyOfEveryClientFrame() {
    for (FrameType type : FrameType.values()) {
      if (Prescan.clientBody(type) != null) {
        assertThat(check(type, new byte[0])).as(type.name()).isEqualTo(Verdict.OK);
      }
    }
  }

  // TERN-11-2
  @Test
  void acceptsUnknownFieldsOfEveryWireType() {
    Wire unknown =
        wire()
            .number(100, -1)
            .tag(101, 1)
            .raw("0000000000000000")
            .bytes(102, hex("ff0080"))
            .tag(536_870_911, 5)
            .raw("00000000")
            .number(1, 3);
    assertThat(check(FrameType.SEND, unknown.bytes())).isEqualTo(Verdict.OK);
    assertThat(check(FrameType.ACK, unknown.bytes())).isEqualTo(Verdict.OK);
  }

  @Test
  void acceptsUnknownEnumValuesEvenNegativeOnes() {
    Wire content = wire().number(1, -5);
    assertThat(check(FrameType.SEND, wire().message(2, content).bytes())).isEqualTo(Verdict.OK);
  }

  @Test
  void acceptsVarintsThatAreNotMinimal() {
    // csn 1 in three bytes, content of length 0 in five.
    assertThat(check(FrameType.SEND, hex("08 818000 12 8080808000"))).isEqualTo(Verdict.OK);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "08", // no value
        "0880", // cut off inside a varint
        "08ffffffffffffffffff02", // 65 bits
        "0880808080808080808080808001", // 13 bytes
        "80808080808080808080 01", // tag of 11 bytes
        "8080808010 00", // tag of 33 bits
        "0001", // field number 0
        "0201ff", // field number 0
        "1205", // content longer than the body
        "120508011203", // the same, one level down
        "12ffffffffffffffffff01", // length of 2^64 - 1
        "12ffffffff07", // length of 2^31 - 1
        "31000000", // cut off inside a fixed64
        "35000000", // cut off inside a fixed32
        "3e", // wire type 6
        "3f", // wire type 7
        "12030a0508" // length over the end of the inner message only
      })
  void refusesWhatIsNotProtobuf(String body) {
    assertThat(check(FrameType.SEND, hex(body))).isEqualTo(Verdict.MALFORMED);
  }

  @ParameterizedTest
  @ValueSource(strings = {"0b0c", "330801 34", "1203fb0600", "0c"})
  void refusesGroupsKnownOrNot(String body) {
    assertThat(check(FrameType.SEND, hex(body))).isEqualTo(Verdict.GROUP);
  }

  @Test
  void refusesKnownFieldsOfAnotherWireType() {
    assertThat(check(FrameType.SEND, wire().bytes(1, TEXT).bytes()))
        .isEqualTo(Verdict.WRONG_WIRE_TYPE);
    assertThat(check(FrameType.SEND, wire().number(2, 1).bytes()))
        .isEqualTo(Verdict.WRONG_WIRE_TYPE);
    assertThat(check(FrameType.SEND, wire().tag(1, 1).raw("0000000000000000").bytes()))
        .isEqualTo(Verdict.WRONG_WIRE_TYPE);
    // mentions may be packed, but not a fixed32
    Wire content = wire().tag(4, 5).raw("00000000");
    assertThat(check(FrameType.SEND, wire().message(2, content).bytes()))
        .isEqualTo(Verdict.WRONG_WIRE_TYPE);
  }

  @Test
  void refusesASingularFieldThatComesTwice() {
    assertThat(check(FrameType.SEND, wire().number(1, 5).number(1, 5).bytes()))
        .isEqualTo(Verdict.DUPLICATE);
    Wire content = wire().bytes(2, TEXT);
    assertThat(check(FrameType.SEND, wire().message(2, content).message(2, content).bytes()))
        .isEqualTo(Verdict.DUPLICATE);
    Wire twice = wire().bytes(2, TEXT).bytes(2, TEXT);
    assertThat(check(FrameType.SEND, wire().message(2, twice).bytes()))
        .isEqualTo(Verdict.DUPLICATE);
  }

  @Test
  void refusesTwoFieldsOfOneOneof() {
    assertThat(check(FrameType.GROUP_EDIT, wire().number(3, 5).number(4, 1).bytes()))
        .isEqualTo(Verdict.DUPLICATE);
    GroupEdit one = GroupEdit.newBuilder().setOpId(ByteString.copyFrom(TEXT)).setRemove(5).build();
    assertThat(check(FrameType.GROUP_EDIT, one.toByteArray())).isEqualTo(Verdict.OK);
  }

  @Test
  void refusesMoreThan32BitsInA32BitField() {
    assertThat(check(FrameType.HELLO, wire().number(4, 0xFFFF_FFFFL).bytes()))
        .isEqualTo(Verdict.OK);
    assertThat(check(FrameType.HELLO, wire().number(4, 0x1_0000_0000L).bytes()))
        .isEqualTo(Verdict.OUT_OF_RANGE);
    assertThat(check(FrameType.HELLO, wire().number(4, -1).bytes()))
        .isEqualTo(Verdict.OUT_OF_RANGE);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"c080", "e08080", "eda080", "f4908080", "f8", "80", "e282", "61ff", "f09f90"})
  void refusesStringsThatAreNotUtf8(String text) {
    assertThat(check(FrameType.HELLO, wire().bytes(11, hex(text)).bytes()))
        .isEqualTo(Verdict.BAD_UTF8);
  }

  @Test
  void utf8AgreesWithTheJdkOnEveryCodePointAndOnEveryPairAndTriple() {
    for (int codePoint = 0; codePoint <= Character.MAX_CODE_POINT; codePoint++) {
      if (codePoint < Character.MIN_SURROGATE || codePoint > Character.MAX_SURROGATE) {
        byte[] bytes = new String(Character.toChars(codePoint)).getBytes(StandardCharsets.UTF_8);
        assertThat(Utf8.isValid(bytes, null, 0, bytes.length)).isTrue();
      }
    }
    var bytes = new byte[3];
    for (int i = 0; i < 1 << 24; i += 7) {
      bytes[0] = (byte) (i >> 16);
      bytes[1] = (byte) (i >> 8);
      bytes[2] = (byte) i;
      boolean valid =
          Arrays.equals(
              new String(bytes, StandardCharsets.UTF_8).getBytes(StandardCharsets.UTF_8), bytes);
      if (Utf8.isValid(bytes, null, 0, 3) != valid) {
        throw new AssertionError(Arrays.toString(bytes));
      }
    }
  }

  @Test
  void boundsFieldsOverAllLevels() {
    Wire most = wire();
    for (int i = 0; i < Limits.PROTO_FIELDS_MAX; i++) {
      most.number(99, 1);
    }
    assertThat(check(FrameType.SEND, most.bytes())).isEqualTo(Verdict.OK);
    assertThat(check(FrameType.SEND, most.number(99, 1).bytes()))
        .isEqualTo(Verdict.TOO_MANY_FIELDS);

    Wire half = wire();
    for (int i = 0; i < Limits.PROTO_FIELDS_MAX / 2; i++) {
      half.number(99, 1);
    }
    Wire both = wire().message(2, half).raw(half.bytes());
    assertThat(check(FrameType.SEND, both.bytes())).isEqualTo(Verdict.TOO_MANY_FIELDS);
  }

  @Test
  void boundsRepeatsPackedAndSingle() {
    Wire packed = wire();
    Wire single = wire();
    for (int i = 0; i < Limits.MENTIONS_MAX; i++) {
      packed.varint(1000 + i);
      single.number(4, 1000 + i);
    }
    Wire one = wire().number(4, 1);
    assertThat(send(wire().message(4, packed))).isEqualTo(Verdict.OK);
    assertThat(send(single)).isEqualTo(Verdict.OK);
    assertThat(send(wire().message(4, packed.varint(1)))).isEqualTo(Verdict.TOO_MANY_REPEATS);
    assertThat(send(single.number(4, 1))).isEqualTo(Verdict.TOO_MANY_REPEATS);
    assertThat(send(wire().message(4, wire().varint(1)).raw(one.bytes()))).isEqualTo(Verdict.OK);

    PresenceSub.Builder users = PresenceSub.newBuilder();
    for (int i = 0; i < Limits.PRESENCE_USERS_MAX; i++) {
      users.addUsers(i);
    }
    assertThat(check(FrameType.PRESENCE_SUB, users.build().toByteArray())).isEqualTo(Verdict.OK);
    assertThat(check(FrameType.PRESENCE_SUB, users.addUsers(1).build().toByteArray()))
        .isEqualTo(Verdict.TOO_MANY_REPEATS);
  }

  @Test
  void countsManyPackedElementsWithoutOverflow() {
    Wire packed = wire().bytes(4, new byte[200_000]);
    assertThat(send(packed)).isEqualTo(Verdict.TOO_MANY_REPEATS);
    assertThat(send(wire().number(4, 1).raw(packed.bytes()))).isEqualTo(Verdict.TOO_MANY_REPEATS);
  }

  @Test
  void boundsTheAppName() {
    assertThat(check(FrameType.HELLO, wire().bytes(11, new byte[64]).bytes()))
        .isEqualTo(Verdict.OK);
    assertThat(check(FrameType.HELLO, wire().bytes(11, new byte[65]).bytes()))
        .isEqualTo(Verdict.TOO_LONG);
  }

  @Test
  void looksIntoPingOnlyForItsLength() {
    assertThat(check(FrameType.PING, hex("0b0cff"))).isEqualTo(Verdict.OK);
    assertThat(check(FrameType.PING, new byte[Limits.PING_BYTES_MAX])).isEqualTo(Verdict.OK);
    assertThat(check(FrameType.PING, new byte[Limits.PING_BYTES_MAX + 1]))
        .isEqualTo(Verdict.TOO_LONG);
  }

  @Test
  void boundsDepth() {
    // google.protobuf.Value is a list of Values (field 6), whose elements are field 1.
    Prescan value =
        Prescan.of(
            Value.getDescriptor(),
            Map.of("google.protobuf.ListValue.values", 10, "google.protobuf.Struct.fields", 10),
            Map.of());
    Wire depth4 = wire().message(6, wire().message(1, wire().message(6, wire())));
    Wire depth5 =
        wire().message(6, wire().message(1, wire().message(6, wire().message(1, wire()))));
    assertThat(value.check(depth4.bytes())).isEqualTo(Verdict.OK);
    assertThat(value.check(depth5.bytes())).isEqualTo(Verdict.TOO_DEEP);

    Wire depth9 = wire();
    for (int i = 0; i < 4; i++) {
      depth9 = wire().message(6, wire().message(1, depth9));
    }
    assertThat(value.check(depth9.bytes())).isEqualTo(Verdict.TOO_DEEP);
  }

  @ParameterizedTest
  @EnumSource
  void everyClientBodyHasATableAndServerBodiesAreTheCallersMistake(FrameType type) {
    boolean opaque = type == FrameType.PING || type == FrameType.PONG;
    if (opaque || Prescan.clientBody(type) != null) {
      assertThat(check(type, new byte[0])).isEqualTo(Verdict.OK);
    } else {
      assertThatThrownBy(() -> check(type, new byte[0]))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void staysInsideTheRangeItWasGiven() {
    byte[] body = wire().number(1, 300).bytes();
    byte[] around = wire().raw("ffff").raw(body).raw("ffff").bytes();
    assertThat(Prescan.check(FrameType.SEND, around, 2, body.length)).isEqualTo(Verdict.OK);
    assertThat(Prescan.check(FrameType.SEND, around, 2, body.length - 1))
        .isEqualTo(Verdict.MALFORMED);
    assertThatThrownBy(() -> Prescan.check(FrameType.SEND, around, 2, around.length))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  private static Verdict send(Wire content) {
    return check(FrameType.SEND, wire().message(2, content).bytes());
  }

  /// Scans an array, a heap buffer and a direct one, which must agree.
  private static Verdict check(FrameType type, byte[] body) {
    Verdict verdict = Prescan.check(type, body, 0, body.length);
    for (ByteBuf buf : new ByteBuf[] {Unpooled.buffer(), Unpooled.directBuffer()}) {
      buf.writeByte(0xFF).writeBytes(body).writeByte(0xFF);
      assertThat(Prescan.check(type, buf, 1, body.length)).isEqualTo(verdict);
      buf.release();
    }
    return verdict;
  }
}
