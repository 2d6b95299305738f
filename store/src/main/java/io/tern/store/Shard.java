package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.Prescan;
import io.tern.protocol.SendBody;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Kind;
import io.tern.store.ChatState.Member;
import io.tern.store.ChatState.Sender;
import io.tern.store.v1.Device;
import io.tern.store.v1.ListedChat;
import io.tern.store.v1.Outbox;
import io.tern.store.v1.Position;
import io.tern.store.v1.User;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// The state machine of one shard: chats and users of a range of slots. No threads, no I/O of its
/// own but reads of cold state from its [Storage] and the [CommitLog]; time comes with each call.
///
/// Confined to its owner (the ring's prepare handler). A round is: any number of [#prepare] and
/// [#settle], then one [#commit]. State in memory runs ahead of the log between prepare and commit;
/// that is safe because nothing of it is told to anyone before commit returns, and a commit that
/// fails ends the process.
///
/// Puts of a batch: one `M` for each accepted send (and one `X` if it expires), one `W` and one `V`
/// for each member and device that acknowledged something, one `O` if there were sends, one `Z`; a
/// `C` when a chat has run [#SNAPSHOT_ENTRIES] ahead of its snapshot or leaves memory.
public final class Shard {

  /// A chat is written down at least this often, so that it loads with one get and a short scan.
  static final int SNAPSHOT_ENTRIES = 256;

  /// How far back a repeated csn gets its first answer again. A client has at most
  /// [Limits#SENDS_IN_FLIGHT_MAX] sends without an answer; this is generous.
  static final int REPEATS_MAX = 4 * Limits.SENDS_IN_FLIGHT_MAX;

  /// `Content` around its body: numbers, mentions, and a little that later versions may add.
  static final int CONTENT_EXTRA_BYTES_MAX = 1024;

  /// Erasures a [Command.Tick] does, and slots whose expiries it looks at for the first time.
  static final int ERASURES_PER_TICK = 256;

  static final int NEW_SLOTS_PER_TICK = 512;

  /// Groups whose progress one tick tells, and authors it tells of in each.
  static final int GROUPS_PER_TICK = 64;

  static final int AUTHORS_PER_GROUP = 32;

  private static final long NOT_LOOKED = Long.MIN_VALUE;
  private static final long NOTHING_EXPIRES = Long.MAX_VALUE;

  private static final byte[] NO_BYTES = {};

  /// An `X` key of the open batch.
  private record Expiry(int slotIndex, long timeMillis) {}

  private static final Outcome NOT_MEMBER = refused(ErrorCode.NOT_MEMBER, "");
  private static final Outcome UNSUPPORTED = refused(ErrorCode.UNSUPPORTED, "");
  private static final Outcome WRONG_SEQ = refused(ErrorCode.ARGUMENT, "seq");
  private static final Outcome MALFORMED = refused(ErrorCode.ARGUMENT, "body");
  private static final Outcome NO_CONTENT = refused(ErrorCode.ARGUMENT, "content");
  private static final Outcome WRONG_CSN = refused(ErrorCode.ARGUMENT, "csn");
  private static final Outcome WRONG_KIND = refused(ErrorCode.ARGUMENT, "content.kind");
  private static final Outcome WRONG_REPLY = refused(ErrorCode.ARGUMENT, "content.reply_to");
  private static final Outcome TOO_LARGE = refused(ErrorCode.BODY_TOO_LARGE, "content.body");
  private static final Outcome DISK_FULL = refused(ErrorCode.BUSY, "disk reserve reached");
  private static final Outcome DEVICES_FULL =
      refused(ErrorCode.QUOTA, "more than " + Limits.DEVICES_PER_USER_MAX + " devices");

  private final Storage storage;
  private final CommitLog log;
  private final ShardConfig config;
  private final BooleanSupplier hasRoom;
  private final long epoch;

  /// In the order of use, eldest first.
  private final LinkedHashMap<ChatId, ChatState> chats = new LinkedHashMap<>(16, 0.75f, true);

  /// Per slot, no expiry comes before this time; [#NOT_LOOKED] until storage was asked.
  private final long[] soonestExpiry;

  private int slotsLooked;
  private int sweepSlot;

  // The open batch: its puts so far, and what commit will add.
  private final Batch batch = new Batch();
  private final List<ChatState> touched = new ArrayList<>();
  private final Set<DeviceId> enrolled = new HashSet<>();
  private final List<Expiry> expiries = new ArrayList<>();
  private boolean sync;
  private boolean swept;
  private int pendingPuts;
  private long n;

