package io.tern.protocol;

import static io.tern.protocol.Wire.hex;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.protocol.FrameReader.Result;
import io.tern.protocol.Frames.Frame;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class FrameCodecTest {

  private final FrameHeader header = new FrameHeader();

  // TERN-3-1
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
  void readsBackWhatWasWritten(long seed) {
    var random = new Random(seed);
    for (int i = 0; i < 5_000; i++) {
      Frame frame = Frames.random(random, i % 100 == 0 ? 60_000 : 200);
      byte[] bytes = frame.encoded();
      assertThat(bytes)
          .hasSize(
              FrameWriter.frameBytes(
                  frame.flags(), frame.rid(), frame.chat(), frame.seq(), frame.body().length));
      ByteBuf in = Unpooled.wrappedBuffer(bytes);
      assertThat(Frames.read(in, Limits.FRAME_BYTES_MAX, header))
          .as("seed %d", seed)
          .isEqualTo(frame);
      assertThat(in.readableBytes()).isZero();
    }
  }

  // TERN-3-2
  @Test
  void everySplitOfAFrameReadsTheSame() {
    long seed = 11;
    var random = new Random(seed);
    for (int i = 0; i < 300; i++) {
      Frame frame = Frames.random(random, 150);
      byte[] bytes = frame.encoded();
      for (int split = 0; split < bytes.length; split++) {
        ByteBuf in = Unpooled.buffer().writeBytes(bytes, 0, split);
        assertThat(FrameReader.read(in, Limits.FRAME_BYTES_MAX, header))
            .as("seed %d, frame %d, split %d", seed, i, split)
            .isEqualTo(Result.INCOMPLETE);
        assertThat(in.readerIndex()).isZero();
        in.writeBytes(bytes, split, bytes.length - split);
        assertThat(Frames.read(in, Limits.FRAME_BYTES_MAX, header)).isEqualTo(frame);
        in.release();
      }
    }
  }

  // TERN-3-2
  @Test
  void aThousandFramesInOneWriteAndByteByByteReadTheSame() {
    var random = new Random(12);
    List<Frame> frames = new ArrayList<>();
    ByteBuf all = Unpooled.buffer();
    for (int i = 0; i < 1_000; i++) {
      Frame frame = Frames.random(random, 120);
      frames.add(frame);
      all.writeBytes(frame.encoded());
    }
    byte[] bytes = Frames.drain(all);

    ByteBuf atOnce = Unpooled.wrappedBuffer(bytes);
    for (Frame frame : frames) {
      assertThat(Frames.read(atOnce, Limits.FRAME_BYTES_MAX, header)).isEqualTo(frame);
    }
    assertThat(FrameReader.read(atOnce, Limits.FRAME_BYTES_MAX, header))
        .isEqualTo(Result.INCOMPLETE);

    List<Frame> trickled = new ArrayList<>();
    ByteBuf in = Unpooled.buffer();
    for (byte b : bytes) {
      in.writeByte(b);
      Result result = FrameReader.read(in, Limits.FRAME_BYTES_MAX, header);
      if (result == Result.FRAME) {
        byte[] body = new byte[header.bodyBytes()];
        in.readBytes(body);
        trickled.add(
            new Frame(
                frames.get(trickled.size()).type(),
                header.flags(),
                header.rid(),
                header.chat(),
                header.seq(),
                body));
        in.discardReadBytes();
      } else {
        assertThat(result).isEqualTo(Result.INCOMPLETE);
      }
    }
    assertThat(trickled).isEqualTo(frames);
  }

  // TERN-3-3 LEN, TERN-3-4 minimal varints, TERN-3-5 reserved flags, TERN-3-6 header inside LEN
  @ParameterizedTest
  @CsvSource({
    "00, LEN 0",
    "01, LEN 1",
    "0104, LEN 1 with its byte",
    "8000, LEN 0 in two bytes",
    "828000, LEN 2 in three bytes",
    "8200, LEN 2 in two bytes",
    "808080, LEN that goes on in a fourth byte",
    "ffffff, LEN that goes on in a fourth byte",
    "020440, reserved flag 40",
    "020480, reserved flag 80",
    "0204ff, all flags",
    "022001, RID outside LEN",
    "03200180, RID cut off by LEN",
    "0420018100, RID not minimal",
    "072001808080808010, RID of 33 bits",
    "0720018080808080, RID of six bytes",
    "020703, CHAT outside LEN",
    "03070201, fine",
    "0407028100, CHAT not minimal",
    "0c0702ffffffffffffffffff02, CHAT of 65 bits",
    "0d070280808080808080808080, CHAT of eleven bytes",
    "0407048000, SEQ not minimal",
    "0d070480808080808080808080, SEQ of eleven bytes",
    "03070280, CHAT cut off by LEN"
  })
  void refusesMalformedHeaders(String bytes, String why) {
    Result expected = why.equals("fine") ? Result.FRAME : Result.MALFORMED;
    ByteBuf in = Unpooled.wrappedBuffer(hex(bytes));
    assertThat(FrameReader.read(in, Limits.FRAME_BYTES_MAX, header)).as(why).isEqualTo(expected);
  }

  // TERN-3-7
  @Test
  void refusesAFrameOverTheLimitBeforeItsBodyArrives() {
    ByteBuf len = Unpooled.buffer();
    Varint.write(len, 4097);
    assertThat(FrameReader.read(len, 4096, header)).isEqualTo(Result.TOO_LARGE);
    ByteBuf exactly = Unpooled.buffer();
    Varint.write(exactly, 4096);
    assertThat(FrameReader.read(exactly, 4096, header)).isEqualTo(Result.INCOMPLETE);
    assertThat(FrameReader.read(Unpooled.wrappedBuffer(hex("ffff7f")), 1 << 18, header))
        .isEqualTo(Result.TOO_LARGE);
  }

  // TERN-3-7
  @Test
  void refusesEachMalformedHeaderAtItsFirstWrongByte() {
    // LEN says 1,000 bytes follow; the fault shows in the header.
    assertThat(FrameReader.read(Unpooled.wrappedBuffer(hex("e807 20 80")), 4096, header))
        .isEqualTo(Result.MALFORMED);
    assertThat(FrameReader.read(Unpooled.wrappedBuffer(hex("e807 20 01 8100")), 4096, header))
        .isEqualTo(Result.MALFORMED);
    assertThat(FrameReader.read(Unpooled.wrappedBuffer(hex("e807 20 03 05 8100")), 4096, header))
        .isEqualTo(Result.MALFORMED);
    assertThat(FrameReader.read(Unpooled.wrappedBuffer(hex("e807 20 01 8080808010")), 4096, header))
        .isEqualTo(Result.MALFORMED);
  }

  @Test
  void writesMinimalVarintsAtEveryLength() {
    for (int bits = 0; bits <= 64; bits++) {
      long value = bits == 0 ? 0 : -1L >>> (64 - bits);
      byte[] frame = new Frame(FrameType.ACK, FrameHeader.CHAT, 0, value, 0, new byte[0]).encoded();
      int bytes = Math.max(1, (bits + 6) / 7);
      assertThat(frame).hasSize(3 + bytes);
      assertThat(Frames.read(Unpooled.wrappedBuffer(frame), 64, header).chat()).isEqualTo(value);
    }
  }

  @Test
  void partsThatAreAbsentReadAsZeroAfterAFrameThatHadThem() {
    Frame full = new Frame(FrameType.ENTRY_INFO, 7, 1, 2, 3, new byte[4]);
    Frames.read(Unpooled.wrappedBuffer(full.encoded()), 64, header);
    Frame bare = new Frame(FrameType.PING, 0, 0, 0, 0, new byte[0]);
    assertThat(Frames.read(Unpooled.wrappedBuffer(bare.encoded()), 64, header)).isEqualTo(bare);
  }

  @Test
  void readingAHeaderAllocatesNothing() {
    var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    // Wrapped, because a buffer that is watched for leaks allocates at each access.
    ByteBuf in = Unpooled.wrappedBuffer(ByteBuffer.allocateDirect(20_000)).clear();
    var body = new byte[100];
    for (int i = 0; i < 100; i++) {
      FrameWriter.write(
          in, FrameType.SEND, FrameHeader.RID | FrameHeader.CHAT, i, UserId.VALUE_MAX - i, 0, body);
    }
    var parts = new SendBody();
    byte[] send = {0x08, 0x05, 0x12, 0x05, 0x08, 0x01, 0x12, 0x01, 'x'};
    ByteBuf sendBuf =
        Unpooled.wrappedBuffer(ByteBuffer.allocateDirect(100)).clear().writeBytes(send);
    long sum = 0;
    long allocated = Long.MAX_VALUE;
    // The first rounds load classes and compile.
    for (int round = 0; round < 20 && allocated != 0; round++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < 1_000; i++) {
        in.readerIndex(0);
        for (int frame = 0; frame < 100; frame++) {
          if (FrameReader.read(in, Limits.FRAME_BYTES_MAX, header) != Result.FRAME) {
            throw new AssertionError();
          }
          in.skipBytes(header.bodyBytes());
          sum += header.chat();
        }
        parts.read(send, 0, send.length);
        sum += parts.csn();
        Prescan.check(FrameType.SEND, sendBuf, 0, send.length);
      }
      allocated = threads.getCurrentThreadAllocatedBytes() - before;
    }
    assertThat(sum).isNotZero();
    assertThat(allocated)
        .as("bytes for 100,000 headers, 1,000 SEND bodies and 1,000 scans")
        .isZero();
  }

  // TERN-3-8
  @ParameterizedTest
  @EnumSource
  void aTypeAcceptsItsOwnFlagsAndNoOthers(FrameType type) {
    assertThat(type.requiredFlags() & type.optionalFlags()).isZero();
    for (int flags = 0; flags < 256; flags++) {
      boolean hasAll = (flags & type.requiredFlags()) == type.requiredFlags();
      boolean hasOther = (flags & ~type.requiredFlags() & ~type.optionalFlags()) != 0;
      boolean groupOfNothing = (flags & FrameHeader.GROUP) != 0 && (flags & FrameHeader.CHAT) == 0;
      assertThat(type.acceptsFlags(flags)).isEqualTo(hasAll && !hasOther && !groupOfNothing);
    }
    assertThat(FrameType.of(type.code())).isSameAs(type);
  }

  // TERN-3-9
  @Test
  void rangesSayWhatToDoWithTypesThatAreNotKnown() {
    assertThat(FrameType.isIgnorable(0x60)).isTrue();
    assertThat(FrameType.isIgnorable(0x7F)).isTrue();
    assertThat(FrameType.isIgnorable(0xF0)).isTrue();
    assertThat(FrameType.isIgnorable(0xF7)).isTrue();
    assertThat(FrameType.isIgnorable(0x5F)).isFalse();
    assertThat(FrameType.isIgnorable(0x80)).isFalse();
    assertThat(FrameType.isIgnorable(0xEF)).isFalse();
    assertThat(FrameType.isIgnorable(0xF8)).isFalse();
    for (FrameType type : FrameType.values()) {
      int code = type.code();
      assertThat(FrameType.isIgnorable(code)).isFalse();
      if (code >= 0xA0 && code < 0xE0) {
        FrameType request = Objects.requireNonNull(FrameType.of(code - 0x80), type.name());
        assertThat(FrameType.isRequest(request.code())).isTrue();
        assertThat(FrameType.replyOf(request.code())).isEqualTo(code);
        assertThat(request.requiredFlags() & FrameHeader.RID).isNotZero();
      }
      if (FrameType.isRequest(code) && (type.requiredFlags() & FrameHeader.RID) != 0) {
        assertThat(FrameType.of(FrameType.replyOf(code))).as(type.name()).isNotNull();
      }
    }
  }
}
