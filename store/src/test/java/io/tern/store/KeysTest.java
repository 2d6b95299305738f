package io.tern.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// Keys are on disk for ever: these are their bytes.
class KeysTest {

  private static final UserId USER = new UserId(0x0102_0304_0506L);
  private static final UserId OTHER = new UserId(0xF102_0304_0506L);
  private static final ChatId CHAT = ChatId.direct(USER, OTHER);
  private static final DeviceId DEVICE = new DeviceId(USER, 0x0A0B0C);

  private static final String CHAT_SLOT = "%04x".formatted(Slots.of(CHAT));
  private static final String USER_SLOT = "%04x".formatted(Slots.of(USER));
  private static final String CHAT_HEX = "010203040506" + "f10203040506";
  private static final String USER_HEX = "010203040506";
  private static final String OTHER_HEX = HexFormat.of().toHexDigits(OTHER.value(), 12);

  @Test
  void theHashOfSlotsIsFixed() {
    assertThat(Slots.of(CHAT)).isEqualTo(13362);
    assertThat(Slots.of(USER)).isEqualTo(5174);
    assertThat(Slots.of(ChatId.group(1))).isEqualTo(2860);
    assertThat(Slots.of(ChatId.direct(USER, USER))).isEqualTo(Slots.of(USER));
  }

  @Test
  void everyKeyIsWhatTheTableSays() {
    assertKey(Keys.chat(CHAT), CHAT_SLOT + "43" + CHAT_HEX);
    assertKey(Keys.entry(CHAT, 0x11L), CHAT_SLOT + "4d" + CHAT_HEX + "0000000000000011");
    assertKey(
        Keys.delivered(CHAT, USER, 3),
        CHAT_SLOT + "57" + CHAT_HEX + USER_HEX + "64" + "0000000000000003");
    assertKey(
        Keys.read(CHAT, USER, 3),
        CHAT_SLOT + "57" + CHAT_HEX + USER_HEX + "72" + "0000000000000003");
    assertKey(Keys.position(CHAT, DEVICE), CHAT_SLOT + "56" + CHAT_HEX + USER_HEX + "0a0b0c");
    assertKey(Keys.erased(CHAT, 2), CHAT_SLOT + "45" + CHAT_HEX + "0000000000000002");
    assertKey(
        Keys.expiry(CHAT, 0x18BCFE56800L, 5),
        CHAT_SLOT + "58" + "0000018bcfe56800" + CHAT_HEX + "0000000000000005");
    assertKey(Keys.user(USER), USER_SLOT + "55" + USER_HEX);
    assertKey(Keys.device(DEVICE), USER_SLOT + "44" + USER_HEX + "0a0b0c");
    assertKey(Keys.listed(USER, CHAT), USER_SLOT + "4c" + USER_HEX + CHAT_HEX);
    String seq = "0000000000000005";
    assertKey(
        Keys.watermark(CHAT, Slots.of(CHAT), USER, Keys.READ_HIDDEN, 5),
        CHAT_SLOT + "57" + CHAT_HEX + USER_HEX + "52" + seq);
    assertKey(
        Keys.watermark(CHAT, Slots.of(CHAT), USER, Keys.DELIVERED_HIDDEN, 5),
        CHAT_SLOT + "57" + CHAT_HEX + USER_HEX + "44" + seq);
    assertKey(Keys.reaction(CHAT, 5, USER), CHAT_SLOT + "52" + CHAT_HEX + seq + USER_HEX);
    assertKey(Keys.mention(CHAT, USER, 5), CHAT_SLOT + "40" + CHAT_HEX + USER_HEX + seq);
    assertKey(Keys.progress(CHAT), CHAT_SLOT + "50" + CHAT_HEX);
    assertKey(Keys.privacy(USER), USER_SLOT + "53" + USER_HEX + "70");
    assertKey(Keys.block(USER, OTHER), USER_SLOT + "53" + USER_HEX + "62" + OTHER_HEX);
    assertKey(Keys.contact(USER, OTHER), USER_SLOT + "53" + USER_HEX + "6e" + OTHER_HEX);
    assertKey(Keys.chatSetting(USER, CHAT), USER_SLOT + "53" + USER_HEX + "63" + CHAT_HEX);
    assertKey(Keys.hide(USER, CHAT, 5), USER_SLOT + "53" + USER_HEX + "68" + CHAT_HEX + seq);
    assertKey(Keys.star(USER, CHAT, 5), USER_SLOT + "53" + USER_HEX + "73" + CHAT_HEX + seq);
    assertKey(Keys.moved(CHAT), "ffff" + "47" + CHAT_HEX);
    assertKey(Keys.outbox(9), "ffff" + "4f" + "0000000000000009");
    assertKey(Keys.shardPosition(), "ffff" + "5a");
  }

