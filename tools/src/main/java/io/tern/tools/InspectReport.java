package io.tern.tools;

import io.tern.store.Command;
import io.tern.store.Entry;
import io.tern.store.Inspect;
import io.tern.store.Inspect.ChatView;
import io.tern.store.Inspect.MemberView;
import io.tern.store.Inspect.OutboxView;
import io.tern.store.Inspect.UserView;
import io.tern.store.KeyValues;
import io.tern.store.rocks.Inspection;
import java.io.PrintWriter;
import java.time.Instant;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/// Prints what is in a data folder: lines for people, or one JSON object a line with a `type`.
final class InspectReport {

  private final PrintWriter out;
  private final Names names;
  private final boolean isJson;
  private final boolean hasEntries;

  /// @param hasEntries print the entries of chats too
  InspectReport(PrintWriter out, Names names, boolean isJson, boolean hasEntries) {
    this.out = out;
    this.names = names;
    this.isJson = isJson;
    this.hasEntries = hasEntries;
  }

  /// A shard and everything in it.
  void shard(Inspection inspection, int number) {
    var shard = inspection.shard(number);
    var view = Inspect.shard(shard);
    print(
        Json.object()
            .put("type", "shard")
            .put("shard", number)
            .put("schema", view.schema())
            .put("batch", view.n())
            .put("epoch", view.epoch())
            .put("acknowledged_batch", inspection.acknowledged(number)),
        "shard %d: schema %d, batch %d, epoch %d, acknowledged up to batch %d"
            .formatted(
                number, view.schema(), view.n(), view.epoch(), inspection.acknowledged(number)));
    Inspect.users(shard, going(this::print));
    Inspect.chats(shard, going(chat -> chat(shard, chat)));
    Inspect.outbox(shard, going(this::print));
  }

  private void print(UserView user) {
    var devices =
        user.devices().stream()
            .map(device -> Integer.toString(device.index()))
            .collect(Collectors.joining(", "));
    print(
        Json.object()
            .put("type", "user")
            .put("user", names.of(user.user()))
            .put("id", user.user().value())
            .put("created", time(user.createdMillis()))
            .put("devices", devices)
            .put("chats", user.chats().size()),
        "user %s: since %s, device %s, %d chats"
            .formatted(
                names.of(user.user()), time(user.createdMillis()), devices, user.chats().size()));
  }

  /// A chat, its members, and its entries where they are wanted.
  void chat(KeyValues shard, ChatView chat) {
    var members = Json.list();
    chat.members().forEach(member -> members.add(json(member)));
    print(
        Json.object()
            .put("type", "chat")
            .put("chat", chat.chat().toString())
            .put("slot", chat.slot())
            .put("head", chat.head())
            .put("last", time(chat.lastMillis()))
            .put("snapshot_seq", chat.snapshotSeq())
            .put("title", chat.title())
            .put("ttl_s", chat.ttlSeconds())
            .put("blocked", chat.blocked())
            .put("members", members),
        "chat %s%s (%s): %d entries, last %s, slot %d, snapshot at #%d"
            .formatted(
                chat.chat(),
                chat.title().isEmpty() ? "" : " \"" + chat.title() + "\"",
                chat.members().stream()
                    .map(member -> names.of(member.user()))
                    .collect(Collectors.joining(", ")),
                chat.head(),
                time(chat.lastMillis()),
                chat.slot(),
                chat.snapshotSeq()));
    if (!isJson) {
      chat.members().forEach(this::print);
    }
    if (hasEntries) {
      Inspect.entries(shard, chat.chat(), 1, going(this::print));
    }
  }

  private void print(MemberView member) {
    out.println(
        "  %s%s: delivered #%d, read #%d, last own #%d"
            .formatted(
                names.of(member.user()),
                standing(member),
                member.delivered(),
                member.read(),
                member.lastOwnSeq()));
    for (var device : member.devices()) {
      out.println(
          "    device %d: sent %d (last at #%d), acknowledged #%d"
              .formatted(
                  device.device().index(), device.lastCsn(), device.lastSeq(), device.position()));
    }
  }

  private static String standing(MemberView member) {
    if (member.leftSeq() != 0) {
      return " (#%d to #%d)".formatted(member.joinedSeq(), member.leftSeq());
    }
    return switch (member.role()) {
      case ROLE_OWNER -> " (owner)";
      case ROLE_ADMIN -> " (admin)";
      default -> "";
    };
  }

  private Json json(MemberView member) {
    var devices = Json.list();
    for (var device : member.devices()) {
      devices.add(
          Json.object()
              .put("device", device.device().index())
              .put("last_csn", device.lastCsn())
              .put("last_seq", device.lastSeq())
              .put("position", device.position()));
    }
    return Json.object()
        .put("user", names.of(member.user()))
        .put("role", member.role().getNumber())
        .put("joined_seq", member.joinedSeq())
        .put("left_seq", member.leftSeq())
        .put("delivered", member.delivered())
        .put("read", member.read())
        .put("last_own_seq", member.lastOwnSeq())
        .put("devices", devices);
  }

  private void print(Entry entry) {
    var view = EntryView.of(entry, names);
    print(
        view.json()
            .put("type", "entry")
            .put("device", entry.sender().index())
            .put("csn", entry.csn())
            .put("ordinal", entry.ordinal()),
        "  " + view.line());
  }

  private void print(OutboxView outbox) {
    var runs = Json.list();
    for (var run : outbox.runs()) {
      runs.add(
          Json.object()
              .put("chat", run.chat().toString())
              .put("first_seq", run.firstSeq())
              .put("count", run.count()));
    }
    var lists = Json.list();
    var blocks = Json.list();
    var leaves = Json.list();
    var notices = Json.list();
    for (var duty : outbox.duties()) {
      if (duty instanceof Command.Leave leave) {
        leaves.add(
            Json.object().put("user", names.of(leave.user())).put("chat", leave.chat().toString()));
      } else if (duty instanceof Command.ListChat list) {
        lists.add(
            Json.object().put("user", names.of(list.user())).put("chat", list.chat().toString()));
      } else if (duty instanceof Command.SetBlock block) {
        blocks.add(
            Json.object()
                .put("chat", block.chat().toString())
                .put("by", names.of(block.by()))
                .put("on", block.on()));
      } else if (duty instanceof Command.TellRegistered notice) {
        notices.add(
            Json.object()
                .put("user", names.of(notice.device().user()))
                .put("chat", notice.chat().toString()));
      }
    }
    print(
        Json.object()
            .put("type", "outbox")
            .put("batch", outbox.n())
            .put("runs", runs)
            .put("lists", lists)
            .put("blocks", blocks)
            .put("leaves", leaves)
            .put("notices", notices),
        "outbox of batch %d: %d entries to deliver, %d chats to list, block, leave or tell"
            .formatted(
                outbox.n(),
                outbox.runs().stream().mapToLong(Inspect.RunView::count).sum(),
                outbox.duties().size()));
  }

  private void print(Json json, String text) {
    out.println(isJson ? json.toString() : text);
  }

  private static String time(long millis) {
    return millis == 0 ? "never" : Instant.ofEpochMilli(millis).toString();
  }

  /// Visits everything.
  private static <T> Predicate<T> going(Consumer<T> visitor) {
    return one -> {
      visitor.accept(one);
      return true;
    };
  }
}
