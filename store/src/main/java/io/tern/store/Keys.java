package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/// The keys of a shard, byte by byte; the only place that spells them out. Numbers are big-endian,
/// so that keys sort as their parts do. The slot comes first, so that a range of slots can be moved
/// or rebuilt by itself; what belongs to the shard and not to a slot lies in slot FFFF.
///
/// ```
/// slot  2 bytes    user  6 bytes    chat 12 bytes: low 6, high 6
///  seq  8 bytes    device 3 bytes   time  8 bytes: milliseconds since 1970
///
/// slot 'C' chat                    15  ChatSnapshot: the chat's state as of some seq
/// slot 'M' chat seq                23  an entry, see EntryCodec
/// slot 'W' chat user kind seq      30  kind 'd' or 'r': the member's delivered (read) watermark
///                                      reached seq; value: the time, 8 bytes. The last key of a
///                                      kind is the watermark; reading implies delivery. 'D' and
///                                      'R' are steps that only the member sees: receipts that
///                                      were hidden, or under a block. A hidden read that delivers
///                                      has a 'd' too
/// slot 'V' chat user device        24  what the device itself has acknowledged: seq, a varint
/// slot 'R' chat seq user           29  the user's reaction to message seq, see Reactions
/// slot '@' chat user seq           29  message seq mentions the user; no value
/// slot 'E' chat block              23  which of the entries block*256+1 … block*256+256 were
///                                      erased: a bitmap of 32 bytes, first entry = bit 0 of byte 0
/// slot 'P' chat                    15  Progress: what all members of the group have reached
/// slot 'X' time chat seq           31  the entry is due to be erased; no value
/// slot 'U' user                     9  User
/// slot 'D' user device             12  Device
/// slot 'L' user chat               21  ListedChat: the user's chat list
/// slot 'A' kind id                  5… Record: what the user service keeps; id: 1 to 32 bytes
/// slot 'Y' time kind id            13… the record ends then; no value
/// slot 'S' user what               10… tern.v1.Setting, by what it is about:
///               'b' user           16    a block that is on
///               'c' chat           22    the settings of a chat
///               'h' chat seq       30    an entry that was deleted for this user
///               'n' user           16    a contact
///               'p'                10    privacy
///               's' chat seq       30    a starred message
/// FFFF 'G' chat                    15  a group whose progress is to be counted; no value
/// FFFF 'O' n                       11  Outbox of batch n
/// FFFF 'Z'                          3  Position
/// ```
///
/// A self chat has the slot of its user, so a setting and its entry are one batch of one shard.
public final class Keys {

  /// Version of everything on disk: this table, the values, the hash of [Slots]. Version 1, from
  /// before the first release, had self chats elsewhere and is not read any more. Records (`A`,
  /// `Y`) and the erased and the banned came later and are additions: no value that was there
  /// before reads otherwise.
  public static final int SCHEMA = 2;

  /// The slot of what belongs to the whole shard.
  public static final int SHARD = 0xFFFF;

  /// Entries in a block of erased ones.
  static final int BLOCK_ENTRIES = 256;

  /// The value of a key that says it all.
  static final byte[] NO_VALUE = {};

  static final byte DELIVERED = 'd';
  static final byte READ = 'r';
  static final byte DELIVERED_HIDDEN = 'D';
  static final byte READ_HIDDEN = 'R';

  // What a setting is about.
  static final byte BLOCK = 'b';
  static final byte CHAT = 'c';
  static final byte HIDE = 'h';
  static final byte CONTACT = 'n';
  static final byte PRIVACY = 'p';
  static final byte STAR = 's';

  private static final VarHandle SHORT =
      MethodHandles.byteArrayViewVarHandle(short[].class, ByteOrder.BIG_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);
  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  private static final int TAG = 2;
  private static final int BODY = 3;
  private static final int CHAT_BYTES = 12;
  private static final int USER_BYTES = 6;

  /// Where in a setting's key that begins which it is about.
  private static final int WHAT = BODY + USER_BYTES + 1;

  private Keys() {}

  public static byte[] chat(ChatId chat) {
    return ofChat('C', chat, Slots.of(chat), 15);
  }

  public static byte[] entry(ChatId chat, long seq) {
    return entry(chat, Slots.of(chat), seq);
  }

  static byte[] entry(ChatId chat, int slot, long seq) {
    byte[] key = ofChat('M', chat, slot, 23);
    putLong(key, BODY + CHAT_BYTES, seq);
    return key;
  }

  /// Where the chat's entries end: above every seq.
  public static byte[] entriesEnd(ChatId chat) {
    return entry(chat, -1);
  }

