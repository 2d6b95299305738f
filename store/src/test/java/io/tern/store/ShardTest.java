package io.tern.store;

import static io.tern.store.ShardNode.ALICE;
import static io.tern.store.ShardNode.ALICE_1;
import static io.tern.store.ShardNode.ALICE_2;
import static io.tern.store.ShardNode.BOB;
import static io.tern.store.ShardNode.BOB_1;
import static io.tern.store.ShardNode.CHAT;
import static io.tern.store.ShardNode.EVE_1;
import static io.tern.store.ShardNode.body;
import static io.tern.store.ShardNode.contentOf;
import static io.tern.store.ShardNode.refused;
import static io.tern.store.ShardNode.sent;
import static io.tern.store.ShardNode.text;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.LinkPreview;
import io.tern.protocol.v1.Send;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Sends: seqs, csns, refusals.
class ShardTest {

  private final ShardNode node = new ShardNode();

  @Test
  void sendsGetSeqsWithoutHoles() {
    assertThat(sent(node.send(ALICE_1, 1, "one")).entry().seq()).isEqualTo(1);
    assertThat(sent(node.send(BOB_1, 1, "two")).entry().seq()).isEqualTo(2);
    Outcome.Sent third = sent(node.send(ALICE_1, 2, "three"));

    assertThat(third.entry().seq()).isEqualTo(3);
    assertThat(third.entry().csn()).isEqualTo(2);
    assertThat(third.entry().sender()).isEqualTo(ALICE_1);
    assertThat(third.entry().tsMillis()).isEqualTo(node.now);
    assertThat(third.entry().ordinal()).isEqualTo(3);
    assertThat(third.repeat()).isFalse();
    assertThat(third.members()).containsExactly(ALICE, BOB);
    assertThat(node.texts()).containsExactly("one", "two", "three");
  }

  @Test
  void contentIsKeptByteForByte() {
    // An unknown field, and fields out of order: another encoder's work.
    byte[] content =
        ByteString.copyFrom(new byte[] {0x12, 2, 'h', 'i', 0x08, 1, (byte) 0xF8, 0x3F, 7})
            .toByteArray();
    byte[] send =
        Send.newBuilder()
            .setCsn(1)
            .build()
            .toByteString()
            .concat(ByteString.copyFrom(new byte[] {0x12, (byte) content.length}))
            .concat(ByteString.copyFrom(content))
            .toByteArray();

    Outcome.Sent sent = sent(node.run(new Command.Send(ALICE_1, CHAT, send)));

    assertThat(sent.entry().content()).isEqualTo(content);
    assertThat(node.entries().getFirst().content()).isEqualTo(content);
  }

  @Test
  void eachDeviceCountsItsOwnSends() {
    node.send(ALICE_1, 1, "phone");
    node.send(ALICE_2, 1, "laptop");
    node.send(ALICE_1, 2, "phone again");

    assertThat(node.texts()).containsExactly("phone", "laptop", "phone again");
  }

  @Test
  void aSelfChatHasOneMember() {
    ChatId notes = ChatId.direct(ALICE, ALICE);

    Outcome.Sent sent = sent(node.send(ALICE_1, notes, 1, "note"));

    assertThat(sent.members()).containsExactly(ALICE);
  }

  @Test
  void timeNeverGoesBackInAChat() {
    long first = sent(node.send(ALICE_1, 1, "one")).entry().tsMillis();
    node.now -= 60_000;
    assertThat(sent(node.send(BOB_1, 1, "two")).entry().tsMillis()).isEqualTo(first);

    node.restart();

    assertThat(sent(node.send(BOB_1, 2, "three")).entry().tsMillis()).isEqualTo(first);
  }

  // ---- csn
  // ---------------------------------------------------------------------------------------

  @Test
  void aRepeatGetsTheFirstAnswerAgain() {
    Entry first = sent(node.send(ALICE_1, 1, "one")).entry();
    node.send(BOB_1, 1, "two");
    node.now += 5000;

    Outcome.Sent again = sent(node.send(ALICE_1, 1, "one"));

    assertThat(again.repeat()).isTrue();
    assertThat(again.entry()).usingRecursiveComparison().isEqualTo(first);
    assertThat(node.texts()).containsExactly("one", "two");
  }

  @Test
  void aRepeatInTheSameBatchGetsTheFirstAnswer() {
    Entry first = sent(node.prepareSend(ALICE_1, 1, "one")).entry();
    node.prepareSend(ALICE_1, 2, "two");
    Outcome.Sent again = sent(node.prepareSend(ALICE_1, 1, "one"));
    node.shard.commit();

    assertThat(again.repeat()).isTrue();
    assertThat(again.entry()).usingRecursiveComparison().isEqualTo(first);
    assertThat(node.texts()).containsExactly("one", "two");
  }

