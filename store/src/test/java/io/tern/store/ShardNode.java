package io.tern.store;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Reaction;
import io.tern.protocol.v1.Send;
import io.tern.protocol.v1.Setting;
import io.tern.store.memory.MemoryStorage;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// A shard for tests, on a simulated disk, with a clock that the test moves. `commit` after each
/// command unless the test prepares and commits itself.
final class ShardNode {

  static final UserId ALICE = new UserId(1001);
  static final UserId BOB = new UserId(2002);
  static final UserId EVE = new UserId(3003);
  static final DeviceId ALICE_1 = new DeviceId(ALICE, 1);
  static final DeviceId ALICE_2 = new DeviceId(ALICE, 2);
  static final DeviceId BOB_1 = new DeviceId(BOB, 1);
  static final DeviceId BOB_2 = new DeviceId(BOB, 2);
  static final DeviceId EVE_1 = new DeviceId(EVE, 1);
  static final ChatId CHAT = ChatId.direct(ALICE, BOB);

  final MemoryStorage storage = new MemoryStorage();
  long now = 1_700_000_000_000L;
  boolean hasRoom = true;
  int hotChatsMax = 1000;
  int hotMembersMax = ShardConfig.HOT_MEMBERS_MAX;
  int groupMembersMax = Limits.GROUP_MEMBERS_MAX;
  long editMillis = ShardConfig.EDIT_WINDOW.toMillis();
  long revokeMillis = ShardConfig.REVOKE_WINDOW.toMillis();
  private int ops;
  Shard shard;
  private int lastBatchPuts;
  private int lastBatchBytes;

  ShardNode() {
    start();
  }

  ShardNode(int hotChatsMax) {
    this.hotChatsMax = hotChatsMax;
    start();
  }

  /// A new life of the shard on what storage has.
  void start() {
    var local = new LocalLog(storage);
    CommitLog log =
        (batch, sync) -> {
          lastBatchPuts = batch.count();
          lastBatchBytes = batch.bytes();
          local.commit(batch, sync);
        };
    var config =
        new ShardConfig(
            0,
            1,
            hotChatsMax,
            hotMembersMax,
            groupMembersMax,
            Duration.ofMillis(editMillis),
            Duration.ofMillis(revokeMillis));
    shard = new Shard(storage, log, config, () -> hasRoom);
  }

  void restart() {
    storage.restart();
    start();
  }

  Outcome prepare(Command command) {
    return shard.prepare(command, now);
  }

  Outcome run(Command command) {
    Outcome outcome = shard.prepare(command, now);
    shard.commit();
    return outcome;
  }

  Outcome send(DeviceId from, ChatId chat, long csn, String text) {
    return run(new Command.Send(from, chat, body(csn, text)));
  }

  Outcome send(DeviceId from, long csn, String text) {
    return send(from, CHAT, csn, text);
  }

  Outcome prepareSend(DeviceId from, long csn, String text) {
    return prepare(new Command.Send(from, CHAT, body(csn, text)));
  }

  List<Entry> entries() {
    return Reads.after(storage, CHAT, ALICE, 1, Integer.MAX_VALUE, Integer.MAX_VALUE).entries();
  }

  List<String> texts() {
    return entries().stream().map(ShardNode::textOf).toList();
  }

  /// Records of the batch that was committed last.
  int lastBatchPuts() {
    return lastBatchPuts;
  }

  int lastBatchBytes() {
    return lastBatchBytes;
  }

  Outcome ack(DeviceId from, long seq) {
    return run(new Command.Ack(from, CHAT, seq));
  }

  Outcome read(DeviceId from, long seq) {
    return run(new Command.Read(from, CHAT, seq, false));
  }

  Reads.Summary summary(DeviceId viewer) {
    return Objects.requireNonNull(Reads.summary(storage, CHAT, viewer));
  }