  static long entrySeq(byte[] key) {
    return getLong(key, BODY + CHAT_BYTES);
  }

  public static byte[] delivered(ChatId chat, UserId user, long seq) {
    return watermark(chat, Slots.of(chat), user, DELIVERED, seq);
  }

  public static byte[] read(ChatId chat, UserId user, long seq) {
    return watermark(chat, Slots.of(chat), user, READ, seq);
  }

  static byte[] watermark(ChatId chat, int slot, UserId user, byte kind, long seq) {
    byte[] key = ofChat('W', chat, slot, 30);
    putUser(key, BODY + CHAT_BYTES, user.value());
    key[BODY + CHAT_BYTES + USER_BYTES] = kind;
    putLong(key, BODY + CHAT_BYTES + USER_BYTES + 1, seq);
    return key;
  }

  static UserId watermarkUser(byte[] key) {
    return new UserId(getUser(key, BODY + CHAT_BYTES));
  }

  static byte watermarkKind(byte[] key) {
    return key[BODY + CHAT_BYTES + USER_BYTES];
  }

  static long watermarkSeq(byte[] key) {
    return getLong(key, BODY + CHAT_BYTES + USER_BYTES + 1);
  }

  public static byte[] position(ChatId chat, DeviceId device) {
    return position(chat, Slots.of(chat), device);
  }

  static byte[] position(ChatId chat, int slot, DeviceId device) {
    byte[] key = ofChat('V', chat, slot, 24);
    putUser(key, BODY + CHAT_BYTES, device.user().value());
    putDevice(key, BODY + CHAT_BYTES + USER_BYTES, device.index());
    return key;
  }

  static DeviceId positionDevice(byte[] key) {
    return new DeviceId(
        new UserId(getUser(key, BODY + CHAT_BYTES)),
        getDevice(key, BODY + CHAT_BYTES + USER_BYTES));
  }

  static byte[] progress(ChatId group) {
    return ofChat('P', group, Slots.of(group), 15);
  }

  /// Marks a group whose progress is to be counted.
  static byte[] moved(ChatId group) {
    return ofChat('G', group, SHARD, 15);
  }

  /// Below every marked group.
  static byte[] movedFrom() {
    return start('G', SHARD, BODY);
  }

  /// Above every marked group.
  static byte[] movedEnd() {
    return start('H', SHARD, BODY);
  }

  /// The user's reaction to message `seq`.
  static byte[] reaction(ChatId chat, long seq, UserId user) {
    byte[] key = reactionsFrom(chat, seq);
    putUser(key, BODY + CHAT_BYTES + Long.BYTES, user.value());
    return key;
  }

  /// Below every reaction to message `seq`, above those to earlier ones.
  static byte[] reactionsFrom(ChatId chat, long seq) {
    byte[] key = ofChat('R', chat, Slots.of(chat), 29);
    putLong(key, BODY + CHAT_BYTES, seq);
    return key;
  }

  static long reactionSeq(byte[] key) {
    return getLong(key, BODY + CHAT_BYTES);
  }

  static long reactionUser(byte[] key) {
    return getUser(key, BODY + CHAT_BYTES + Long.BYTES);
  }

  /// Message `seq` mentions `user`.
  static byte[] mention(ChatId chat, UserId user, long seq) {
    byte[] key = ofChat('@', chat, Slots.of(chat), 29);
    putUser(key, BODY + CHAT_BYTES, user.value());
    putLong(key, BODY + CHAT_BYTES + USER_BYTES, seq);
    return key;
  }

  static long block(long seq) {
    return (seq - 1) / BLOCK_ENTRIES;
  }

  static byte[] erased(ChatId chat, long block) {
    byte[] key = ofChat('E', chat, Slots.of(chat), 23);
    putLong(key, BODY + CHAT_BYTES, block);
    return key;
  }

  static long erasedBlock(byte[] key) {
    return getLong(key, BODY + CHAT_BYTES);
  }

  static byte[] expiry(ChatId chat, long timeMillis, long seq) {
    byte[] key = expiryFrom(Slots.of(chat), timeMillis);
    byte[] whole = new byte[31];
    System.arraycopy(key, 0, whole, 0, key.length);
    putChat(whole, key.length, chat);
    putLong(whole, key.length + CHAT_BYTES, seq);
    return whole;
  }

  /// Below every expiry of the slot at or after `timeMillis`.
  static byte[] expiryFrom(int slot, long timeMillis) {
    byte[] key = start('X', slot, 11);
    putLong(key, BODY, timeMillis);
    return key;
  }

  static long expiryTime(byte[] key) {
    return getLong(key, BODY);
  }

  static ChatId expiryChat(byte[] key) {
    return getChat(key, BODY + 8);
  }

