package io.tern.tools.history;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Role;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;

/// Writes down what one device does and sees, over all its lives. Any thread may call; calls are
/// stamped in the order they come. What says that something begins (`sending`, `reading`, `acking`)
/// must be called before it does, what says that something has come, after it has: then an event
/// stamped before another one really was before it.
///
/// ```
/// word 0   flags (8) kind (8) other device or user (24) chat (24)
/// word 1   stamp
/// then     the operands of the kind, see [Kind]
/// ```
public final class DeviceRecorder {

  /// What happened, and how many operands it has.
  enum Kind {
    OPENED(1, 0),
    UP(2, 1), // epoch
    EXPLICIT_ACKS(3, 0),
    SENDING(4, 1), // hash
    SENT(5, 4), // n, seq, csn, ts; flag: repeat
    REFUSED(6, 2), // n, code
    DELIVERED(7, 4), // seq, hash, ts, csn; other: sender
    ACKING(8, 1), // seq
    RESET(9, 1), // seq
    READING(10, 1), // seq
    RECEIPT(11, 2), // delivered, read; other: user
    ENTRY(12, 3), // seq, hash, ts; other: sender
    SUMMARY(13, 3), // head, delivered, read; other: user
    ONLINE(14, 0),
    AMENDING(15, 3), // n, target, hash that the target gets
    CHANGING(16, 1), // fingerprint; flag: the group is yet to be founded
    CHANGED(17, 2), // n, seq
    CHANGE_REFUSED(18, 2), // n, code
    FACT(19, 3), // seq, fingerprint, effect; other: user; flag: read at the end
    PROGRESS(20, 2), // delivered, read; flag: at the end
    COUNT(21, 4), // seq, total, delivered, read
    HISTORY_END(22, 0),
    MEMBER(23, 1), // effect that gives the role; other: user
    MEMBERS_END(24, 0);

    private static final Kind[] BY_CODE = new Kind[values().length + 1];

    static {
      for (var kind : values()) {
        BY_CODE[kind.code] = kind;
      }
    }

    final int code;
    final int operands;

    Kind(int code, int operands) {
      this.code = code;
      this.operands = operands;
    }

    static Kind of(int code) {
      return BY_CODE[code];
    }
  }

  static final int CHATS_MAX = 1 << 24;

  private static final int CHUNK_WORDS = 4096;
  private static final int EVENT_WORDS_MAX = 6;
  private static final int INDEX_MASK = (1 << 24) - 1;

  private final History history;
  private final DeviceId id;
  private final int ref;
  private final LongSupplier clock;

  // Guarded by this.
  private final List<long[]> chunks = new ArrayList<>();
  private long[] chunk = {};
  private int used;
  private int events;
  private int sends;
  private int changes;
  private final List<ChatId> chats = new ArrayList<>();
  private final Map<ChatId, Integer> chatIndex = new HashMap<>();
  private final List<UserId> users = new ArrayList<>();
  private final Map<UserId, Integer> userIndex = new HashMap<>();
  private long forcedStamp = Long.MIN_VALUE;

  DeviceRecorder(History history, DeviceId id, int ref, LongSupplier clock) {
    this.history = history;
    this.id = id;
    this.ref = ref;
    this.clock = clock;
  }

  public DeviceId id() {
    return id;
  }

  /// A new life of the device begins: its receipts start from nothing, and so do its deliveries
  /// unless it `kept` its positions.
  public synchronized void opened(boolean kept) {
    begin(Kind.OPENED, 0, 0, kept);
  }

  /// A session is up.
  public synchronized void up(long epoch) {
    begin(Kind.UP, 0, 0, false);
    put(epoch);
  }

  /// This device says itself what it acknowledges, with [#acking]. Without, everything delivered to
  /// it may have been acknowledged.
  public synchronized void explicitAcks() {
    begin(Kind.EXPLICIT_ACKS, 0, 0, false);
  }

  /// A send begins. Sends of one device must be given to the client in the order of these calls.
  ///
  /// @param hash see [ContentHash]; differs from all others of this device in this chat
  /// @return the send's number on this device, for [#sent] and [#refused]
  public synchronized int sending(ChatId chat, long hash) {
    begin(Kind.SENDING, chatIndex(chat), 0, false);
    put(hash);
    return sends++;
  }

  /// The send that [#sending] has just numbered `n` is to edit the message at `target`, or to take
  /// it back.
  ///
  /// @param hash of what the message says then
  public synchronized void amending(ChatId chat, int n, long target, long hash) {
    begin(Kind.AMENDING, chatIndex(chat), 0, false);
    put(n);
    put(target);
    put(hash);
  }

