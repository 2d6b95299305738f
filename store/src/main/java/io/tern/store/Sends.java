package io.tern.store;

import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.Prescan;
import io.tern.protocol.SendBody;
import io.tern.protocol.v1.Kind;
import io.tern.store.ChatState.Member;
import io.tern.store.ChatState.Sender;
import io.tern.store.Outcome.Refused;
import java.util.Arrays;
import java.util.function.BooleanSupplier;

/// What clients send: checks it, gives each csn of a device its one entry, and finds that entry
/// again when the csn is repeated. What an event does to the message it is about is [Messages]'.
///
/// The hot path of a shard. Confined to it.
final class Sends {

  /// How far back a repeated csn gets its first answer again. A client has at most
  /// [Limits#SENDS_IN_FLIGHT_MAX] sends without an answer; this is generous.
  static final int REPEATS_MAX = 4 * Limits.SENDS_IN_FLIGHT_MAX;

  /// `Content` around its body and its link preview: numbers, mentions, and a little that later
  /// versions may add.
  static final int CONTENT_EXTRA_BYTES_MAX = 1024;

  private static final Refused MALFORMED = new Refused(ErrorCode.ARGUMENT, "body");
  private static final Refused WRONG_CSN = new Refused(ErrorCode.ARGUMENT, "csn");
  private static final Refused NO_CONTENT = new Refused(ErrorCode.ARGUMENT, "content");
  private static final Refused WRONG_KIND = new Refused(ErrorCode.ARGUMENT, "content.kind");
  private static final Refused WRONG_REPLY = new Refused(ErrorCode.ARGUMENT, "content.reply_to");
  private static final Refused VIEW_ONCE = new Refused(ErrorCode.ARGUMENT, "content.view_once");
  private static final Refused BLOCKED = new Refused(ErrorCode.BLOCKED, "");

  private final Round round;
  private final HotChats chats;
  private final Appender appender;
  private final Messages messages;
  private final GroupMarks marks;
  private final Expiries expiries;
  private final BooleanSupplier hasRoom;

  // To be filled in again and again.
  private final SendBody send = new SendBody();
  private final byte[] header = new byte[EntryCodec.HEADER_BYTES_MAX];

  Sends(
      Round round,
      HotChats chats,
      Appender appender,
      Messages messages,
      GroupMarks marks,
      Expiries expiries,
      BooleanSupplier hasRoom) {
    this.round = round;
    this.chats = chats;
    this.appender = appender;
    this.messages = messages;
    this.marks = marks;
    this.expiries = expiries;
    this.hasRoom = hasRoom;
  }

  Outcome send(Command.Send command, long nowMillis) {
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
      return Refusals.TOO_LARGE;
    }
    int kind = send.kind();
    if (!Kinds.isForClients(kind)) {
      return WRONG_KIND;
    }
    ChatState chat = chats.of(command.chat(), command.from().user());
    Member member = chat == null ? null : chat.member(command.from().user());
    if (chat == null || member == null) {
      return Refusals.NOT_MEMBER;
    }
    Sender device = member.deviceOrNew(command.from().index());
    if (send.csn() <= device.lastCsn) {
      return repeat(command, chat, device);
    }
    if (!member.isIn()) {
      return Refusals.NOT_MEMBER;
    }
    if (send.csn() > device.lastCsn + 1) {
      return new Refused(ErrorCode.OUT_OF_ORDER, device.lastCsn + 1, "");
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
      return Refusals.NOT_ALLOWED;
    }
    if (chat.id.isSelf() && Users.of(round, command.from().user()).getErased()) {
      return Refusals.REVOKED;
    }
    boolean isEvent = Kinds.isClientEvent(kind);
    if (isEvent) {
      Outcome refusal = messages.refusal(chat, member, send, body, nowMillis);
      if (refusal != null) {
        return refusal;
      }
    }
    if (!hasRoom.getAsBoolean()) {
      return Refusals.DISK_FULL;
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
    round.batch.put(
        Keys.entry(chat.id, chat.slot, seq),
        header,
        headerBytes,
        command.body(),
        from,
        send.contentBytes());
    if (!Kinds.isClientEvent(send.kind())) {
      long ttlSeconds = ttlSeconds(chat);
      if (ttlSeconds > 0) {
        expiries.add(chat, seq, chat.tsMillis + ttlSeconds * 1000);
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
    return appender.appended(
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

  /// The csn has been taken: answers with the entry that took it, found along the device's chain.
  private Outcome repeat(Command.Send command, ChatState chat, Sender device) {
    if (device.lastCsn - send.csn() >= REPEATS_MAX) {
      return new Refused(ErrorCode.CONFLICT, device.lastCsn + 1, "csn was used long ago");
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
      return new Refused(
          ErrorCode.CONFLICT, device.lastCsn + 1, "csn was used for another content");
    }
    return Appender.repeated(chat, seq, value);
  }
}
