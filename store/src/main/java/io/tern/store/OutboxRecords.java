package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.store.v1.Outbox;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;

/// Turns `O` records, which only name entries, back into what is owed and to whom: a page of
/// records at a time. What they name is read in the order of its keys, each chat once, neighbours
/// together: after a crash under load there are hundreds of thousands, and record by record would
/// be one seek for each.
final class OutboxRecords {

  /// Entries and duties in a page, but for a record that has more by itself. With the largest
  /// bodies 64 MiB.
  static final int OWED_MAX = 4096;

  /// One record while it is put together.
  private static final class Owed {
    final long n;
    final Outbox outbox;
    final List<Run> runs = new ArrayList<>();

    Owed(long n, Outbox outbox) {
      this.n = n;
      this.outbox = outbox;
    }
  }

  /// Entries of one chat in one record.
  private static final class Run {
    final ChatId chat;
    final byte[] firstKey;
    final long from;
    final long end;
    final List<OutboxRecord.Due> due = new ArrayList<>(1);

    Run(ChatId chat, long from, long end) {
      this.chat = chat;
      this.firstKey = Keys.entry(chat, from);
      this.from = from;
      this.end = end;
    }
  }

  private OutboxRecords() {}

  /// The oldest records after batch `n`; empty when there are none.
  static List<OutboxRecord> after(KeyValues storage, long n) {
    var page = new ArrayList<Owed>();
    var runs = new ArrayList<Run>();
    long[] size = {0};
    storage.scan(
        Keys.outbox(n + 1),
        Keys.outbox(-1),
        (key, value) -> {
          var owed = new Owed(Keys.outboxN(key), Protos.outbox(value));
          Outbox outbox = owed.outbox;
          for (int i = 0; i < outbox.getEntriesCount(); i += 4) {
            long from = outbox.getEntries(i + 2);
            long count = outbox.getEntries(i + 3);
            var chat = new ChatId(outbox.getEntries(i), outbox.getEntries(i + 1));
            owed.runs.add(new Run(chat, from, from + count));
            size[0] += count;
          }
          size[0] += dutiesCount(outbox);
          page.add(owed);
          runs.addAll(owed.runs);
          return size[0] < OWED_MAX;
        });
    readEntries(storage, runs);
    return page.stream().map(OutboxRecords::record).toList();
  }

  private static OutboxRecord record(Owed owed) {
    var due = new ArrayList<OutboxRecord.Due>();
    for (Run run : owed.runs) {
      due.addAll(run.due);
    }
    return new OutboxRecord(owed.n, List.copyOf(due), duties(owed.outbox));
  }

  private static int dutiesCount(Outbox outbox) {
    return outbox.getListsCount() / 3
        + outbox.getBlocksCount() / 5
        + outbox.getLeavesCount() / 3
        + outbox.getNoticesCount() / 5;
  }

  static List<Command> duties(Outbox outbox) {
    var duties = new ArrayList<Command>();
    for (int i = 0; i < outbox.getListsCount(); i += 3) {
      duties.add(
          new Command.ListChat(
              new UserId(outbox.getLists(i)),
              new ChatId(outbox.getLists(i + 1), outbox.getLists(i + 2))));
    }
    for (int i = 0; i < outbox.getBlocksCount(); i += 5) {
      duties.add(
          new Command.SetBlock(
              new ChatId(outbox.getBlocks(i), outbox.getBlocks(i + 1)),
              new UserId(outbox.getBlocks(i + 2)),
              outbox.getBlocks(i + 3) != 0,
              outbox.getBlocks(i + 4)));
    }
    for (int i = 0; i < outbox.getLeavesCount(); i += 3) {
      duties.add(
          new Command.Leave(
              new ChatId(outbox.getLeaves(i + 1), outbox.getLeaves(i + 2)),
              new UserId(outbox.getLeaves(i))));
    }
    for (int i = 0; i < outbox.getNoticesCount(); i += 5) {
      var user = new UserId(outbox.getNotices(i));
      duties.add(
          new Command.TellRegistered(
              new ChatId(outbox.getNotices(i + 3), outbox.getNotices(i + 4)),
              new DeviceId(user, (int) outbox.getNotices(i + 1)),
              outbox.getNotices(i + 2)));
    }
    return List.copyOf(duties);
  }

