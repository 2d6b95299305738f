package io.tern.bench.micro;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.tern.protocol.DeliverBody;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.Limits;
import io.tern.protocol.Prescan;
import io.tern.protocol.SendBody;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// Frames and bodies of a 100-byte text. The goal is a header in less than 100 ns without
/// allocation (`-prof gc`); protobuf's own parser and encoder are here for comparison.
@State(Scope.Thread)
@Fork(2)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class CodecBenchmark {

  private static final long CHAT = 0x0000_9E37_79B9_7F4AL;
  private static final long TS_MILLIS = 1_790_000_000_000L;

  private final byte[] content =
      Content.newBuilder()
          .setKind(Kind.KIND_TEXT)
          .setBody(ByteString.copyFromUtf8("x".repeat(100)))
          .build()
          .toByteArray();
  private final byte[] sendBody = sendBody(content);
  private final ByteBuf sendFrame = sendFrame(sendBody);
  private final ByteBuf out = PooledByteBufAllocator.DEFAULT.directBuffer(1024);
  private final FrameHeader header = new FrameHeader();
  private final SendBody parts = new SendBody();

  private static byte[] sendBody(byte[] content) {
    try {
      return Send.newBuilder()
          .setCsn(12_345)
          .setContent(Content.parseFrom(content))
          .build()
          .toByteArray();
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException(e);
    }
  }

  private static ByteBuf sendFrame(byte[] body) {
    ByteBuf frame = PooledByteBufAllocator.DEFAULT.directBuffer(256);
    FrameWriter.write(
        frame, FrameType.SEND, FrameHeader.RID | FrameHeader.CHAT, 12_345, CHAT, 0, body);
    return frame;
  }

  @TearDown
  public void release() {
    sendFrame.release();
    out.release();
  }

  @Benchmark
  public FrameReader.Result readHeader() {
    sendFrame.readerIndex(0);
    return FrameReader.read(sendFrame, Limits.FRAME_BYTES_MAX, header);
  }

  /// A frame without a body.
  @Benchmark
  public ByteBuf writeHeader() {
    out.clear();
    FrameWriter.write(
        out,
        FrameType.ACK,
        FrameHeader.RID | FrameHeader.CHAT | FrameHeader.SEQ,
        12_345,
        CHAT,
        123_456);
    return out;
  }

  @Benchmark
  public ByteBuf writeFrame() {
    out.clear();
    FrameWriter.write(
        out, FrameType.SEND, FrameHeader.RID | FrameHeader.CHAT, 12_345, CHAT, 0, sendBody);
    return out;
  }

  @Benchmark
  public Prescan.Verdict prescan() {
    return Prescan.check(FrameType.SEND, sendBody, 0, sendBody.length);
  }

  /// Pre-scan, then where the parts are.
  @Benchmark
  public long readSend() {
    parts.read(sendBody, 0, sendBody.length);
    return parts.csn();
  }

  @Benchmark
  public Send readSendByProtobuf() throws InvalidProtocolBufferException {
    return Send.parseFrom(sendBody);
  }

  @Benchmark
  public byte[] encodeDeliver() {
    return DeliverBody.encode(0, 1, TS_MILLIS, content, 0);
  }

  @Benchmark
  public byte[] encodeDeliverByProtobuf() throws InvalidProtocolBufferException {
    return Deliver.newBuilder()
        .setDevice(1)
        .setTsMs(TS_MILLIS)
        .setContent(Content.parseFrom(content))
        .build()
        .toByteArray();
  }
}