  // To be filled in again and again.
  private final SendBody send = new SendBody();
  private final byte[] header = new byte[EntryCodec.HEADER_BYTES_MAX];

  private boolean failed;
  private @Nullable Thread owner;

  public Shard(Storage storage, CommitLog log, ShardConfig config) {
    this(storage, log, config, () -> true);
  }

  /// @param hasRoom whether the disk has room for new messages; asked at every send, so it must be
  ///   as cheap as a volatile read
  /// @throws IllegalStateException when storage was written by a newer version
  public Shard(Storage storage, CommitLog log, ShardConfig config, BooleanSupplier hasRoom) {
    this.storage = storage;
    this.log = log;
    this.config = config;
    this.hasRoom = hasRoom;
    Position position = position(storage);
    if (position.getSchema() > Keys.SCHEMA) {
      throw new IllegalStateException(
          "written by a newer version: schema "
              + position.getSchema()
              + ", this one knows "
              + Keys.SCHEMA);
    }
    n = position.getN();
    epoch = Math.max(1, position.getEpoch());
    soonestExpiry = new long[config.endSlot() - config.firstSlot()];
    Arrays.fill(soonestExpiry, NOT_LOOKED);
  }

  /// How far `storage` is; the default instance when it is new.
  static Position position(KeyValues storage) {
    byte[] value = storage.get(Keys.shardPosition());
    return value == null ? Position.getDefaultInstance() : Protos.position(value);
  }

  /// Number of the newest batch in `storage`; 0 when it is new.
  public static long batchNumber(KeyValues storage) {
    return position(storage).getN();
  }

  /// Executes one command against memory and adds its effects to the open batch. Never throws for
  /// what a client can cause.
  public Outcome prepare(Command command, long nowMillis) {
    assert isOwner();
    requireSound();
    return switch (command) {
      case Command.Send c -> send(c, nowMillis);
      case Command.Ack c -> ack(c, nowMillis);
      case Command.Read c -> read(c, nowMillis);
      case Command.Enrol c -> enrol(c.device(), nowMillis);
      case Command.ListChat c -> listChat(c, nowMillis);
      case Command.Tick c -> tick(c, nowMillis);
      case Command.GroupCreate c -> UNSUPPORTED;
      case Command.GroupEdit c -> UNSUPPORTED;
      case Command.ChangeSettings c -> UNSUPPORTED;
      case Command.SetBlock c -> UNSUPPORTED;
      case Command.RemoveDevice c -> UNSUPPORTED;
      case Command.Seen c -> UNSUPPORTED;
    };
  }

  /// The outbox record of batch `n` has done its work: deletes it with the open batch.
  public void settle(long n) {
    assert isOwner();
    batch.delete(Keys.outbox(n));
  }

  /// Bytes of the open batch, for the owner to bound it. What commit will add is estimated.
  public int openBytes() {
    return batch.bytes() + pendingPuts * 64;
  }

  /// Makes the open batch durable and starts the next. Returns its number, or 0 when there was
  /// nothing to write. Numbers rise by one with each written batch, over restarts too.
  ///
  /// The batch is synced when it holds something that somebody will be told is safe: a send, a
  /// read, an acknowledgement, an enrolment, a chat list entry, a probe. One of settled outbox
  /// records and housekeeping alone is not: a power cut may take it, which costs repeated work.
  ///
  /// @throws Storage.LostDurability when the log cannot promise that; this shard is then of no use
  public long commit() {
    assert isOwner();
    requireSound();
    Outbox.@Nullable Builder outbox = null;
    for (int i = 0; i < touched.size(); i++) {
      ChatState chat = touched.get(i);
      putWatermarks(chat);
      if (chat.openFromSeq != 0) {
        if (outbox == null) {
          outbox = Outbox.newBuilder();
        }
        owe(outbox, chat);
        if (chat.head - chat.snapshotSeq >= SNAPSHOT_ENTRIES) {
          putSnapshot(chat);
        }
        chat.openFromSeq = 0;
      }
      chat.touched = false;
    }
    touched.clear();
    dropColdChats();

    boolean written = batch.count() > 0 || sync;
    if (written) {
      n++;
      if (outbox != null) {
        batch.put(Keys.outbox(n), outbox.build().toByteArray());
      }
      batch.put(
          Keys.shardPosition(),
          Position.newBuilder()
              .setSchema(Keys.SCHEMA)
              .setN(n)
              .setEpoch(epoch)
              .build()
              .toByteArray());
      batch.number(n);
      failed = true;
      log.commit(batch, sync);
      failed = false;
      batch.clear();
    }
    noteExpiries();
    enrolled.clear();
    sync = false;
    swept = false;
    pendingPuts = 0;
    return written ? n : 0;
  }

