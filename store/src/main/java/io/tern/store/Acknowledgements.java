package io.tern.store;

import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.store.ChatState.Member;
import io.tern.store.ChatState.Sender;
import io.tern.store.Outcome.Refused;
import java.util.List;

/// What devices acknowledge and users read: moves watermarks, only forward, and says who is told.
/// However often a watermark moves in a batch, the commit writes it once: [#putMoved].
///
/// Confined to its shard.
final class Acknowledgements {

  /// A watermark's put, about.
  private static final int WATERMARK_BYTES = 64;

  private static final Refused WRONG_SEQ = new Refused(ErrorCode.ARGUMENT, "seq");

  private final KeyValues storage;
  private final Round round;
  private final HotChats chats;
  private final GroupMarks marks;

  Acknowledgements(KeyValues storage, Round round, HotChats chats, GroupMarks marks) {
    this.storage = storage;
    this.round = round;
    this.chats = chats;
    this.marks = marks;
  }

  Outcome ack(Command.Ack command, long nowMillis) {
    ChatState chat = chats.of(command.chat(), command.from().user());
    Member member = chat == null ? null : chat.member(command.from().user());
    if (chat == null || member == null) {
      return Refusals.NOT_MEMBER;
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
      chats.touch(chat);
    }
    Watermarks.load(storage, chat, member);
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

  Outcome read(Command.Read command, long nowMillis) {
    ChatState chat = chats.of(command.chat(), command.from().user());
    Member member = chat == null ? null : chat.member(command.from().user());
    if (chat == null || member == null) {
      return Refusals.NOT_MEMBER;
    }
    long seq = command.seq();
    if (!mayAcknowledge(chat, member, seq)) {
      return WRONG_SEQ;
    }
    Watermarks.load(storage, chat, member);
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

  private static boolean mayAcknowledge(ChatState chat, Member member, long seq) {
    return seq > 0 && seq <= (member.isIn() ? chat.head : member.leftSeq);
  }

  private void loadPosition(ChatState chat, DeviceId id, Sender device) {
    if (device.position < 0) {
      device.position = chat.fresh ? 0 : Watermarks.position(storage, chat.id, id);
    }
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
    chats.touch(chat);
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

  // ---- the commit -----------------------------------------------------------------------------

  /// Puts the chat's watermarks that moved in the open batch.
  void putMoved(ChatState chat) {
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
          round.batch.put(
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
    round.batch.put(
        Keys.watermark(chat.id, chat.slot, member.user, kind, seq),
        Watermarks.timeValue(member.movedMillis));
  }
}
