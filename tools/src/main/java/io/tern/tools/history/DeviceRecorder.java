package io.tern.tools.history;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
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
    ONLINE(14, 0);

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