  /// Notes that the entries of the open batch are owed to the chat's members.
  static void add(Outbox.Builder outbox, ChatState chat) {
    outbox
        .addEntries(chat.id.low())
        .addEntries(chat.id.high())
        .addEntries(chat.openFromSeq)
        .addEntries(chat.head - chat.openFromSeq + 1);
  }

  /// Notes what another shard is to do.
  static void add(Outbox.Builder outbox, Command duty) {
    switch (duty) {
      case Command.ListChat list ->
          outbox
              .addLists(list.user().value())
              .addLists(list.chat().low())
              .addLists(list.chat().high());
      case Command.SetBlock block ->
          outbox
              .addBlocks(block.chat().low())
              .addBlocks(block.chat().high())
              .addBlocks(block.by().value())
              .addBlocks(block.on() ? 1 : 0)
              .addBlocks(block.version());
      case Command.Leave leave ->
          outbox
              .addLeaves(leave.user().value())
              .addLeaves(leave.chat().low())
              .addLeaves(leave.chat().high());
      case Command.TellRegistered notice ->
          outbox
              .addNotices(notice.device().user().value())
              .addNotices(notice.device().index())
              .addNotices(notice.atMillis())
              .addNotices(notice.chat().low())
              .addNotices(notice.chat().high());
      default -> throw new IllegalArgumentException("not for another shard: " + duty);
    }
  }

  private static void readEntries(KeyValues storage, List<Run> runs) {
    runs.sort(Comparator.comparing(run -> run.firstKey, Arrays::compareUnsigned));
    int next = 0;
    while (next < runs.size()) {
      ChatId chat = runs.get(next).chat;
      var members = new Members(storage, chat);
      while (next < runs.size() && runs.get(next).chat.equals(chat)) {
        int first = next++;
        while (next < runs.size()
            && runs.get(next).chat.equals(chat)
            && runs.get(next).from == runs.get(next - 1).end) {
          next++;
        }
        readNeighbours(storage, runs.subList(first, next), members);
      }
    }
  }

  /// Runs that follow each other without a hole.
  private static void readNeighbours(KeyValues storage, List<Run> runs, Members members) {
    ChatId chat = runs.getFirst().chat;
    int[] current = {0};
    storage.scan(
        runs.getFirst().firstKey,
        Keys.entry(chat, runs.getLast().end),
        (key, value) -> {
          long seq = Keys.entrySeq(key);
          while (seq >= runs.get(current[0]).end) {
            current[0]++;
          }
          Entry entry = EntryCodec.decode(chat, seq, value);
          runs.get(current[0])
              .due
              .add(new OutboxRecord.Due(entry, members.seers(seq), members.waitingFor(entry)));
          return true;
        });
  }

  /// Who is or was in a chat, and what each of them has got.
  private static final class Members {
    private final KeyValues storage;
    private final ChatId chat;
    private final List<ChatState.Member> members;
    private final List<UserId> everyone;
    private final long[] delivered;

    // Of the entry that was read last. Neighbours mostly have the same.
    private List<UserId> seers = List.of();
    private List<UserId> waiting = List.of();

    Members(KeyValues storage, ChatId chat) {
      this.storage = storage;
      this.chat = chat;
      ChatState state = ChatState.members(storage, chat);
      members = state == null ? List.of() : state.members;
      everyone = state == null ? List.of() : state.everyone();
      delivered = new long[members.size()];
      Arrays.fill(delivered, -1);
    }

    List<UserId> seers(long seq) {
      if (!chat.isGroup()) {
        return everyone;
      }
      seers = shared(seers, members.stream().filter(m -> m.sees(seq)).map(m -> m.user).toList());
      return seers;
    }

    List<UserId> waitingFor(Entry entry) {
      var now = new ArrayList<UserId>(1);
      for (int i = 0; i < delivered.length; i++) {
        ChatState.Member member = members.get(i);
        if (member.sees(entry.seq())
            && !member.user.equals(entry.sender().user())
            && delivered(i) < entry.seq()) {
          now.add(member.user);
        }
      }
      waiting = shared(waiting, List.copyOf(now));
      return waiting;
    }

    private static List<UserId> shared(List<UserId> before, List<UserId> now) {
      return before.equals(now) ? before : now;
    }

    private long delivered(int i) {
      if (delivered[i] < 0) {
        delivered[i] = Watermarks.of(storage, chat, members.get(i).user).delivered();
      }
      return delivered[i];
    }
  }
}