  static long expirySeq(byte[] key) {
    return getLong(key, BODY + 8 + CHAT_BYTES);
  }

  public static byte[] user(UserId user) {
    byte[] key = start('U', Slots.of(user), 9);
    putUser(key, BODY, user.value());
    return key;
  }

  static UserId userOf(byte[] key) {
    return new UserId(getUser(key, BODY));
  }

  public static byte[] device(DeviceId device) {
    return device(device.user(), device.index());
  }

  /// As [#device(DeviceId)], for the ends of a range too.
  static byte[] device(UserId user, int index) {
    byte[] key = start('D', Slots.of(user), 12);
    putUser(key, BODY, user.value());
    putDevice(key, BODY + USER_BYTES, index);
    return key;
  }

  static DeviceId deviceOf(byte[] key) {
    return new DeviceId(new UserId(getUser(key, BODY)), getDevice(key, BODY + USER_BYTES));
  }

  public static byte[] listed(UserId user, ChatId chat) {
    byte[] key = listedFrom(user);
    putChat(key, BODY + USER_BYTES, chat);
    return key;
  }

  /// Below every chat in the user's list.
  static byte[] listedFrom(UserId user) {
    byte[] key = start('L', Slots.of(user), 21);
    putUser(key, BODY, user.value());
    return key;
  }

  /// Above every chat in the user's list.
  static byte[] listedEnd(UserId user) {
    byte[] key = listedFrom(user);
    Arrays.fill(key, BODY + USER_BYTES, key.length, (byte) -1);
    return key;
  }

  static ChatId listedChat(byte[] key) {
    return getChat(key, BODY + USER_BYTES);
  }

  /// Below every setting of the user.
  static byte[] settingFrom(UserId user) {
    return setting(user, (byte) 0, 0);
  }

  /// Above every setting of the user.
  static byte[] settingEnd(UserId user) {
    return setting(user, (byte) -1, 0);
  }

  /// The setting that `token` names, made by [#settingToken] or by a stranger.
  static byte[] settingAfter(UserId user, byte[] token) {
    int more = Math.min(token.length, Reads.SETTINGS_TOKEN_BYTES_MAX);
    byte[] key = Arrays.copyOf(settingFrom(user), WHAT - 1 + Math.max(1, more));
    System.arraycopy(token, 0, key, WHAT - 1, more);
    return key;
  }

  static byte[] settingToken(byte[] key) {
    return Arrays.copyOfRange(key, WHAT - 1, key.length);
  }

  static byte[] privacy(UserId user) {
    return setting(user, PRIVACY, 0);
  }

  static byte[] contact(UserId user, UserId other) {
    return settingOfUser(user, CONTACT, other);
  }

  static byte[] block(UserId user, UserId other) {
    return settingOfUser(user, BLOCK, other);
  }

  static byte[] chatSetting(UserId user, ChatId chat) {
    byte[] key = setting(user, CHAT, CHAT_BYTES);
    putChat(key, WHAT, chat);
    return key;
  }

  static byte[] star(UserId user, ChatId chat, long seq) {
    return settingOfEntry(user, STAR, chat, seq);
  }

  static byte[] hide(UserId user, ChatId chat, long seq) {
    return settingOfEntry(user, HIDE, chat, seq);
  }

  static long hiddenSeq(byte[] key) {
    return getLong(key, WHAT + CHAT_BYTES);
  }

  private static byte[] settingOfUser(UserId user, byte what, UserId other) {
    byte[] key = setting(user, what, USER_BYTES);
    putUser(key, WHAT, other.value());
    return key;
  }

  private static byte[] settingOfEntry(UserId user, byte what, ChatId chat, long seq) {
    byte[] key = setting(user, what, CHAT_BYTES + Long.BYTES);
    putChat(key, WHAT, chat);
    putLong(key, WHAT + CHAT_BYTES, seq);
    return key;
  }

  private static byte[] setting(UserId user, byte what, int more) {
    byte[] key = start('S', Slots.of(user), WHAT + more);
    putUser(key, BODY, user.value());
    key[BODY + USER_BYTES] = what;
    return key;
  }

  static byte[] record(RecordKey record) {
    byte[] key = start('A', record.slot(), BODY + 1 + record.id().length);
    key[BODY] = record.kind();
    System.arraycopy(record.id(), 0, key, BODY + 1, record.id().length);
    return key;
  }

  /// Below every record of the kind in the slot.
  static byte[] recordsFrom(int slot, int kind) {
    byte[] key = start('A', slot, BODY + 1);
    key[BODY] = (byte) kind;
    return key;
  }