  /// A change of a group begins.
  ///
  /// @param fingerprint see [GroupFacts#fingerprint]
  /// @return the change's number on this device, for [#changed] and [#changeRefused]
  public synchronized int changing(ChatId group, long fingerprint) {
    begin(Kind.CHANGING, chatIndex(group), 0, false);
    put(fingerprint);
    return changes++;
  }

  /// As [#changing], of a group that this change founds.
  public synchronized int founding(long fingerprint) {
    begin(Kind.CHANGING, 0, 0, true);
    put(fingerprint);
    return changes++;
  }

  /// The change was acknowledged.
  ///
  /// @param seq of its entry; 0 when that was not told
  public synchronized void changed(ChatId group, int n, long seq) {
    begin(Kind.CHANGED, chatIndex(group), 0, false);
    put(n);
    put(seq);
  }

  /// The change was answered with an error. Only codes of class 4xx say that it was not made.
  public synchronized void changeRefused(int n, ErrorCode code) {
    begin(Kind.CHANGE_REFUSED, 0, 0, false);
    put(n);
    put(code.number());
  }

  /// The entry at `seq` changes the group so.
  ///
  /// @param read whether it was noted with [#entry]; else with [#delivered]
  public synchronized void facts(ChatId group, long seq, GroupFacts facts, boolean read) {
    for (var fact : facts.facts()) {
      begin(Kind.FACT, chatIndex(group), userIndex(fact.user()), read);
      put(seq);
      put(facts.fingerprint());
      put(fact.effect().code);
    }
  }

  /// The send was acknowledged.
  public synchronized void sent(
      ChatId chat, int n, long seq, long csn, long tsMillis, boolean repeat) {
    begin(Kind.SENT, chatIndex(chat), 0, repeat);
    put(n);
    put(seq);
    put(csn);
    put(tsMillis);
  }

  /// The send was answered with an error. Only codes of class 4xx say that it is not in the log.
  public synchronized void refused(ChatId chat, int n, ErrorCode code) {
    begin(Kind.REFUSED, chatIndex(chat), 0, false);
    put(n);
    put(code.number());
  }

  /// An entry came, in order, as the app sees it.
  ///
  /// @param csn of an own entry; 0 when not told
  public void delivered(
      ChatId chat, long seq, DeviceId sender, long hash, long tsMillis, long csn) {
    int senderRef = history.device(sender).ref;
    synchronized (this) {
      begin(Kind.DELIVERED, chatIndex(chat), senderRef, false);
      put(seq);
      put(hash);
      put(tsMillis);
      put(csn);
    }
  }

  /// An acknowledgement is about to go out; only after [#explicitAcks].
  public synchronized void acking(ChatId chat, long seq) {
    begin(Kind.ACKING, chatIndex(chat), 0, false);
    put(seq);
  }

  /// The server said that entries up to `seq` will not be pushed.
  public synchronized void reset(ChatId chat, long seq) {
    begin(Kind.RESET, chatIndex(chat), 0, false);
    put(seq);
  }

  /// The user marks everything up to `seq` as read.
  public synchronized void reading(ChatId chat, long seq) {
    begin(Kind.READING, chatIndex(chat), 0, false);
    put(seq);
  }

  /// Watermarks of `member` came.
  public synchronized void receipt(ChatId chat, UserId member, long delivered, long read) {
    begin(Kind.RECEIPT, chatIndex(chat), userIndex(member), false);
    put(delivered);
    put(read);
  }

  /// What every member of a group has got and read came.
  public synchronized void progress(ChatId group, long delivered, long read) {
    progress(group, delivered, read, false);
  }

  /// As [#progress(ChatId, long, long)].
  ///
  /// @param atEnd it is the server's last word, so not less than what anyone has been told before
  public synchronized void progress(ChatId group, long delivered, long read, boolean atEnd) {
    begin(Kind.PROGRESS, chatIndex(group), 0, atEnd);
    put(delivered);
    put(read);
  }

  /// It came how many of `total` members have got and read the entry at `seq`.
  public synchronized void count(ChatId group, long seq, int total, int delivered, int read) {
    begin(Kind.COUNT, chatIndex(group), 0, false);
    put(seq);
    put(total);
    put(delivered);
    put(read);
  }

  /// At the end: an entry of the chat's history, read from 1 upwards.
  public void entry(ChatId chat, long seq, DeviceId sender, long hash, long tsMillis) {
    int senderRef = history.device(sender).ref;
    synchronized (this) {
      begin(Kind.ENTRY, chatIndex(chat), senderRef, false);
      put(seq);
      put(hash);
      put(tsMillis);
    }
  }