  /// What the outbox of the storage holds after a restart, oldest first: to be dispatched again. A
  /// page of it at a time, of some thousand entries: asked for with 0, then with the number of the
  /// last record that came, until nothing comes. Before the first round.
  public List<OutboxRecord> outboxAfter(long n) {
    return OutboxRecords.after(storage, n);
  }

  /// All of [#outboxAfter] at once: for storage that is known to be small.
  public List<OutboxRecord> outbox() {
    var records = new ArrayList<OutboxRecord>();
    List<OutboxRecord> page = outboxAfter(0);
    while (!page.isEmpty()) {
      records.addAll(page);
      page = outboxAfter(page.getLast().n());
    }
    return records;
  }

  // ---- sends ----------------------------------------------------------------------------------

  private Outcome send(Command.Send command, long nowMillis) {
    byte[] body = command.body();
    if (send.read(body, 0, body.length) != Prescan.Verdict.OK) {
      return MALFORMED;
    }
    if (send.csn() <= 0) {
      return WRONG_CSN;
    }
    if (!send.hasContent()) {
      return NO_CONTENT;
    }
    if (send.bodyBytes() > Limits.BODY_BYTES_MAX
        || send.contentBytes() - send.bodyBytes() > CONTENT_EXTRA_BYTES_MAX) {
      return TOO_LARGE;
    }
    if (send.kind() == Kind.KIND_UNSPECIFIED_VALUE || send.kind() == Kind.KIND_TOMBSTONE_VALUE) {
      return WRONG_KIND;
    }
    ChatState chat = chatOf(command.chat(), command.from().user());
    Member member = chat == null ? null : chat.member(command.from().user());
    if (chat == null || member == null || !member.isIn()) {
      return NOT_MEMBER;
    }
    Sender device = member.deviceOrNew(command.from().index());
    if (send.csn() <= device.lastCsn) {
      return repeat(command, chat, device);
    }
    if (send.csn() > device.lastCsn + 1) {
      return new Outcome.Refused(ErrorCode.OUT_OF_ORDER, device.lastCsn + 1, "");
    }
    if (send.replyTo() < 0 || send.replyTo() > chat.head) {
      return WRONG_REPLY;
    }
    if (!hasRoom.getAsBoolean()) {
      return DISK_FULL;
    }
    return append(command, chat, member, device, nowMillis);
  }

  private Outcome append(
      Command.Send command, ChatState chat, Member member, Sender device, long nowMillis) {
    long seq = chat.head + 1;
    long csn = send.csn();
    chat.tsMillis = Math.max(chat.tsMillis, nowMillis);
    long back = device.lastSeq == 0 ? 0 : seq - device.lastSeq;
    int headerBytes =
        EntryCodec.writeHeader(
            header, 0, member.user.value(), device.index, csn, back, chat.tsMillis, chat.uncounted);
    int from = send.contentOffset();
    batch.put(
        Keys.entry(chat.id, chat.slot, seq),
        header,
        headerBytes,
        command.body(),
        from,
        send.contentBytes());
    if (send.ttlSeconds() > 0) {
      expire(chat, seq, chat.tsMillis + send.ttlSeconds() * 1000);
    }
    chat.head = seq;
    chat.sent(member, device, csn, seq);
    if (chat.openFromSeq == 0) {
      chat.openFromSeq = seq;
    }
    touch(chat);
    sync = true;
    return new Outcome.Sent(
        new Entry(
            chat.id,
            seq,
            command.from(),
            csn,
            chat.tsMillis,
            seq - chat.uncounted,
            Arrays.copyOfRange(command.body(), from, from + send.contentBytes())),
        false,
        chat.everyone(),
        seq == 1 ? lists(chat) : List.of());
  }