  /// Below every record behind this one, which is the key's first follower.
  static byte[] recordsBehind(RecordKey record) {
    byte[] key = record(record);
    return Arrays.copyOf(key, key.length + 1);
  }

  static RecordKey recordOf(byte[] key) {
    return new RecordKey(slotOf(key), key[BODY], Arrays.copyOfRange(key, BODY + 1, key.length));
  }

  static byte[] recordEnd(RecordKey record, long timeMillis) {
    byte[] from = recordEndsFrom(record.slot(), timeMillis);
    byte[] key = Arrays.copyOf(from, from.length + 1 + record.id().length);
    key[from.length] = record.kind();
    System.arraycopy(record.id(), 0, key, from.length + 1, record.id().length);
    return key;
  }

  /// Below every end of a record of the slot at or after `timeMillis`.
  static byte[] recordEndsFrom(int slot, long timeMillis) {
    byte[] key = start('Y', slot, BODY + Long.BYTES);
    putLong(key, BODY, timeMillis);
    return key;
  }

  static boolean isRecordEnd(byte[] key) {
    return key[TAG] == 'Y';
  }

  static long recordEndTime(byte[] key) {
    return getLong(key, BODY);
  }

  static RecordKey recordOfEnd(byte[] key) {
    int kind = BODY + Long.BYTES;
    return new RecordKey(slotOf(key), key[kind], Arrays.copyOfRange(key, kind + 1, key.length));
  }

  public static byte[] outbox(long n) {
    byte[] key = start('O', SHARD, 11);
    putLong(key, BODY, n);
    return key;
  }

  static long outboxN(byte[] key) {
    return getLong(key, BODY);
  }

  public static byte[] shardPosition() {
    return start('Z', SHARD, 3);
  }

  // ---- for looking into a folder --------------------------------------------------------------

  /// Below every key of `slot` with this tag.
  static byte[] tagFrom(char tag, int slot) {
    return start(tag, slot, BODY);
  }

  static int slotOf(byte[] key) {
    return (short) SHORT.get(key, 0) & 0xFFFF;
  }

  static char tagOf(byte[] key) {
    return (char) key[TAG];
  }

  /// The chat of a `C`, `M`, `W`, `V`, `R`, `@` or `E` key.
  static ChatId chatOf(byte[] key) {
    return getChat(key, BODY);
  }

  /// Below every key of the chat with this tag.
  static byte[] ofChatFrom(char tag, ChatId chat) {
    return ofChat(tag, chat, Slots.of(chat), BODY + CHAT_BYTES);
  }

  /// Above every key of the chat with this tag: no user's id is all ones and followed by all ones.
  static byte[] ofChatEnd(char tag, ChatId chat) {
    byte[] key = ofChat(tag, chat, Slots.of(chat), BODY + CHAT_BYTES + 16);
    Arrays.fill(key, BODY + CHAT_BYTES, key.length, (byte) -1);
    return key;
  }

  // ---- the parts ------------------------------------------------------------------------------

  private static byte[] start(char tag, int slot, int length) {
    byte[] key = new byte[length];
    SHORT.set(key, 0, (short) slot);
    key[TAG] = (byte) tag;
    return key;
  }

  private static byte[] ofChat(char tag, ChatId chat, int slot, int length) {
    byte[] key = start(tag, slot, length);
    putChat(key, BODY, chat);
    return key;
  }

  private static void putChat(byte[] key, int pos, ChatId chat) {
    putUser(key, pos, chat.low());
    putUser(key, pos + USER_BYTES, chat.high());
  }

  private static ChatId getChat(byte[] key, int pos) {
    return new ChatId(getUser(key, pos), getUser(key, pos + USER_BYTES));
  }

  private static void putUser(byte[] key, int pos, long value) {
    SHORT.set(key, pos, (short) (value >>> 32));
    INT.set(key, pos + 2, (int) value);
  }

  private static long getUser(byte[] key, int pos) {
    return (((short) SHORT.get(key, pos) & 0xFFFFL) << 32)
        | ((int) INT.get(key, pos + 2) & 0xFFFF_FFFFL);
  }

  private static void putDevice(byte[] key, int pos, int index) {
    key[pos] = (byte) (index >>> 16);
    SHORT.set(key, pos + 1, (short) index);
  }

  private static int getDevice(byte[] key, int pos) {
    return ((key[pos] & 0xFF) << 16) | ((short) SHORT.get(key, pos + 1) & 0xFFFF);
  }

  private static void putLong(byte[] key, int pos, long value) {
    LONG.set(key, pos, value);
  }

  private static long getLong(byte[] key, int pos) {
    return (long) LONG.get(key, pos);
  }
}
