package io.tern.store;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.Prescan;
import io.tern.protocol.SendBody;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Kind;
import io.tern.store.ChatState.Member;
import io.tern.store.ChatState.Sender;
import io.tern.store.v1.Device;
import io.tern.store.v1.ListedChat;
import io.tern.store.v1.Outbox;
import io.tern.store.v1.Position;
import io.tern.store.v1.Record;
import io.tern.store.v1.User;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
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
/// Puts of a batch: one `M` for each accepted send (and one `X` if it expires, one `@` for each
/// member it mentions), one `W` and one `V` for each member and device that acknowledged something,
/// one `O` if there were sends, one `Z`; a `C` when a chat has run [#SNAPSHOT_ENTRIES] ahead of its
/// snapshot, leaves memory, or has changed in what entries alone do not tell (members, roles,
/// title, timer, blocks). An event costs what it changes besides: see [Messages].
public final class Shard {

  /// A chat is written down at least this often, so that it loads with one get and a short scan.
  static final int SNAPSHOT_ENTRIES = 256;

  /// How far back a repeated csn gets its first answer again. A client has at most
  /// [Limits#SENDS_IN_FLIGHT_MAX] sends without an answer; this is generous.
  static final int REPEATS_MAX = 4 * Limits.SENDS_IN_FLIGHT_MAX;

  /// `Content` around its body and its link preview: numbers, mentions, and a little that later
  /// versions may add.
  static final int CONTENT_EXTRA_BYTES_MAX = 1024;

  /// Erasures a [Command.Tick] does, and slots whose expiries it looks at for the first time.
  static final int ERASURES_PER_TICK = 256;

  static final int NEW_SLOTS_PER_TICK = 512;

  /// Groups whose progress one tick tells, and authors it tells of in each.
  static final int GROUPS_PER_TICK = 64;

  static final int AUTHORS_PER_GROUP = 32;

  /// A watermark's put, about.
  private static final int WATERMARK_BYTES = 64;

  private static final long NOT_LOOKED = Long.MIN_VALUE;
  private static final long NOTHING_EXPIRES = Long.MAX_VALUE;

  private static final byte[] NO_BYTES = {};

  /// Largest value of a record of the user service.
  public static final int RECORD_BYTES_MAX = 16 * 1024;

  /// Chats that one [Command.EraseUser] takes from the list.
  static final int CHATS_LEFT_MAX = 256;

  private static final long VERSIONS_PER_BATCH = 1 << 20;

  /// What there may be of a self chat, by the tags of [Keys].
  private static final String SELF_TAGS = "CMWVR@E";

  /// An `X` key of the open batch.
  private record Expiry(int slotIndex, long timeMillis) {}

  private static final Outcome NOT_MEMBER = refused(ErrorCode.NOT_MEMBER, "");
  private static final Outcome WRONG_GROUP = refused(ErrorCode.ARGUMENT, "chat");
  private static final Outcome WRONG_OP = refused(ErrorCode.ARGUMENT, "op_id");
  private static final Outcome WRONG_SETTING = refused(ErrorCode.ARGUMENT, "set");
  private static final Outcome WRONG_DEVICE = refused(ErrorCode.ARGUMENT, "device");
  private static final Outcome NO_DEVICE = refused(ErrorCode.NOT_FOUND, "device");
  private static final Outcome REVOKED = refused(ErrorCode.REVOKED, "");
  private static final Outcome BANNED = refused(ErrorCode.BANNED, "");
  private static final Outcome NO_USER = refused(ErrorCode.NOT_FOUND, "user");
  private static final Outcome RECORD_TOO_LARGE = refused(ErrorCode.BODY_TOO_LARGE, "record");
  private static final Outcome BLOCKED = refused(ErrorCode.BLOCKED, "");
  private static final Outcome NOT_ALLOWED = refused(ErrorCode.NOT_ALLOWED, "");
  private static final Outcome OTHER_GROUP = refused(ErrorCode.CONFLICT, "another group's id");
  private static final Outcome VIEW_ONCE = refused(ErrorCode.ARGUMENT, "content.view_once");
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

  /// Members of all of them.
  private int hotMembers;

  // The open batch: its puts so far, and what commit will add.
  private final Round round;
  private final Batch batch;
  private final List<ChatState> touched = new ArrayList<>();
  private final List<Expiry> expiries = new ArrayList<>();

  /// Self chats whose users this batch erases.
  private final Set<ChatId> erasedSelves = new HashSet<>();

  private boolean enrolled;
  private boolean swept;
  private long n;