  /// The csn has been taken: answers with the entry that took it, found along the device's chain.
  private Outcome repeat(Command.Send command, ChatState chat, Sender device) {
    if (device.lastCsn - send.csn() >= REPEATS_MAX) {
      return new Outcome.Refused(ErrorCode.CONFLICT, device.lastCsn + 1, "csn was used long ago");
    }
    var found = new EntryCodec.Header();
    long seq = device.lastSeq;
    byte[] value = stored(chat, seq);
    found.read(value);
    while (found.csn > send.csn()) {
      seq -= found.back;
      value = stored(chat, seq);
      found.read(value);
    }
    if (!found.isErased()
        && !Arrays.equals(
            value,
            found.contentOffset,
            value.length,
            command.body(),
            send.contentOffset(),
            send.contentOffset() + send.contentBytes())) {
      return new Outcome.Refused(
          ErrorCode.CONFLICT, device.lastCsn + 1, "csn was used for another content");
    }
    return new Outcome.Sent(
        EntryCodec.decode(chat.id, seq, value), true, chat.everyone(), List.of());
  }

  private static List<Command> lists(ChatState chat) {
    var lists = new ArrayList<Command>();
    for (UserId user : chat.everyone()) {
      lists.add(new Command.ListChat(user, chat.id));
    }
    return List.copyOf(lists);
  }

  /// The value of an entry that exists, be it in the open batch.
  private byte[] stored(ChatState chat, long seq) {
    byte[] key = Keys.entry(chat.id, chat.slot, seq);
    boolean open = chat.openFromSeq != 0 && seq >= chat.openFromSeq;
    byte[] value = open ? batch.find(key) : storage.get(key);
    if (value == null) {
      throw new IllegalStateException(chat.id + ": entry " + seq + " is missing");
    }
    return value;
  }

  /// Notes what the open batch owes to the chat's members, and to their lists when the chat is new.
  private static void owe(Outbox.Builder outbox, ChatState chat) {
    outbox
        .addEntries(chat.id.low())
        .addEntries(chat.id.high())
        .addEntries(chat.openFromSeq)
        .addEntries(chat.head - chat.openFromSeq + 1);
    if (chat.openFromSeq == 1) {
      for (Command list : lists(chat)) {
        OutboxRecords.add(outbox, list);
      }
    }
  }

  // ---- watermarks -----------------------------------------------------------------------------

  private Outcome ack(Command.Ack command, long nowMillis) {
    ChatState chat = chatOf(command.chat(), command.from().user());
    Member member = chat == null ? null : chat.member(command.from().user());
    if (chat == null || member == null) {
      return NOT_MEMBER;
    }
    long seq = command.seq();
    if (!mayAcknowledge(chat, member, seq)) {
      return WRONG_SEQ;
    }
    Sender device = member.deviceOrNew(command.from().index());
    loadPosition(chat, command.from(), device);
    if (seq > device.position) {
      device.position = seq;
      device.positionMoved = true;
      // Observers are told of it: a power cut must not take it back (ADR 2).
      sync = true;
      pendingPuts++;
      touch(chat);
    }
    loadWatermarks(chat, member);
    if (seq <= member.delivered) {
      return Outcome.Done.DONE;
    }
    member.delivered = seq;
    member.deliveredMoved = true;
    // Not before the entry itself, though the clock may have been set back.
    member.movedMillis = Math.max(nowMillis, chat.tsMillis);
    pendingPuts++;
    touch(chat);
    return new Outcome.Moved(
        member.user, seq, member.read, seq, member.read, chat.othersThan(member));
  }

  private Outcome read(Command.Read command, long nowMillis) {
    ChatState chat = chatOf(command.chat(), command.from().user());
    Member member = chat == null ? null : chat.member(command.from().user());
    if (chat == null || member == null) {
      return NOT_MEMBER;
    }
    long seq = command.seq();
    if (!mayAcknowledge(chat, member, seq)) {
      return WRONG_SEQ;
    }
    loadWatermarks(chat, member);
    if (seq <= member.read) {
      return Outcome.Done.DONE;
    }
    member.read = seq;
    member.delivered = Math.max(member.delivered, seq);
    member.readMoved = true;
    // Not before the entry itself, though the clock may have been set back.
    member.movedMillis = Math.max(nowMillis, chat.tsMillis);
    pendingPuts++;
    touch(chat);
    sync = true;
    // One's own other devices clear their badge.
    return new Outcome.Moved(
        member.user, member.delivered, seq, member.delivered, seq, chat.everyone());
  }

  private static boolean mayAcknowledge(ChatState chat, Member member, long seq) {
    return seq > 0 && seq <= (member.isIn() ? chat.head : member.leftSeq);
  }