  @Test
  void keysAreTakenApart() {
    assertThat(Keys.entrySeq(Keys.entry(CHAT, 77))).isEqualTo(77);
    assertThat(Keys.chatOf(Keys.entry(CHAT, 77))).isEqualTo(CHAT);
    assertThat(Keys.watermarkUser(Keys.read(CHAT, OTHER, 5))).isEqualTo(OTHER);
    assertThat(Keys.watermarkSeq(Keys.read(CHAT, OTHER, 5))).isEqualTo(5);
    assertThat(Keys.watermarkKind(Keys.read(CHAT, OTHER, 5))).isEqualTo(Keys.READ);
    assertThat(Keys.positionDevice(Keys.position(CHAT, DEVICE))).isEqualTo(DEVICE);
    assertThat(Keys.erasedBlock(Keys.erased(CHAT, 4))).isEqualTo(4);
    byte[] expiry = Keys.expiry(CHAT, 123_456, 8);
    assertThat(Keys.expiryTime(expiry)).isEqualTo(123_456);
    assertThat(Keys.expiryChat(expiry)).isEqualTo(CHAT);
    assertThat(Keys.expirySeq(expiry)).isEqualTo(8);
    assertThat(Keys.userOf(Keys.user(OTHER))).isEqualTo(OTHER);
    assertThat(Keys.deviceOf(Keys.device(DEVICE))).isEqualTo(DEVICE);
    assertThat(Keys.listedChat(Keys.listed(USER, CHAT))).isEqualTo(CHAT);
    assertThat(Keys.reactionSeq(Keys.reaction(CHAT, 5, OTHER))).isEqualTo(5);
    assertThat(Keys.reactionUser(Keys.reaction(CHAT, 5, OTHER))).isEqualTo(OTHER.value());
    assertThat(Keys.hiddenSeq(Keys.hide(USER, CHAT, 6))).isEqualTo(6);
    assertThat(Keys.chatOf(Keys.moved(CHAT))).isEqualTo(CHAT);
    byte[] setting = Keys.hide(USER, CHAT, 6);
    assertThat(Keys.settingToken(setting)).hasSize(Reads.SETTINGS_TOKEN_BYTES_MAX);
    assertThat(Keys.settingAfter(USER, Keys.settingToken(setting))).isEqualTo(setting);
    assertThat(Keys.outboxN(Keys.outbox(12))).isEqualTo(12);
    assertThat(Keys.slotOf(Keys.outbox(12))).isEqualTo(Keys.SHARD);
    assertThat(Keys.slotOf(Keys.chat(CHAT))).isEqualTo(Slots.of(CHAT));
    assertThat(Keys.tagOf(Keys.chat(CHAT))).isEqualTo('C');
  }

  @Test
  void keysSortAsTheirNumbersDo() {
    var random = new Random(1);
    for (int i = 0; i < 1000; i++) {
      long one = random.nextLong(1L << random.nextInt(1, 63));
      long other = random.nextLong(1L << random.nextInt(1, 63));
      assertThat(
              Integer.signum(
                  Arrays.compareUnsigned(Keys.entry(CHAT, one), Keys.entry(CHAT, other))))
          .isEqualTo(Long.compare(one, other));
    }
  }

  @Test
  void shardsShareTheSlotsWithoutGapOrOverlap() {
    for (int shards : new int[] {1, 2, 3, 7, 16, 255, 256}) {
      int expected = 0;
      for (int shard = 0; shard < shards; shard++) {
        assertThat(Slots.firstOf(shard, shards)).isEqualTo(expected);
        while (expected < Slots.COUNT && Slots.shardOf(expected, shards) == shard) {
          expected++;
        }
      }
      assertThat(expected).isEqualTo(Slots.COUNT);
      assertThat(Slots.firstOf(shards, shards)).isEqualTo(Slots.COUNT);
    }
  }

  private static void assertKey(byte[] key, String hex) {
    assertThat(HexFormat.of().formatHex(key)).isEqualTo(hex);
  }
}
