package io.tern.store;

import io.tern.store.v1.Outbox;
import io.tern.store.v1.Position;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// The state machine of one shard: chats and users of a range of slots. No threads, no I/O of its
/// own but reads of cold state from its [Storage] and the [CommitLog]; time comes with each call.
///
/// Confined to its owner (the ring's prepare handler), and so is everything it is made of. A round
/// is: any number of [#prepare] and [#settle], then one [#commit]. State in memory runs ahead of
/// the log between prepare and commit; that is safe because nothing of it is told to anyone before
/// commit returns, and a commit that fails ends the process.
///
/// Each command is some part's, which writes to the open batch, the [Round]:
///
/// ```
/// Sends             sends; Messages: what an event does to the message it is about
/// Acknowledgements  watermarks of members and devices
/// Groups            groups and their members; GroupRules: who may do what
/// SettingChanges    settings and blocks; UserSettings: what a change says
/// Users             devices, chat lists, bans, erasure
/// Notices           registrations that direct chats tell of
/// Records           records of the user service
/// Expiries          at a tick: messages that disappear, records that end
/// GroupMarks        at a tick: how far groups have got
/// ```
///
/// They share the [HotChats] and, for what the server says in a chat, the [Appender]; none of them
/// knows the shard.
///
/// Puts of a batch: one `M` for each accepted send (and one `X` if it expires, one `@` for each
/// member it mentions), one `W` and one `V` for each member and device that acknowledged something,
/// one `O` if there were sends, one `Z`; a `C` when a chat has run [HotChats#SNAPSHOT_ENTRIES]
/// ahead of its snapshot, leaves memory, or has changed in what entries alone do not tell (members,
/// roles, title, timer, blocks, registrations). An event costs what it changes besides: see
/// [Messages].
public final class Shard {

  private final Storage storage;
  private final CommitLog log;
  private final long epoch;

  /// Number of the newest batch.
  private long n;

  // The open batch.
  private final Round round;
  private final Batch batch;
  private boolean swept;

  private final HotChats chats;
  private final Sends sends;
  private final Acknowledgements acknowledgements;
  private final Groups groups;
  private final SettingChanges settings;
  private final Users users;
  private final Notices notices;
  private final Records records;
  private final Expiries expiries;
  private final GroupMarks marks;

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
    Position position = position(storage);
    if (position.getSchema() != 0 && position.getSchema() != Keys.SCHEMA) {
      throw new IllegalStateException(
          "written by another version: schema "
              + position.getSchema()
              + ", this one knows "
              + Keys.SCHEMA);
    }
    n = position.getN();
    epoch = Math.max(1, position.getEpoch());
    round = new Round(storage);
    batch = round.batch;
    chats = new HotChats(storage, round, config);
    marks = new GroupMarks(round, storage);
    var messages = new Messages(round, config);
    expiries = new Expiries(storage, round, chats, messages, config);
    var appender = new Appender(round, chats);
    sends = new Sends(round, chats, appender, messages, marks, expiries, hasRoom);
    acknowledgements = new Acknowledgements(storage, round, chats, marks);
    groups = new Groups(round, chats, appender, marks, config.groupMembersMax(), hasRoom);
    settings = new SettingChanges(round, chats, appender, hasRoom);
    users = new Users(round, chats);
    notices = new Notices(round, chats, appender);
    records = new Records(round, expiries, hasRoom);
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
      case Command.Send c -> sends.send(c, nowMillis);
      case Command.Ack c -> acknowledgements.ack(c, nowMillis);
      case Command.Read c -> acknowledgements.read(c, nowMillis);
      case Command.Enrol c -> users.enrol(c.device(), nowMillis);
      case Command.ListChat c -> users.list(c, nowMillis);
      case Command.Tick c -> tick(c, nowMillis);
      case Command.GroupCreate c -> groups.create(c, nowMillis);
      case Command.GroupEdit c -> groups.edit(c, nowMillis);
      case Command.ChangeSettings c -> settings.change(c, nowMillis);
      case Command.SetBlock c -> settings.block(c);
      case Command.RemoveDevice c -> users.removeDevice(c);
      case Command.Seen c -> users.seen(c, nowMillis);
      case Command.Revoke c -> users.revoke(c.device());
      case Command.PutRecord c -> records.put(c, n + 1, nowMillis);
      case Command.EraseUser c -> users.erase(c.user(), nowMillis);
      case Command.Leave c -> c.chat().isGroup() ? groups.leave(c, nowMillis) : settings.shut(c);
      case Command.Ban c -> users.ban(c, nowMillis);
      case Command.Announce c -> notices.announce(c);
      case Command.TellRegistered c -> notices.tell(c, nowMillis);
    };
  }

  private Outcome tick(Command.Tick command, long nowMillis) {
    if (command.probe()) {
      round.sync = true;
    }
    // Once a batch: what it erases is still in storage until commit.
    if (swept) {
      return Outcome.Ticked.NOTHING;
    }
    swept = true;
    boolean more = expiries.sweep(nowMillis);
    List<GroupProgress> progress = command.onlyExpired() ? List.of() : marks.count(chats);
    return new Outcome.Ticked(
        progress, more, marks.isEmpty() ? expiries.soonestMillis() : Long.MIN_VALUE);
  }

  /// The outbox record of batch `n` has done its work: deletes it with the open batch.
  public void settle(long n) {
    assert isOwner();
    batch.delete(Keys.outbox(n));
  }

  /// Bytes of the open batch, for the owner to bound it. What commit will add is estimated.
  public int openBytes() {
    return batch.bytes() + round.pendingBytes + chats.excessBytes();
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
    List<ChatState> touched = chats.touched();
    for (int i = 0; i < touched.size(); i++) {
      ChatState chat = touched.get(i);
      acknowledgements.putMoved(chat);
      if (chat.openFromSeq != 0) {
        if (outbox == null) {
          outbox = Outbox.newBuilder();
        }
        OutboxRecords.add(outbox, chat);
        chat.openFromSeq = 0;
      }
      chats.snapshotIfDue(chat);
    }
    if (outbox == null && !round.duties.isEmpty()) {
      outbox = Outbox.newBuilder();
    }
    chats.letGo();
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
    chats.committed();
    expiries.committed();
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