  private void loadPosition(ChatState chat, DeviceId id, Sender device) {
    if (device.position < 0) {
      device.position = chat.fresh ? 0 : Watermarks.position(storage, chat.id, id);
    }
  }

  private void loadWatermarks(ChatState chat, Member member) {
    if (member.delivered < 0) {
      member.read = chat.fresh ? 0 : Watermarks.read(storage, chat.id, member.user);
      member.delivered =
          chat.fresh
              ? 0
              : Math.max(member.read, Watermarks.delivered(storage, chat.id, member.user));
    }
  }

  private void putWatermarks(ChatState chat) {
    List<Member> members = chat.members;
    for (int i = 0; i < members.size(); i++) {
      Member member = members.get(i);
      if (member.readMoved) {
        putWatermark(chat, member, Keys.READ, member.read);
      }
      // Reading implies delivery: a delivered step at or below the read one says nothing more,
      // unless it came before.
      if (member.deliveredMoved && !(member.readMoved && member.delivered == member.read)) {
        putWatermark(chat, member, Keys.DELIVERED, member.delivered);
      }
      member.readMoved = false;
      member.deliveredMoved = false;
      List<Sender> devices = member.devices;
      for (int j = 0; j < devices.size(); j++) {
        Sender device = devices.get(j);
        if (device.positionMoved) {
          device.positionMoved = false;
          batch.put(
              Keys.position(chat.id, chat.slot, new DeviceId(member.user, device.index)),
              Watermarks.positionValue(device.position));
        }
      }
    }
  }

  private void putWatermark(ChatState chat, Member member, byte kind, long seq) {
    batch.put(
        Keys.watermark(chat.id, chat.slot, member.user, kind, seq),
        Watermarks.timeValue(member.movedMillis));
  }

  // ---- users ----------------------------------------------------------------------------------

  private Outcome enrol(DeviceId device, long nowMillis) {
    // Even when all is there: it may have been created by this very batch.
    sync = sync || !enrolled.isEmpty();
    if (enrolled.contains(device) || storage.get(Keys.device(device)) != null) {
      return new Outcome.Enrolled(false, true);
    }
    if (devicesOf(device.user()) >= Limits.DEVICES_PER_USER_MAX) {
      return DEVICES_FULL;
    }
    boolean userExisted = storage.get(Keys.user(device.user())) != null;
    if (!userExisted) {
      batch.put(
          Keys.user(device.user()),
          User.newBuilder().setCreatedMs(nowMillis).build().toByteArray());
    }
    batch.put(
        Keys.device(device), Device.newBuilder().setCreatedMs(nowMillis).build().toByteArray());
    enrolled.add(device);
    sync = true;
    return new Outcome.Enrolled(true, userExisted);
  }

  private int devicesOf(UserId user) {
    int[] count = {0};
    storage.scan(
        Keys.device(user, 0),
        Keys.device(user, 0xFFFFFF),
        (key, value) -> ++count[0] < Limits.DEVICES_PER_USER_MAX);
    int open = 0;
    for (DeviceId device : enrolled) {
      if (device.user().equals(user)) {
        open++;
      }
    }
    return count[0] + open;
  }

  private Outcome listChat(Command.ListChat command, long nowMillis) {
    byte[] key = Keys.listed(command.user(), command.chat());
    if (storage.get(key) == null) {
      batch.put(key, ListedChat.newBuilder().setSinceMs(nowMillis).build().toByteArray());
      sync = true;
    }
    return Outcome.Done.DONE;
  }

  // ---- housekeeping ---------------------------------------------------------------------------

  private Outcome tick(Command.Tick command, long nowMillis) {
    if (command.probe()) {
      sync = true;
    }
    // Once a batch: what it erases is still in storage until commit.
    if (!swept) {
      swept = true;
      sweep(nowMillis);
    }
    return Outcome.Ticked.NOTHING;
  }

  private void expire(ChatState chat, long seq, long timeMillis) {
    batch.put(Keys.expiry(chat.id, timeMillis, seq), NO_BYTES);
    expiries.add(new Expiry(chat.slot - config.firstSlot(), timeMillis));
  }