  private final Messages messages;
  private final GroupMarks marks;

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
  /// @throws IllegalStateException when storage was written by another version
  public Shard(Storage storage, CommitLog log, ShardConfig config, BooleanSupplier hasRoom) {
    this.storage = storage;
    this.log = log;
    this.config = config;
    this.hasRoom = hasRoom;
    round = new Round(storage);
    batch = round.batch;
    messages = new Messages(round, config);
    Position position = position(storage);
    if (position.getSchema() != 0 && position.getSchema() != Keys.SCHEMA) {
      throw new IllegalStateException(
          "written by another version: schema "
              + position.getSchema()
              + ", this one knows "
              + Keys.SCHEMA);
    }
    marks = new GroupMarks(round, storage);
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
      case Command.GroupCreate c -> createGroup(c, nowMillis);
      case Command.GroupEdit c -> editGroup(c, nowMillis);
      case Command.ChangeSettings c -> changeSettings(c, nowMillis);
      case Command.SetBlock c -> setBlock(c);
      case Command.RemoveDevice c -> removeDevice(c);
      case Command.Seen c -> seen(c, nowMillis);
      case Command.Revoke c -> revoke(c.device());
      case Command.PutRecord c -> putRecord(c, nowMillis);
      case Command.EraseUser c -> eraseUser(c.user(), nowMillis);
      case Command.Leave c -> leave(c, nowMillis);
      case Command.Ban c -> ban(c, nowMillis);
    };
  }

  /// The outbox record of batch `n` has done its work: deletes it with the open batch.
  public void settle(long n) {
    assert isOwner();
    batch.delete(Keys.outbox(n));
  }

  /// Bytes of the open batch, for the owner to bound it. What commit will add is estimated.
  public int openBytes() {
    return batch.bytes() + round.pendingBytes;
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
        chat.openFromSeq = 0;
      }
      if (chat.snapshotDue || chat.head - chat.snapshotSeq >= SNAPSHOT_ENTRIES) {
        putSnapshot(chat);
      }
      chat.touched = false;
    }
    touched.clear();
    if (outbox == null && !round.duties.isEmpty()) {
      outbox = Outbox.newBuilder();
    }
    dropColdChats();
    round.erasures.putTo(batch);

    boolean written = batch.count() > 0 || round.sync;
    if (written) {
      n++;
      if (outbox != null) {
        for (int i = 0; i < round.duties.size(); i++) {
          OutboxRecords.add(outbox, round.duties.get(i));
        }
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
      log.commit(batch, round.sync);
      failed = false;
    }
    round.clear();
    erasedSelves.clear();
    noteExpiries();
    enrolled = false;
    swept = false;
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
    // A link preview takes its room from the body, so that any message fits the smallest frame.
    int said = send.bodyBytes() + send.previewBytes();
    if (said > Limits.BODY_BYTES_MAX || send.contentBytes() - said > CONTENT_EXTRA_BYTES_MAX) {
      return TOO_LARGE;
    }
    int kind = send.kind();
    if (!Kinds.isForClients(kind)) {
      return WRONG_KIND;
    }
    ChatState chat = chatOf(command.chat(), command.from().user());
    Member member = chat == null ? null : chat.member(command.from().user());
    if (chat == null || member == null) {
      return NOT_MEMBER;
    }
    Sender device = member.deviceOrNew(command.from().index());
    if (send.csn() <= device.lastCsn) {
      return repeat(command, chat, device);
    }
    if (!member.isIn()) {
      return NOT_MEMBER;
    }
    if (send.csn() > device.lastCsn + 1) {
      return new Outcome.Refused(ErrorCode.OUT_OF_ORDER, device.lastCsn + 1, "");
    }
    if (send.replyTo() < 0 || send.replyTo() > chat.head) {
      return WRONG_REPLY;
    }
    if (chat.blocked) {
      return BLOCKED;
    }
    if (send.isViewOnce() && (chat.id.isGroup() || chat.id.isSelf())) {
      return VIEW_ONCE;
    }
    if (chat.group != null && !maySend(chat.group, member, kind)) {
      return NOT_ALLOWED;
    }
    if (chat.id.isSelf() && user(command.from().user()).getErased()) {
      return REVOKED;
    }
    boolean isEvent = Kinds.isClientEvent(kind);
    if (isEvent) {
      Outcome refusal = messages.refusal(chat, member, send, body, nowMillis);
      if (refusal != null) {
        return refusal;
      }
    }
    if (!hasRoom.getAsBoolean()) {
      return DISK_FULL;
    }
    Outcome.Sent sent = append(command, chat, member, device, nowMillis);
    if (isEvent) {
      messages.apply(chat, member, send, body, chat.head);
    }
    return sent;
  }

  /// Messages and edits need the right to send; other events have rules of their own.
  private static boolean maySend(GroupState group, Member member, int kind) {
    return switch (kind) {
      case Kind.KIND_REVOKE_VALUE,
          Kind.KIND_REACTION_VALUE,
          Kind.KIND_OPENED_VALUE,
          Kind.KIND_TIMER_VALUE ->
          true;
      default -> GroupRules.maySend(group, member);
    };
  }

  private Outcome.Sent append(
      Command.Send command, ChatState chat, Member member, Sender device, long nowMillis) {
    boolean isMessage = Kinds.isMessage(send.kind());
    if (!isMessage) {
      chat.uncounted++;
    }
    long seq = chat.head + 1;
    long csn = send.csn();
    long back = device.lastSeq == 0 ? 0 : seq - device.lastSeq;
    chat.tsMillis = Math.max(chat.tsMillis, nowMillis);
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
    if (!Kinds.isClientEvent(send.kind())) {
      long ttlSeconds = ttlSeconds(chat);
      if (ttlSeconds > 0) {
        expire(chat, seq, chat.tsMillis + ttlSeconds * 1000);
      }
    }
    if (isMessage) {
      for (int i = 0; i < send.mentionsCount(); i++) {
        messages.noteMention(chat, send.mention(i), seq);
      }
    }
    chat.sent(member, device, csn, seq, isMessage);
    if (chat.group != null) {
      marks.note(chat);
    }
    return appended(
        chat,
        new Entry(
            chat.id,
            seq,
            command.from(),
            csn,
            chat.tsMillis,
            seq - chat.uncounted,
            Arrays.copyOfRange(command.body(), from, from + send.contentBytes())),
        chat.everyone());
  }

  /// How long the message that is being sent lives; 0 = for ever.
  private long ttlSeconds(ChatState chat) {
    long ttl = shorter(send.ttlSeconds(), chat.ttlSeconds);
    return send.isViewOnce() ? shorter(ttl, Limits.VIEW_ONCE_SECONDS_MAX) : ttl;
  }

  private static long shorter(long one, long other) {
    return one == 0 || (other != 0 && other < one) ? other : one;
  }

  /// Appends what the server makes of a command other than SEND. It takes no csn and does not count
  /// as unread.
  private Entry appendEvent(
      ChatState chat, DeviceId by, Kind kind, ByteString body, long nowMillis) {
    chat.uncounted++;
    long seq = chat.head + 1;
    chat.tsMillis = Math.max(chat.tsMillis, nowMillis);
    byte[] content = Content.newBuilder().setKind(kind).setBody(body).build().toByteArray();
    int headerBytes =
        EntryCodec.writeHeader(
            header, 0, by.user().value(), by.index(), 0, 0, chat.tsMillis, chat.uncounted);
    batch.put(Keys.entry(chat.id, chat.slot, seq), header, headerBytes, content, 0, content.length);
    return new Entry(chat.id, seq, by, 0, chat.tsMillis, seq - chat.uncounted, content);
  }

  /// The entry is the chat's newest now.
  private Outcome.Sent appended(ChatState chat, Entry entry, List<UserId> members) {
    chat.head = entry.seq();
    if (chat.openFromSeq == 0) {
      chat.openFromSeq = entry.seq();
    }
    touch(chat);
    round.sync = true;
    return new Outcome.Sent(
        entry, false, members, entry.seq() == 1 ? owed(lists(chat.id, members)) : List.of());
  }

  private List<Command> owed(List<Command> duties) {
    round.duties.addAll(duties);
    return duties;
  }

  private static List<Command> lists(ChatId chat, List<UserId> users) {
    var lists = new ArrayList<Command>(users.size());
    for (UserId user : users) {
      lists.add(new Command.ListChat(user, chat));
    }
    return List.copyOf(lists);
  }

  /// The csn has been taken: answers with the entry that took it, found along the device's chain.
  private Outcome repeat(Command.Send command, ChatState chat, Sender device) {
    if (device.lastCsn - send.csn() >= REPEATS_MAX) {
      return new Outcome.Refused(ErrorCode.CONFLICT, device.lastCsn + 1, "csn was used long ago");
    }
    var found = new EntryCodec.Header();
    long seq = device.lastSeq;
    byte[] value = round.entry(chat, seq);
    found.read(value);
    while (found.csn > send.csn()) {
      seq -= found.back;
      value = round.entry(chat, seq);
      found.read(value);
    }
    if (found.isAsSent()
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
    return repeated(chat, seq, value);
  }

  private static Outcome repeated(ChatState chat, long seq, byte[] value) {
    return new Outcome.Sent(
        EntryCodec.decode(chat.id, seq, value), true, chat.everyone(), List.of());
  }

  /// Notes what the open batch owes to the chat's members.
  private static void owe(Outbox.Builder outbox, ChatState chat) {
    outbox
        .addEntries(chat.id.low())
        .addEntries(chat.id.high())
        .addEntries(chat.openFromSeq)
        .addEntries(chat.head - chat.openFromSeq + 1);
  }

  // ---- groups ---------------------------------------------------------------------------------

  private Outcome createGroup(Command.GroupCreate command, long nowMillis) {
    if (!command.group().isGroup()) {
      return WRONG_GROUP;
    }
    if (command.opId().length != Limits.OP_ID_BYTES) {
      return WRONG_OP;
    }
    UserId creator = command.from().user();
    ChatState found = chatOf(command.group(), creator);
    if (found != null) {
      // The id is made from the creator and the op id: the same creator means the same op.
      return found.group != null && found.group.creator.equals(creator)
          ? repeated(found, 1, round.entry(found, 1))
          : OTHER_GROUP;
    }
    Outcome refusal = GroupRules.refusal(creator, command.birth(), config.groupMembersMax());
    if (refusal != null) {
      return refusal;
    }
    if (!hasRoom.getAsBoolean()) {
      return DISK_FULL;
    }
    var group = new GroupState(creator);
    ChatState chat = ChatState.newGroup(command.group(), group);
    GroupEvent event = GroupRules.create(chat, group, command.birth());
    keep(chat);
    Entry entry =
        appendEvent(chat, command.from(), Kind.KIND_GROUP, event.toByteString(), nowMillis);
    group.changed(creator, command.opId(), entry.seq());
    round.snapshot(chat);
    return appended(chat, entry, chat.everyone());
  }

  private Outcome editGroup(Command.GroupEdit command, long nowMillis) {
    if (!command.group().isGroup()) {
      return WRONG_GROUP;
    }
    if (command.opId().length != Limits.OP_ID_BYTES) {
      return WRONG_OP;
    }
    UserId user = command.from().user();
    ChatState chat = chatOf(command.group(), user);
    GroupState group = chat == null ? null : chat.group;
    if (chat == null || group == null) {
      // As in a group that there is.
      return command.change() instanceof GroupChange.Join ? NOT_ALLOWED : NOT_MEMBER;
    }
    long done = group.seqOf(user, command.opId());
    if (done != 0) {
      return repeated(chat, done, round.entry(chat, done));
    }
    Member member = chat.member(user);
    Outcome refusal =
        GroupRules.refusal(
            chat,
            group,
            member != null && member.isIn() ? member : null,
            command.change(),
            config.groupMembersMax());
    if (refusal != null) {
      return refusal;
    }
    if (!hasRoom.getAsBoolean()) {
      return DISK_FULL;
    }
    List<UserId> newcomers = newcomers(chat, user, command.change());
    int weight = chat.weight();
    long seq = chat.head + 1;
    GroupEvent event = GroupRules.apply(chat, group, user, command.change(), seq);
    hotMembers += chat.weight() - weight;
    Entry entry =
        appendEvent(chat, command.from(), Kind.KIND_GROUP, event.toByteString(), nowMillis);
    group.changed(user, command.opId(), seq);
    round.snapshot(chat);
    marks.note(chat);
    Outcome.Sent sent = appended(chat, entry, chat.seers(seq));
    return newcomers.isEmpty()
        ? sent
        : new Outcome.Sent(entry, false, sent.members(), owed(lists(chat.id, newcomers)));
  }

  private static List<UserId> newcomers(ChatState chat, UserId by, GroupChange change) {
    return switch (change) {
      case GroupChange.Add(List<UserId> users) -> GroupRules.newcomers(chat, users);
      case GroupChange.Join j -> List.of(by);
      default -> List.of();
    };
  }

  // ---- settings -------------------------------------------------------------------------------

  private Outcome changeSettings(Command.ChangeSettings command, long nowMillis) {
    UserId user = command.from().user();
    UserSettings settings = UserSettings.of(user, command.set());
    if (settings == null) {
      return WRONG_SETTING;
    }
    Outcome refusal = settings.refusal(round);
    if (refusal != null) {
      return refusal;
    }
    ByteString body = settings.body();
    if (body.size() > Limits.BODY_BYTES_MAX) {
      return TOO_LARGE;
    }
    if (!hasRoom.getAsBoolean()) {
      return DISK_FULL;
    }
    ChatState chat = Objects.requireNonNull(chatOf(ChatId.direct(user, user), user));
    settings.apply(round, nowMillis);
    Entry entry = appendEvent(chat, command.from(), Kind.KIND_SETTING, body, nowMillis);
    Outcome.Sent sent = appended(chat, entry, chat.everyone());
    List<Command> blocks = settings.duties(entry.seq());
    if (blocks.isEmpty()) {
      return sent;
    }
    var duties = new ArrayList<>(sent.duties());
    duties.addAll(owed(blocks));
    return new Outcome.Sent(entry, false, sent.members(), List.copyOf(duties));
  }

  private Outcome setBlock(Command.SetBlock command) {
    ChatState chat = chatOf(command.chat(), command.by());
    if (chat == null || chat.group != null || chat.id.isSelf()) {
      return WRONG_GROUP;
    }
    // Even when it was there: perhaps by this very batch.
    round.sync = true;
    if (chat.setBlock(command.by(), command.on(), command.version())) {
      round.snapshot(chat);
      touch(chat);
    }
    return Outcome.Done.DONE;
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
      noteMoved(chat, member);
      // Observers are told of it: a power cut must not take it back (ADR 2).
      round.sync = true;
      round.pendingBytes += WATERMARK_BYTES;
      touch(chat);
    }
    GroupMarks.load(storage, chat, member);
    if (seq <= member.delivered) {
      return Outcome.Done.DONE;
    }
    member.delivered = seq;
    member.deliveredMoved = true;
    if (!chat.blocked) {
      showDelivered(member, seq);
    }
    moved(chat, member, nowMillis);
    return movedTo(
        member, chat.group != null || chat.blocked ? List.of() : chat.othersThan(member));
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
    GroupMarks.load(storage, chat, member);
    if (seq <= member.read) {
      return Outcome.Done.DONE;
    }
    boolean othersKnow = chat.group == null && !chat.blocked;
    member.read = seq;
    member.readMoved = true;
    if (seq > member.delivered) {
      member.delivered = seq;
      member.deliveredMoved = true;
    }
    if (!chat.blocked) {
      // That it was delivered is not hidden.
      othersKnow &= showDelivered(member, seq) || !command.hidden();
      if (!command.hidden()) {
        member.shownRead = seq;
        member.shownReadMoved = true;
      }
    }
    moved(chat, member, nowMillis);
    round.sync = true;
    // One's own other devices clear their badge.
    return movedTo(member, othersKnow ? chat.everyone() : List.of(member.user));
  }

  private static boolean showDelivered(Member member, long seq) {
    if (seq <= member.shownDelivered) {
      return false;
    }
    member.shownDelivered = seq;
    member.shownDeliveredMoved = true;
    return true;
  }

  private void moved(ChatState chat, Member member, long nowMillis) {
    // Not before the entry itself, though the clock may have been set back.
    member.movedMillis = Math.max(nowMillis, chat.tsMillis);
    round.pendingBytes += WATERMARK_BYTES;
    touch(chat);
    noteMoved(chat, member);
    if (chat.group != null && (member.shownDeliveredMoved || member.shownReadMoved)) {
      marks.note(chat);
    }
  }

  private static void noteMoved(ChatState chat, Member member) {
    if (!member.moved) {
      member.moved = true;
      chat.moved.add(member);
    }
  }

  private static Outcome.Moved movedTo(Member member, List<UserId> observers) {
    return new Outcome.Moved(
        member.user,
        member.delivered,
        member.read,
        member.shownDelivered,
        member.shownRead,
        observers);
  }

  private static boolean mayAcknowledge(ChatState chat, Member member, long seq) {
    return seq > 0 && seq <= (member.isIn() ? chat.head : member.leftSeq);
  }

  private void loadPosition(ChatState chat, DeviceId id, Sender device) {
    if (device.position < 0) {
      device.position = chat.fresh ? 0 : Watermarks.position(storage, chat.id, id);
    }
  }

  private void putWatermarks(ChatState chat) {
    List<Member> members = chat.moved;
    for (int i = 0; i < members.size(); i++) {
      Member member = members.get(i);
      putWatermarks(chat, member);
      member.moved = false;
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
    members.clear();
  }

  /// Reading implies delivery: a delivered step at or below the read one says nothing more, unless
  /// it came before. What others do not see of a step is one of another kind.
  private void putWatermarks(ChatState chat, Member member) {
    if (member.shownReadMoved) {
      putWatermark(chat, member, Keys.READ, member.shownRead);
    }
    if (member.readMoved && member.read > member.shownRead) {
      putWatermark(chat, member, Keys.READ_HIDDEN, member.read);
    }
    if (member.shownDeliveredMoved
        && !(member.shownReadMoved && member.shownDelivered == member.shownRead)) {
      putWatermark(chat, member, Keys.DELIVERED, member.shownDelivered);
    }
    if (member.deliveredMoved
        && member.delivered > member.shownDelivered
        && !(member.readMoved && member.delivered == member.read)) {
      putWatermark(chat, member, Keys.DELIVERED_HIDDEN, member.delivered);
    }
    member.readMoved = false;
    member.deliveredMoved = false;
    member.shownReadMoved = false;
    member.shownDeliveredMoved = false;
  }

  private void putWatermark(ChatState chat, Member member, byte kind, long seq) {
    batch.put(
        Keys.watermark(chat.id, chat.slot, member.user, kind, seq),
        Watermarks.timeValue(member.movedMillis));
  }

  // ---- users ----------------------------------------------------------------------------------

  private Outcome enrol(DeviceId device, long nowMillis) {
    // Even when all is there: it may have been created by this very batch.
    round.sync = round.sync || enrolled;
    byte[] user = round.get(Keys.user(device.user()));
    boolean userExisted = user != null;
    Outcome refusal = user == null ? null : refusal(Protos.parse(User.parser(), user), nowMillis);
    if (refusal != null) {
      return refusal;
    }
    Device found = device(device);
    if (found != null) {
      return found.getRemoved() ? REVOKED : new Outcome.Enrolled(false, true);
    }
    if (devicesOf(device.user()) >= Limits.DEVICES_PER_USER_MAX) {
      return DEVICES_FULL;
    }
    if (!userExisted) {
      round.put(
          Keys.user(device.user()),
          User.newBuilder().setCreatedMs(nowMillis).build().toByteArray());
    }
    round.put(
        Keys.device(device), Device.newBuilder().setCreatedMs(nowMillis).build().toByteArray());
    enrolled = true;
    round.sync = true;
    return new Outcome.Enrolled(true, userExisted);
  }

  /// Why the user may not be here; null when they may.
  private static @Nullable Outcome refusal(User user, long nowMillis) {
    if (user.getErased()) {
      return REVOKED;
    }
    return user.getBannedUntilMs() > nowMillis ? BANNED : null;
  }

  /// The default instance when there is none.
  private User user(UserId user) {
    byte[] value = round.get(Keys.user(user));
    return value == null ? User.getDefaultInstance() : Protos.parse(User.parser(), value);
  }

  private Outcome revoke(DeviceId device) {
    Device found = device(device);
    if (!user(device.user()).getErased() && (found == null || !found.getRemoved())) {
      Device.Builder removed = found == null ? Device.newBuilder() : found.toBuilder();
      round.put(Keys.device(device), removed.setRemoved(true).build().toByteArray());
    }
    // Even when it was: perhaps by this very batch.
    round.sync = true;
    return new Outcome.DeviceRemoved(device);
  }

  private Outcome ban(Command.Ban command, long nowMillis) {
    byte[] key = Keys.user(command.user());
    byte[] value = round.get(key);
    User before = value == null ? null : Protos.parse(User.parser(), value);
    if (before == null || before.getErased()) {
      return NO_USER;
    }
    long until = Math.max(0, command.untilMillis());
    round.put(key, before.toBuilder().setBannedUntilMs(until).build().toByteArray());
    round.sync = true;
    return until > nowMillis ? new Outcome.UserBanned(command.user()) : Outcome.Done.DONE;
  }

  private Outcome eraseUser(UserId user, long nowMillis) {
    User before = user(user);
    round.sync = true;
    if (!before.getErased()) {
      // Also for one who was never here: then the id never will be given.
      round.put(
          Keys.user(user),
          User.newBuilder()
              .setCreatedMs(before.getCreatedMs() == 0 ? nowMillis : before.getCreatedMs())
              .setErased(true)
              .build()
              .toByteArray());
    }
    batch.deleteRange(Keys.device(user, 0), Keys.device(user, 0xFFFFFF));
    batch.deleteRange(Keys.settingFrom(user), Keys.settingEnd(user));
    eraseSelf(user);
    List<ChatId> all = Reads.chatsOf(round, user, null, CHATS_LEFT_MAX + 1);
    List<ChatId> some = all.subList(0, Math.min(all.size(), CHATS_LEFT_MAX));
    var leaves = new ArrayList<Command>(some.size());
    for (ChatId chat : some) {
      round.delete(Keys.listed(user, chat));
      if (!chat.isSelf()) {
        leaves.add(new Command.Leave(chat, user));
      }
    }
    return new Outcome.UserErased(user, owed(List.copyOf(leaves)), all.size() > CHATS_LEFT_MAX);
  }

  /// The self chat lies in the slot of its user. What names it among the expiries finds nothing.
  private void eraseSelf(UserId user) {
    ChatId self = ChatId.direct(user, user);
    ChatState loaded = chats.remove(self);
    if (loaded != null) {
      hotMembers -= loaded.weight();
      touched.remove(loaded);
    }
    erasedSelves.add(self);
    round.erasures.forget(self);
    for (int i = 0; i < SELF_TAGS.length(); i++) {
      char tag = SELF_TAGS.charAt(i);
      batch.deleteRange(Keys.ofChatFrom(tag, self), Keys.ofChatEnd(tag, self));
    }
  }

  private Outcome leave(Command.Leave command, long nowMillis) {
    ChatState chat = chatOf(command.chat(), command.user());
    // Even when nothing is left to do: perhaps by this very batch.
    round.sync = true;
    if (chat == null || chat.id.isSelf()) {
      return Outcome.Done.DONE;
    }
    GroupState group = chat.group;
    if (group == null) {
      // For good: no setting has a later version.
      if (chat.setBlock(command.user(), true, Long.MAX_VALUE)) {
        round.snapshot(chat);
        touch(chat);
      }
      return Outcome.Done.DONE;
    }
    Member member = chat.member(command.user());
    if (member == null || !member.isIn()) {
      return Outcome.Done.DONE;
    }
    long seq = chat.head + 1;
    GroupEvent event = GroupRules.apply(chat, group, command.user(), new GroupChange.Leave(), seq);
    Entry entry =
        appendEvent(
            chat,
            new DeviceId(command.user(), 1),
            Kind.KIND_GROUP,
            event.toByteString(),
            nowMillis);
    group.version = seq;
    round.snapshot(chat);
    marks.note(chat);
    return appended(chat, entry, chat.everyone());
  }

  // ---- records of the user service ------------------------------------------------------------

  private Outcome putRecord(Command.PutRecord command, long nowMillis) {
    byte[] value = command.value();
    if (value != null && value.length > RECORD_BYTES_MAX) {
      return RECORD_TOO_LARGE;
    }
    byte[] key = Keys.record(command.key());
    byte[] stored = round.get(key);
    Record before = stored == null ? null : Protos.parse(Record.parser(), stored);
    boolean ended =
        before != null && before.getExpiresMs() != 0 && before.getExpiresMs() <= nowMillis;
    long found = before == null || ended ? 0 : before.getVersion();
    if (found != command.expected()) {
      return new Outcome.Recorded(false, found);
    }
    if (value != null && !hasRoom.getAsBoolean()) {
      return DISK_FULL;
    }
    if (before != null && before.getExpiresMs() != 0) {
      batch.delete(Keys.recordEnd(command.key(), before.getExpiresMs()));
    }
    round.sync = true;
    if (value == null) {
      if (before != null) {
        round.delete(key);
      }
      return new Outcome.Recorded(true, 0);
    }
    // Rises over deletions and restarts too: a batch has fewer records than that.
    long version = (n + 1) * VERSIONS_PER_BATCH + batch.count() + 1;
    long expiresMillis = Math.max(0, command.expiresMillis());
    round.put(
        key,
        Record.newBuilder()
            .setVersion(version)
            .setExpiresMs(expiresMillis)
            .setValue(ByteString.copyFrom(value))
            .build()
            .toByteArray());
    if (expiresMillis > 0) {
      batch.put(Keys.recordEnd(command.key(), expiresMillis), NO_BYTES);
      expiries.add(new Expiry(command.key().slot() - config.firstSlot(), expiresMillis));
    }
    return new Outcome.Recorded(true, version);
  }

  private @Nullable Device device(DeviceId device) {
    byte[] value = round.get(Keys.device(device));
    return value == null ? null : Protos.parse(Device.parser(), value);
  }

  private int devicesOf(UserId user) {
    int[] count = {0};
    round.scan(
        Keys.device(user, 0),
        Keys.device(user, 0xFFFFFF),
        (key, value) -> {
          count[0] += Protos.parse(Device.parser(), value).getRemoved() ? 0 : 1;
          return count[0] < Limits.DEVICES_PER_USER_MAX;
        });
    return count[0];
  }

  private Outcome removeDevice(Command.RemoveDevice command) {
    if (!DeviceId.isValid(command.device()) || command.device() == command.by().index()) {
      return WRONG_DEVICE;
    }
    var device = new DeviceId(command.by().user(), command.device());
    Device found = device(device);
    if (found == null) {
      return NO_DEVICE;
    }
    if (!found.getRemoved()) {
      round.put(Keys.device(device), found.toBuilder().setRemoved(true).build().toByteArray());
    }
    // Even when it was: perhaps by this very batch.
    round.sync = true;
    return new Outcome.DeviceRemoved(device);
  }

  private Outcome seen(Command.Seen command, long nowMillis) {
    Device found = device(command.device());
    if (found != null && found.getRemoved()) {
      return REVOKED;
    }
    Outcome refusal = refusal(user(command.device().user()), nowMillis);
    if (refusal != null) {
      return refusal;
    }
    if (found != null && command.atMillis() > found.getLastSeenMs()) {
      round.put(
          Keys.device(command.device()),
          found.toBuilder().setLastSeenMs(command.atMillis()).build().toByteArray());
      byte[] key = Keys.user(command.device().user());
      byte[] value = round.get(key);
      User user = value == null ? null : Protos.parse(User.parser(), value);
      if (user != null && command.atMillis() > user.getLastSeenMs()) {
        round.put(key, user.toBuilder().setLastSeenMs(command.atMillis()).build().toByteArray());
      }
    }
    return Outcome.Done.DONE;
  }

  private Outcome listChat(Command.ListChat command, long nowMillis) {
    byte[] key = Keys.listed(command.user(), command.chat());
    if (user(command.user()).getErased()) {
      return Outcome.Done.DONE;
    }
    if (round.get(key) == null) {
      round.put(key, ListedChat.newBuilder().setSinceMs(nowMillis).build().toByteArray());
      round.sync = true;
    }
    return Outcome.Done.DONE;
  }

  // ---- housekeeping ---------------------------------------------------------------------------

  private Outcome tick(Command.Tick command, long nowMillis) {
    if (command.probe()) {
      round.sync = true;
    }
    // Once a batch: what it erases is still in storage until commit.
    if (swept) {
      return Outcome.Ticked.NOTHING;
    }
    swept = true;
    sweep(nowMillis);
    List<GroupProgress> progress = marks.count(this::chatOf);
    return progress.isEmpty() ? Outcome.Ticked.NOTHING : new Outcome.Ticked(progress);
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
    boolean[] isRecord = {true};
    // Ends of records follow behind expiries: mostly there is neither, and one look says so.
    storage.scan(
        Keys.expiryFrom(slot, fromMillis),
        Keys.recordEndsFrom(slot, Long.MAX_VALUE),
        (key, value) -> {
          isRecord[0] = Keys.isRecordEnd(key);
          soonest[0] = isRecord[0] ? Keys.recordEndTime(key) : Keys.expiryTime(key);
          return false;
        });
    if (!isRecord[0]) {
      storage.scan(
          Keys.recordEndsFrom(slot, 0),
          Keys.recordEndsFrom(slot, Long.MAX_VALUE),
          (key, value) -> {
            soonest[0] = Math.min(soonest[0], Keys.recordEndTime(key));
            return false;
          });
    }
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
    for (byte[] key : due) {
      ChatId chat = Keys.expiryChat(key);
      if (!erasedSelves.contains(chat)) {
        messages.expire(chat, chats.get(chat), Keys.expirySeq(key));
      }
      batch.delete(key);
    }
    int ended = endRecords(slotIndex, nowMillis, erasuresMax - due.size());
    boolean done = due.size() + ended < erasuresMax;
    if (done) {
      soonestExpiry[slotIndex] = soonestExpiry(slot, nowMillis + 1);
    } else if (ended == 0) {
      // Records that ended have waited meanwhile: no more than their turn behind messages.
      soonestExpiry[slotIndex] = Keys.expiryTime(due.getLast());
    }
    return due.size() + ended;
  }

  /// Erases records that have ended; returns how many ends it looked at.
  private int endRecords(int slotIndex, long nowMillis, int recordsMax) {
    int slot = slotIndex + config.firstSlot();
    var due = new ArrayList<byte[]>();
    storage.scan(
        Keys.recordEndsFrom(slot, 0),
        Keys.recordEndsFrom(slot, nowMillis + 1),
        (key, value) -> due.size() < recordsMax && due.add(key));
    for (byte[] end : due) {
      byte[] key = Keys.record(Keys.recordOfEnd(end));
      byte[] value = round.get(key);
      Record record = value == null ? null : Protos.parse(Record.parser(), value);
      // It may have been written anew, by this very batch.
      if (record != null && record.getExpiresMs() == Keys.recordEndTime(end)) {
        round.delete(key);
      }
      batch.delete(end);
    }
    return due.size();
  }

  // ---- chats in memory ------------------------------------------------------------------------

  /// The chat, loaded if need be; null when `user` cannot be in it.
  private @Nullable ChatState chatOf(ChatId id, UserId user) {
    if (!id.isGroup() && user.value() != id.low() && user.value() != id.high()) {
      return null;
    }
    return chatOf(id);
  }

  private @Nullable ChatState chatOf(ChatId id) {
    ChatState chat = chats.get(id);
    // What was erased by the open batch is in storage until the commit.
    if (chat == null && !erasedSelves.contains(id)) {
      chat = ChatState.load(storage, id);
      if (chat != null) {
        keep(chat);
      }
    }
    return chat;
  }

  private void keep(ChatState chat) {
    chats.put(chat.id, chat);
    hotMembers += chat.weight();
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
    chat.snapshotDue = false;
  }

  private void dropColdChats() {
    if (!isOverfull()) {
      return;
    }
    Iterator<ChatState> eldest = chats.values().iterator();
    while (isOverfull()) {
      ChatState chat = eldest.next();
      if (chat.head > chat.snapshotSeq) {
        putSnapshot(chat);
      }
      hotMembers -= chat.weight();
      eldest.remove();
    }
  }

  /// One chat always fits.
  private boolean isOverfull() {
    return chats.size() > config.hotChatsMax()
        || (hotMembers > config.hotMembersMax() && chats.size() > 1);
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
