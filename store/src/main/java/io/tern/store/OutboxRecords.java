package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.store.v1.Outbox;
import java.util.ArrayList;
import java.util.List;

/// Turns an `O` record, which only names entries, back into what is owed and to whom.
final class OutboxRecords {

  private OutboxRecords() {}

  static OutboxRecord read(KeyValues storage, long n, Outbox outbox) {
    var due = new ArrayList<OutboxRecord.Due>();
    for (int i = 0; i < outbox.getEntriesCount(); i += 4) {
      var chat = new ChatId(outbox.getEntries(i), outbox.getEntries(i + 1));
      long from = outbox.getEntries(i + 2);
      addRun(storage, chat, from, from + outbox.getEntries(i + 3), due);
    }
    return new OutboxRecord(n, List.copyOf(due), lists(outbox));
  }

  static List<Command.ListChat> lists(Outbox outbox) {
    var lists = new ArrayList<Command.ListChat>();
    for (int i = 0; i < outbox.getListsCount(); i += 3) {
      lists.add(
          new Command.ListChat(
              new UserId(outbox.getLists(i)),
              new ChatId(outbox.getLists(i + 1), outbox.getLists(i + 2))));
    }
    return List.copyOf(lists);
  }

  private static void addRun(
      KeyValues storage, ChatId id, long from, long end, List<OutboxRecord.Due> due) {
    ChatState chat = ChatState.load(storage, id);
    if (chat == null) {
      throw new IllegalStateException("outbox names an unknown chat " + id);
    }
    List<UserId> members = chat.everyone();
    var delivered = new long[members.size()];
    for (int i = 0; i < delivered.length; i++) {
      delivered[i] = Watermarks.delivered(storage, id, members.get(i));
    }
    storage.scan(
        Keys.entry(id, from),
        Keys.entry(id, end),
        (key, value) -> {
          Entry entry = EntryCodec.decode(id, Keys.entrySeq(key), value);
          var waiting = new ArrayList<UserId>(1);
          for (int i = 0; i < delivered.length; i++) {
            UserId member = members.get(i);
            if (delivered[i] < entry.seq() && !member.equals(entry.sender().user())) {
              waiting.add(member);
            }
          }
          due.add(new OutboxRecord.Due(entry, members, List.copyOf(waiting)));
          return true;
        });
  }
}
