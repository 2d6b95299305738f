package io.tern.protocol;

import static io.tern.protocol.Wire.wire;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.protocol.Prescan.Verdict;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.LinkPreview;
import io.tern.protocol.v1.Send;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// [SendBody] and [DeliverBody] against the generated classes.
class BodiesTest {

  @Test
  void sendBodyFindsThePartsThatTheGeneratedParserFinds() throws Exception {
    long seed = 0x5E4D;
    var random = new Random(seed);
    var parts = new SendBody();
    for (int i = 0; i < 20_000; i++) {
      Send send = randomSend(random);
      byte[] body = send.toByteArray();
      int offset = random.nextInt(5);
      byte[] bytes = new byte[offset + body.length + random.nextInt(5)];
      random.nextBytes(bytes);
      System.arraycopy(body, 0, bytes, offset, body.length);

      assertThat(parts.read(bytes, offset, body.length))
          .as("seed %d, %d", seed, i)
          .isEqualTo(Verdict.OK);
      assertThat(parts.csn()).isEqualTo(send.getCsn());
      assertThat(parts.hasContent()).isEqualTo(send.hasContent());
      assertThat(parts.kind()).isEqualTo(send.getContent().getKindValue());
      assertThat(parts.replyTo()).isEqualTo(send.getContent().getReplyTo());
      assertThat(parts.target()).isEqualTo(send.getContent().getTarget());
      assertThat(parts.isViewOnce()).isEqualTo(send.getContent().getViewOnce());
      assertThat(parts.previewBytes())
          .isEqualTo(
              send.getContent().hasPreview()
                  ? send.getContent().getPreview().getSerializedSize()
                  : 0);
      assertThat(parts.ttlSeconds()).isEqualTo(send.getContent().getTtlS() & 0xFFFF_FFFFL);
      byte[] content =
          Arrays.copyOfRange(
              bytes, parts.contentOffset(), parts.contentOffset() + parts.contentBytes());
      assertThat(Content.parseFrom(content)).isEqualTo(send.getContent());
      assertThat(ByteString.copyFrom(bytes, parts.bodyOffset(), parts.bodyBytes()))
          .isEqualTo(send.getContent().getBody());
    }
  }

  @Test
  void sendBodyForgetsTheOneBefore() {
    var parts = new SendBody();
    byte[] full = randomSend(new Random(1)).toBuilder().setCsn(9).build().toByteArray();
    parts.read(full, 0, full.length);
    parts.read(new byte[0], 0, 0);

    assertThat(parts.csn()).isZero();
    assertThat(parts.hasContent()).isFalse();
    assertThat(parts.contentBytes()).isZero();
    assertThat(parts.bodyBytes()).isZero();
    assertThat(parts.ttlSeconds()).isZero();
  }

  @Test
  void sendBodyRefusesWhatThePrescanRefuses() {
    byte[] twice = wire().number(1, 1).number(1, 1).bytes();
    assertThat(new SendBody().read(twice, 0, twice.length)).isEqualTo(Verdict.DUPLICATE);
  }

  @Test
  void deliverBodyWritesWhatTheGeneratedEncoderWrites() throws Exception {
    long seed = 0xDE11;
    var random = new Random(seed);
    for (int i = 0; i < 5_000; i++) {
      Content content = randomSend(random).getContent();
      Deliver deliver =
          Deliver.newBuilder()
              .setSender(number(random))
              .setDevice((int) number(random))
              .setTsMs(number(random))
              .setContent(content)
              .setCsn(number(random))
              .build();
      byte[] body =
          DeliverBody.encode(
              deliver.getSender(),
              deliver.getDevice(),
              deliver.getTsMs(),
              content.toByteArray(),
              deliver.getCsn());

      assertThat(body).as("seed %d, %d", seed, i).isEqualTo(deliver.toByteArray());

      ByteBuf out = Unpooled.directBuffer(0);
      DeliverBody.write(
          out,
          deliver.getSender(),
          deliver.getDevice(),
          deliver.getTsMs(),
          content.toByteArray(),
          deliver.getCsn());
      byte[] written = new byte[out.readableBytes()];
      out.readBytes(written);
      out.release();
      assertThat(written).isEqualTo(body);

      long edited = number(random);
      assertThat(
              DeliverBody.encode(
                  deliver.getSender(),
                  deliver.getDevice(),
                  deliver.getTsMs(),
                  content.toByteArray(),
                  deliver.getCsn(),
                  edited))
          .isEqualTo(deliver.toBuilder().setEditedMs(edited).build().toByteArray());
    }
  }

  @Test
  void deliverBodyForOwnDevicesStartsWithTheBodyForOthers() {
    byte[] content = randomSend(new Random(2)).getContent().toByteArray();
    byte[] others = DeliverBody.encode(0, 3, 1_700_000_000_000L, content, 0);
    byte[] own = DeliverBody.encode(0, 3, 1_700_000_000_000L, content, 77);

    assertThat(Arrays.copyOf(own, others.length)).isEqualTo(others);
    assertThat(Arrays.copyOfRange(own, others.length, own.length))
        .isEqualTo(wire().number(5, 77).bytes());
  }

  private static Send randomSend(Random random) {
    Send.Builder send = Send.newBuilder().setCsn(number(random));
    if (random.nextInt(10) > 0) {
      byte[] body = new byte[random.nextInt(random.nextBoolean() ? 10 : 300)];
      random.nextBytes(body);
      Content.Builder content =
          send.getContentBuilder()
              .setKind(random.nextBoolean() ? Kind.KIND_TEXT : Kind.KIND_BINARY)
              .setBody(ByteString.copyFrom(body))
              .setReplyTo(number(random))
              .setTtlS((int) number(random))
              .setForwarded((int) number(random))
              .setTarget(number(random))
              .setViewOnce(random.nextBoolean());
      for (int i = random.nextInt(4); i > 0; i--) {
        content.addMentions(number(random));
      }
      if (random.nextInt(3) == 0) {
        byte[] thumbnail = new byte[random.nextInt(200)];
        content.setPreview(
            LinkPreview.newBuilder()
                .setUrl("https://tern.example")
                .setThumbnail(ByteString.copyFrom(thumbnail)));
      }
      if (random.nextInt(5) == 0) {
        byte[] unknown =
            wire().bytes(50, "?".getBytes(StandardCharsets.UTF_8)).number(51, 1).bytes();
        try {
          content.mergeFrom(unknown);
        } catch (com.google.protobuf.InvalidProtocolBufferException e) {
          throw new AssertionError(e);
        }
      }
    }
    return send.build();
  }

  /// Numbers of every length in bits, 0 among them.
  private static long number(Random random) {
    return random.nextLong() >>> random.nextInt(65) % 64 & (random.nextInt(4) == 0 ? 0 : -1);
  }
}