  /// Lets the next tick find what this batch brought to storage.
  private void noteExpiries() {
    for (int i = 0; i < expiries.size(); i++) {
      Expiry expiry = expiries.get(i);
      // An unlooked slot stays one: it will find this expiry in storage.
      soonestExpiry[expiry.slotIndex] =
          Math.min(soonestExpiry[expiry.slotIndex], expiry.timeMillis);
    }
    expiries.clear();
  }

  /// Erases what is due, as much as one tick may.
  private void sweep(long nowMillis) {
    for (int i = 0; slotsLooked < soonestExpiry.length && i < NEW_SLOTS_PER_TICK; i++) {
      int slot = slotsLooked++;
      soonestExpiry[slot] = soonestExpiry(slot + config.firstSlot(), 0);
    }
    int left = ERASURES_PER_TICK;
    // Goes on where the last tick stopped, so that a busy slot does not starve the others.
    for (int i = 0; i < soonestExpiry.length && left > 0; i++) {
      int slot = sweepSlot;
      if (soonestExpiry[slot] != NOT_LOOKED && soonestExpiry[slot] <= nowMillis) {
        left -= sweep(slot, nowMillis, left);
      }
      if (left > 0) {
        sweepSlot = (sweepSlot + 1) % soonestExpiry.length;
      }
    }
  }

  private long soonestExpiry(int slot, long fromMillis) {
    long[] soonest = {NOTHING_EXPIRES};
    storage.scan(
        Keys.expiryFrom(slot, fromMillis),
        Keys.expiryFrom(slot, Long.MAX_VALUE),
        (key, value) -> {
          soonest[0] = Keys.expiryTime(key);
          return false;
        });
    return soonest[0];
  }

  private int sweep(int slotIndex, long nowMillis, int erasuresMax) {
    int slot = slotIndex + config.firstSlot();
    var due = new ArrayList<byte[]>();
    // From where the last one was: what was deleted before it need not be stepped over.
    storage.scan(
        Keys.expiryFrom(slot, soonestExpiry[slotIndex]),
        Keys.expiryFrom(slot, nowMillis + 1),
        (key, value) -> {
          due.add(key);
          return due.size() < erasuresMax;
        });
    var blocks = new Erasures(storage);
    for (byte[] key : due) {
      erase(Keys.expiryChat(key), Keys.expirySeq(key), blocks);
      batch.delete(key);
    }
    blocks.putTo(batch);
    soonestExpiry[slotIndex] =
        due.size() < erasuresMax
            ? soonestExpiry(slot, nowMillis + 1)
            : Keys.expiryTime(due.getLast());
    return due.size();
  }

  private void erase(ChatId chat, long seq, Erasures blocks) {
    byte[] key = Keys.entry(chat, seq);
    byte[] value = storage.get(key);
    if (value == null) {
      return;
    }
    var found = new EntryCodec.Header();
    found.read(value);
    if (!found.isErased()) {
      batch.put(key, EntryCodec.erased(found));
      blocks.add(chat, seq);
    }
  }

  // ---- chats in memory ------------------------------------------------------------------------

  /// The chat, loaded if need be; null when `user` cannot be in it.
  private @Nullable ChatState chatOf(ChatId id, UserId user) {
    if (!id.isGroup() && user.value() != id.low() && user.value() != id.high()) {
      return null;
    }
    ChatState chat = chats.get(id);
    if (chat == null) {
      chat = ChatState.load(storage, id);
      if (chat != null) {
        chats.put(id, chat);
      }
    }
    return chat;
  }

  private void touch(ChatState chat) {
    if (!chat.touched) {
      chat.touched = true;
      touched.add(chat);
    }
  }

  private void putSnapshot(ChatState chat) {
    batch.put(Keys.chat(chat.id), chat.snapshot());
    chat.snapshotSeq = chat.head;
  }

  private void dropColdChats() {
    if (chats.size() <= config.hotChatsMax()) {
      return;
    }
    Iterator<ChatState> eldest = chats.values().iterator();
    while (chats.size() > config.hotChatsMax()) {
      ChatState chat = eldest.next();
      if (chat.head > chat.snapshotSeq) {
        putSnapshot(chat);
      }
      eldest.remove();
    }
  }

  private static Outcome refused(ErrorCode code, String detail) {
    return new Outcome.Refused(code, 0, detail);
  }

  private void requireSound() {
    if (failed) {
      throw new IllegalStateException("a commit has failed: nothing may follow it");
    }
  }

  private boolean isOwner() {
    if (owner == null) {
      owner = Thread.currentThread();
    }
    return owner == Thread.currentThread();
  }
}