  Outcome send(DeviceId from, ChatId chat, long csn, Content.Builder content) {
    return run(new Command.Send(from, chat, body(csn, content.build())));
  }

  // ---- groups

  /// A group of the device's user and others, with the title "group".
  Outcome create(DeviceId from, ChatId group, UserId... members) {
    var birth = GroupBirth.newBuilder().setTitle("group");
    for (UserId member : members) {
      birth.addMembers(member.value());
    }
    return run(new Command.GroupCreate(from, group, opId(1), birth.build()));
  }

  /// A change with an op id that was not used before.
  Outcome edit(DeviceId from, ChatId group, GroupChange change) {
    return run(new Command.GroupEdit(from, group, opId(1_000 + ops++), change));
  }

  static byte[] opId(int number) {
    return ByteBuffer.allocate(Limits.OP_ID_BYTES).putInt(number).array();
  }

  List<Long> seqs(ChatId chat, UserId viewer) {
    return Reads.after(storage, chat, viewer, 1, Integer.MAX_VALUE, Integer.MAX_VALUE)
        .entries()
        .stream()
        .map(Entry::seq)
        .toList();
  }

  List<Content> contents(ChatId chat, UserId viewer) {
    return Reads.after(storage, chat, viewer, 1, Integer.MAX_VALUE, Integer.MAX_VALUE)
        .entries()
        .stream()
        .map(ShardNode::contentOf)
        .toList();
  }

  Entry entry(ChatId chat, UserId viewer, long seq) {
    return Reads.after(storage, chat, viewer, seq, 1, Integer.MAX_VALUE).entries().getFirst();
  }

  /// What pages of the entries `first` to `last` tell `viewer`.
  Map<Long, List<Reaction>> reactions(ChatId chat, long first, long last, UserId viewer) {
    long head = Reads.before(storage, chat, viewer, Long.MAX_VALUE, 1, 1).head();
    return Reactions.to(storage, chat, first, last, head, viewer);
  }

  Reads.Summary summary(ChatId chat, DeviceId viewer) {
    return Objects.requireNonNull(Reads.summary(storage, chat, viewer));
  }

  /// What a tick tells.
  List<GroupProgress> tick() {
    if (run(new Command.Tick(0, false))
        instanceof Outcome.Ticked(List<GroupProgress> progress, _, _)) {
      return progress;
    }
    throw new AssertionError("not ticked");
  }

  // ---- settings

  Outcome set(DeviceId from, Setting.Builder... settings) {
    return run(
        new Command.ChangeSettings(
            from, Arrays.stream(settings).map(Setting.Builder::build).toList()));
  }

  /// Lets a user block another, and the direct chat know it.
  void block(DeviceId from, UserId other, boolean on) {
    var block = Setting.newBuilder();
    block.getBlockBuilder().setUser(other.value()).setOn(on);
    sent(set(from, block)).duties().forEach(this::run);
  }

  static Content contentOf(Entry entry) {
    try {
      return Content.parseFrom(entry.content());
    } catch (com.google.protobuf.InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }

  static byte[] body(long csn, String text) {
    return body(csn, text(text).build());
  }

  static byte[] body(long csn, Content content) {
    return Send.newBuilder().setCsn(csn).setContent(content).build().toByteArray();
  }

  static Content.Builder text(String text) {
    return Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(ByteString.copyFromUtf8(text));
  }

  static String textOf(Entry entry) {
    return contentOf(entry).getBody().toStringUtf8();
  }

  static Outcome.Refused refused(Outcome outcome, ErrorCode code) {
    if (outcome instanceof Outcome.Refused refused && refused.code() == code) {
      return refused;
    }
    throw new AssertionError("not refused with " + code + " but " + outcome);
  }

  static Outcome.Sent sent(Outcome outcome) {
    if (outcome instanceof Outcome.Sent sent) {
      return sent;
    }
    throw new AssertionError("not sent but " + outcome);
  }
}