  /// At the end: what came as [#entry] is all that the server shows of the chat.
  public synchronized void historyEnd(ChatId chat) {
    begin(Kind.HISTORY_END, chatIndex(chat), 0, false);
  }

  /// At the end: `user` is a member of the group.
  public synchronized void member(ChatId group, UserId user, Role role) {
    begin(Kind.MEMBER, chatIndex(group), userIndex(user), false);
    put(GroupFacts.Effect.of(role).code);
  }

  /// At the end: those that came as [#member] are all. When there were none, the server says that
  /// this user is not in the group.
  public synchronized void membersEnd(ChatId group) {
    begin(Kind.MEMBERS_END, chatIndex(group), 0, false);
  }

  /// At the end: the chat's head and the watermarks of `member`, as the server tells this device.
  public synchronized void summary(
      ChatId chat, UserId member, long head, long delivered, long read) {
    begin(Kind.SUMMARY, chatIndex(chat), userIndex(member), false);
    put(head);
    put(delivered);
    put(read);
  }

  /// At the end: the device is online and has waited for quiet, so nothing may be missing.
  public synchronized void online() {
    begin(Kind.ONLINE, 0, 0, false);
  }

  int ref() {
    return ref;
  }

  synchronized int events() {
    return events;
  }

  synchronized int sends() {
    return sends;
  }

  synchronized List<ChatId> chats() {
    return List.copyOf(chats);
  }

  /// The chat of an event.
  synchronized ChatId chat(Cursor event) {
    return chats.get(event.chat);
  }

  /// The user that an event is about.
  synchronized UserId user(Cursor event) {
    return users.get(event.other);
  }

  /// For reading a history from a file: the stamp of the next event.
  synchronized void stampNext(long stamp) {
    forcedStamp = stamp;
  }

  /// Reads the events recorded so far.
  synchronized Cursor cursor() {
    return new Cursor(this, List.copyOf(chunks), events);
  }

  private void begin(Kind kind, int chat, int other, boolean flag) {
    if (used + EVENT_WORDS_MAX > chunk.length) {
      // Small first: thousands of devices may record a handful of events each.
      chunk = new long[chunks.isEmpty() ? CHUNK_WORDS / 32 : CHUNK_WORDS];
      chunks.add(chunk);
      used = 0;
    }
    events++;
    put((flag ? 1L << 56 : 0) | (long) kind.code << 48 | (long) other << 24 | chat);
    put(forcedStamp != Long.MIN_VALUE ? forcedStamp : clock.getAsLong());
    forcedStamp = Long.MIN_VALUE;
  }

  private void put(long word) {
    chunk[used++] = word;
  }

  private int chatIndex(ChatId chat) {
    var index = chatIndex.get(chat);
    if (index == null) {
      index = chats.size();
      if (index == CHATS_MAX) {
        throw new IllegalStateException("more than " + CHATS_MAX + " chats on one device");
      }
      chats.add(chat);
      chatIndex.put(chat, index);
    }
    return index;
  }

  private int userIndex(UserId user) {
    var index = userIndex.get(user);
    if (index == null) {
      index = users.size();
      users.add(user);
      userIndex.put(user, index);
    }
    return index;
  }

  /// Walks a device's events in order. Confined to its reader.
  static final class Cursor {
    final DeviceRecorder device;
    private final List<long[]> chunks;
    private int left;
    private int chunk;
    private int pos;
    private int operands;

    Kind kind = Kind.OPENED;
    boolean flag;
    int chat;
    int other;
    long stamp;

    private Cursor(DeviceRecorder device, List<long[]> chunks, int events) {
      this.device = device;
      this.chunks = chunks;
      this.left = events;
    }

    /// Steps to the next event; false when there is none.
    boolean next() {
      if (left == 0) {
        return false;
      }
      left--;
      var words = chunks.get(chunk);
      // The recorder opens a new chunk when the longest event would not fit.
      if (pos + EVENT_WORDS_MAX > words.length) {
        words = chunks.get(++chunk);
        pos = 0;
      }
      long head = words[pos];
      kind = Kind.of((int) (head >>> 48) & 0xFF);
      flag = head >>> 56 != 0;
      other = (int) (head >>> 24) & INDEX_MASK;
      chat = (int) head & INDEX_MASK;
      stamp = words[pos + 1];
      operands = pos + 2;
      pos = operands + kind.operands;
      return true;
    }

    long operand(int i) {
      return chunks.get(chunk)[operands + i];
    }
  }
}