  @Test
  void aRepeatIsKnownAfterARestart() {
    Entry first = sent(node.send(ALICE_1, 1, "one")).entry();
    node.send(ALICE_1, 2, "two");

    node.restart();

    Outcome.Sent again = sent(node.send(ALICE_1, 1, "one"));
    assertThat(again.repeat()).isTrue();
    assertThat(again.entry()).usingRecursiveComparison().isEqualTo(first);
    assertThat(sent(node.send(ALICE_1, 3, "three")).repeat()).isFalse();
  }

  @Test
  void aRepeatIsFoundBetweenManyEntriesOfOthers() {
    node.send(ALICE_1, 1, "one");
    for (int csn = 1; csn <= 1000; csn++) {
      node.prepareSend(BOB_1, csn, "filler " + csn);
    }
    node.shard.commit();
    node.send(ALICE_1, 2, "two");
    node.restart();

    assertThat(sent(node.send(ALICE_1, 1, "one")).entry().seq()).isEqualTo(1);
    assertThat(sent(node.send(ALICE_1, 2, "two")).entry().seq()).isEqualTo(1002);
  }

  @Test
  void everySendThatCanBeInFlightMayBeRepeated() {
    for (int csn = 1; csn <= Limits.SENDS_IN_FLIGHT_MAX + 1; csn++) {
      node.prepareSend(ALICE_1, csn, "text " + csn);
    }
    node.shard.commit();

    for (int csn = 1; csn <= Limits.SENDS_IN_FLIGHT_MAX + 1; csn++) {
      assertThat(sent(node.send(ALICE_1, csn, "text " + csn)).entry().seq()).isEqualTo(csn);
    }
  }

  @Test
  void aCsnUsedForAnotherContentIsAConflict() {
    node.send(ALICE_1, 1, "one");
    node.send(ALICE_1, 2, "two");

    Outcome.Refused refused = refused(node.send(ALICE_1, 1, "other"), ErrorCode.CONFLICT);

    assertThat(refused.csn()).isEqualTo(3);
    assertThat(node.texts()).containsExactly("one", "two");
  }

  @Test
  void aCsnUsedLongAgoIsAConflict() {
    for (int csn = 1; csn <= Sends.REPEATS_MAX + 1; csn++) {
      node.prepareSend(ALICE_1, csn, "text " + csn);
    }
    node.shard.commit();

    assertThat(refused(node.send(ALICE_1, 1, "text 1"), ErrorCode.CONFLICT).csn())
        .isEqualTo(Sends.REPEATS_MAX + 2);
    assertThat(sent(node.send(ALICE_1, 2, "text 2")).repeat()).isTrue();
  }

  @Test
  void aGapIsOutOfOrderAndNamesTheCsnToGoOnFrom() {
    assertThat(refused(node.send(ALICE_1, 2, "two"), ErrorCode.OUT_OF_ORDER).csn()).isEqualTo(1);
    node.send(ALICE_1, 1, "one");

    assertThat(refused(node.send(ALICE_1, 4, "four"), ErrorCode.OUT_OF_ORDER).csn()).isEqualTo(2);

    assertThat(sent(node.send(ALICE_1, 2, "two")).entry().seq()).isEqualTo(2);
  }

  @Test
  void aRefusedSendDoesNotUseItsCsnUp() {
    refused(
        node.run(new Command.Send(ALICE_1, CHAT, body(1, text("x").setReplyTo(9).build()))),
        ErrorCode.ARGUMENT);

    assertThat(sent(node.send(ALICE_1, 1, "one")).repeat()).isFalse();
  }

  // ---- refusals
  // ----------------------------------------------------------------------------------

  @Test
  void strangersCannotSend() {
    refused(node.send(EVE_1, CHAT, 1, "hello"), ErrorCode.NOT_MEMBER);
    refused(node.send(EVE_1, ChatId.group(77), 1, "hello"), ErrorCode.NOT_MEMBER);

    assertThat(node.entries()).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(longs = {0, -1, Long.MIN_VALUE})
  void aCsnStartsAtOne(long csn) {
    refused(node.send(ALICE_1, csn, "x"), ErrorCode.ARGUMENT);
  }

  @Test
  void theHighestCsnIsJustOutOfOrder() {
    refused(node.send(ALICE_1, Long.MAX_VALUE, "x"), ErrorCode.OUT_OF_ORDER);
  }

  @Test
  void aSendNeedsContentOfAKind() {
    byte[] nothing = Send.newBuilder().setCsn(1).build().toByteArray();
    refused(node.run(new Command.Send(ALICE_1, CHAT, nothing)), ErrorCode.ARGUMENT);
    for (int kind : new int[] {0, Kind.KIND_TOMBSTONE_VALUE}) {
      byte[] body = body(1, text("x").setKindValue(kind).build());
      refused(node.run(new Command.Send(ALICE_1, CHAT, body)), ErrorCode.ARGUMENT);
    }
    refused(node.run(new Command.Send(ALICE_1, CHAT, new byte[0])), ErrorCode.ARGUMENT);
    refused(node.run(new Command.Send(ALICE_1, CHAT, new byte[] {0x0B})), ErrorCode.ARGUMENT);
  }

  @Test
  void aKindOfALaterVersionPasses() {
    byte[] body = body(1, text("x").setKindValue(77).build());

    sent(node.run(new Command.Send(ALICE_1, CHAT, body)));
  }

  @Test
  void theBodyLimitIsExact() {
    sent(node.send(ALICE_1, 1, "x".repeat(Limits.BODY_BYTES_MAX)));
    refused(node.send(ALICE_1, 2, "x".repeat(Limits.BODY_BYTES_MAX + 1)), ErrorCode.BODY_TOO_LARGE);
  }

  @Test
  void aLinkPreviewHasItsRoomAndTakesItFromTheBody() {
    LinkPreview preview =
        LinkPreview.newBuilder()
            .setUrl("https://tern.example/harbour")
            .setThumbnail(ByteString.copyFrom(new byte[Limits.LINK_PREVIEW_BYTES_MAX - 64]))
            .build();
    int left = Limits.BODY_BYTES_MAX - preview.getSerializedSize();

    Content full = text("x".repeat(left)).setPreview(preview).build();
    Entry entry = sent(node.run(new Command.Send(ALICE_1, CHAT, body(1, full)))).entry();
    assertThat(contentOf(entry)).isEqualTo(full);

    Content over = text("x".repeat(left + 1)).setPreview(preview).build();
    refused(node.run(new Command.Send(ALICE_1, CHAT, body(2, over))), ErrorCode.BODY_TOO_LARGE);
  }

  @Test
  void contentCannotHideBytesBesideItsBody() {
    Content.Builder stuffed =
        text("x")
            .setUnknownFields(
                UnknownFieldSet.newBuilder()
                    .addField(
                        500,
                        UnknownFieldSet.Field.newBuilder()
                            .addLengthDelimited(ByteString.copyFrom(new byte[40_000]))
                            .build())
                    .build());

    refused(
        node.run(new Command.Send(ALICE_1, CHAT, body(1, stuffed.build()))),
        ErrorCode.BODY_TOO_LARGE);
  }

  @Test
  void aReplyIsToAnEntryThatExists() {
    node.send(ALICE_1, 1, "one");

    for (long beyond : new long[] {2, Long.MAX_VALUE, -1}) {
      byte[] body = body(1, text("x").setReplyTo(beyond).build());
      refused(node.run(new Command.Send(BOB_1, CHAT, body)), ErrorCode.ARGUMENT);
    }
    sent(node.run(new Command.Send(BOB_1, CHAT, body(1, text("x").setReplyTo(1).build()))));
  }

  @Test
  void aDiskWithoutRoomRefusesNewMessagesOnly() {
    node.send(ALICE_1, 1, "one");
    node.hasRoom = false;

    refused(node.send(ALICE_1, 2, "two"), ErrorCode.BUSY);

    assertThat(sent(node.send(ALICE_1, 1, "one")).repeat()).isTrue();
    assertThat(node.ack(BOB_1, 1)).isInstanceOf(Outcome.Moved.class);
    node.hasRoom = true;
    assertThat(sent(node.send(ALICE_1, 2, "two")).entry().seq()).isEqualTo(2);
  }

  /// Whatever bytes come, the answer is an outcome.
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void hostileBodiesAreRefusedNotThrownAt(long seed) {
    RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
    byte[] valid = body(1, text("hello").setReplyTo(1).setTtlS(5).addMentions(9).build());
    for (int i = 0; i < 20_000; i++) {
      byte[] body = valid.clone();
      if (random.nextInt(4) == 0) {
        body = new byte[random.nextInt(40)];
        random.nextBytes(body);
      } else {
        for (int flips = random.nextInt(4); flips >= 0; flips--) {
          body[random.nextInt(body.length)] = (byte) random.nextInt();
        }
      }
      Outcome outcome = node.prepare(new Command.Send(ALICE_1, CHAT, body));
      assertThat(outcome)
          .as("seed %d", seed)
          .isInstanceOfAny(Outcome.Sent.class, Outcome.Refused.class);
      if (i % 100 == 0) {
        node.shard.commit();
      }
    }
    node.shard.commit();
    node.restart();
    sent(node.send(BOB_1, 1, "still here"));
  }
}
