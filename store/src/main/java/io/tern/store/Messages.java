package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.SendBody;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.store.ChatState.Member;
import io.tern.store.Outcome.Refused;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// What happens to messages after they were sent: edits, revokes, reactions, view-once messages
/// that were opened, expiry. An event is checked by [#refusal] and, once it has its own place in
/// the log, done by [#apply].
///
/// Whatever takes a message's content away takes away all of it: its reactions, its entries in the
/// index of mentions, and the copy in the event that edited it last (an event that was followed by
/// another edit lost its copy then).
///
/// Confined to its shard.
final class Messages {

  private static final Refused NO_TARGET = new Refused(ErrorCode.NOT_FOUND, "content.target");
  private static final Refused TOO_LATE = new Refused(ErrorCode.NOT_ALLOWED, "too late");
  private static final Refused WRONG_REACTION = new Refused(ErrorCode.ARGUMENT, "content.body");

  private final Round round;
  private final ShardConfig config;

  // The target of the event that is being checked.
  private final EntryCodec.Header target = new EntryCodec.Header();
  private byte[] targetValue = {};

  Messages(Round round, ShardConfig config) {
    this.round = round;
    this.config = config;
  }

  /// Why the event cannot be; null when it can, or when it is of a kind that is not known here.
  @Nullable Refused refusal(ChatState chat, Member by, SendBody send, byte[] body, long nowMillis) {
    return switch (send.kind()) {
      case Kind.KIND_EDIT_VALUE -> edit(chat, by, send, nowMillis);
      case Kind.KIND_REVOKE_VALUE -> revoke(chat, by, send, nowMillis);
      case Kind.KIND_REACTION_VALUE -> reaction(chat, by, send, body);
      case Kind.KIND_OPENED_VALUE -> opened(chat, by, send);
      case Kind.KIND_TIMER_VALUE ->
          chat.group == null || GroupRules.mayEdit(chat.group, by) ? null : Refusals.NOT_ALLOWED;
      default -> null;
    };
  }

  private @Nullable Refused edit(ChatState chat, Member by, SendBody send, long nowMillis) {
    if (!findTarget(chat, by, send.target())) {
      return NO_TARGET;
    }
    if (target.sender != by.user.value()) {
      return Refusals.NOT_ALLOWED;
    }
    return nowMillis - target.tsMillis > config.editWindow().toMillis() ? TOO_LATE : null;
  }

  private @Nullable Refused revoke(ChatState chat, Member by, SendBody send, long nowMillis) {
    if (!findTarget(chat, by, send.target())) {
      return NO_TARGET;
    }
    boolean own = target.sender == by.user.value();
    if (!own && !by.isAdmin()) {
      return Refusals.NOT_ALLOWED;
    }
    boolean late = nowMillis - target.tsMillis > config.revokeWindow().toMillis();
    return late ? TOO_LATE : null;
  }

  private @Nullable Refused reaction(ChatState chat, Member by, SendBody send, byte[] body) {
    if (send.bodyBytes() > Limits.REACTION_BYTES_MAX
        || !isText(body, send.bodyOffset(), send.bodyBytes())) {
      return WRONG_REACTION;
    }
    return findTarget(chat, by, send.target()) ? null : NO_TARGET;
  }

  private @Nullable Refused opened(ChatState chat, Member by, SendBody send) {
    if (!findTarget(chat, by, send.target())) {
      return NO_TARGET;
    }
    boolean others = target.sender != by.user.value();
    return others && Protos.content(target.content(targetValue)).getViewOnce()
        ? null
        : Refusals.NOT_ALLOWED;
  }

  /// Whether `seq` is a message that `by` sees and that has its content; reads it.
  private boolean findTarget(ChatState chat, Member by, long seq) {
    if (seq <= 0 || seq > chat.head || !by.sees(seq)) {
      return false;
    }
    targetValue = round.entry(chat, seq);
    target.read(targetValue);
    return !target.isErased() && Kinds.isMessage(Kinds.of(target.content(targetValue)));
  }

  private static boolean isText(byte[] bytes, int offset, int length) {
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes, offset, length));
      return true;
    } catch (CharacterCodingException e) {
      return false;
    }
  }

  /// Does what [#refusal], just before, had nothing against. The event is entry `seq` by now.
  void apply(ChatState chat, Member by, SendBody send, byte[] body, long seq) {
    switch (send.kind()) {
      case Kind.KIND_EDIT_VALUE -> {
        int from = send.contentOffset();
        edited(
            chat,
            send.target(),
            Protos.content(Arrays.copyOfRange(body, from, from + send.contentBytes())),
            seq);
      }
      case Kind.KIND_REVOKE_VALUE, Kind.KIND_OPENED_VALUE ->
          erase(chat.id, chat, send.target(), targetValue, target);
      case Kind.KIND_REACTION_VALUE -> {
        byte[] key = Keys.reaction(chat.id, send.target(), by.user);
        if (send.bodyBytes() == 0) {
          round.delete(key);
        } else {
          round.put(key, Reactions.value(seq, body, send.bodyOffset(), send.bodyBytes()));
        }
      }
      case Kind.KIND_TIMER_VALUE -> {
        chat.ttlSeconds = send.ttlSeconds();
        round.snapshot(chat);
      }
      default -> {}
    }
  }

  private void edited(ChatState chat, long seq, Content event, long editSeq) {
    Content before = Protos.content(target.content(targetValue));
    Content.Builder after =
        before.toBuilder()
            .setBody(event.getBody())
            .clearMentions()
            .addAllMentions(event.getMentionsList())
            .clearPreview();
    if (event.hasPreview()) {
      after.setPreview(event.getPreview());
    }
    forgetMentions(chat.id, seq, before);
    voidEdit(chat.id, chat, target.editSeq);
    round.put(
        Keys.entry(chat.id, seq),
        EntryCodec.edited(target, chat.tsMillis, editSeq, after.build().toByteArray()));
    for (long user : event.getMentionsList()) {
      noteMention(chat, user, seq);
    }
  }

  /// Puts a mention of a member into the index; of others there is none.
  void noteMention(ChatState chat, long user, long seq) {
    if (UserId.isValid(user)) {
      var mentioned = new UserId(user);
      Member member = chat.member(mentioned);
      if (member != null && member.isIn()) {
        round.batch.put(Keys.mention(chat.id, mentioned, seq), Keys.NO_VALUE);
      }
    }
  }

  private void forgetMentions(ChatId chat, long seq, Content content) {
    for (long user : content.getMentionsList()) {
      if (UserId.isValid(user)) {
        round.batch.delete(Keys.mention(chat, new UserId(user), seq));
      }
    }
  }

  /// Takes the content of the message `seq` away because its time has come, if it still has it.
  ///
  /// @param loaded the chat, if it is in memory
  void expire(ChatId chat, @Nullable ChatState loaded, long seq) {
    byte[] value = round.entry(chat, seq, isOpen(loaded, seq));
    if (value == null) {
      return;
    }
    var header = new EntryCodec.Header();
    header.read(value);
    if (!header.isErased()) {
      erase(chat, loaded, seq, value, header);
    }
  }

  private void erase(
      ChatId chat, @Nullable ChatState loaded, long seq, byte[] value, EntryCodec.Header header) {
    Content content = Protos.content(header.content(value));
    round.put(Keys.entry(chat, seq), EntryCodec.erased(header));
    if (Kinds.isMessage(content.getKindValue())) {
      round.erasures.add(chat, seq);
    }
    forgetMentions(chat, seq, content);
    voidEdit(chat, loaded, header.editSeq);
    var reactions = new ArrayList<byte[]>();
    round.scan(
        Keys.reactionsFrom(chat, seq),
        Keys.reactionsFrom(chat, seq + 1),
        (key, text) -> reactions.add(key));
    reactions.forEach(round::delete);
  }

  /// Takes the content out of the event that edited a message.
  ///
  /// @param seq 0 = there was none
  private void voidEdit(ChatId chat, @Nullable ChatState loaded, long seq) {
    byte[] value = seq == 0 ? null : round.entry(chat, seq, isOpen(loaded, seq));
    if (value != null) {
      var header = new EntryCodec.Header();
      header.read(value);
      round.put(Keys.entry(chat, seq), EntryCodec.voided(header, Kind.KIND_EDIT_VALUE));
    }
  }

  private static boolean isOpen(@Nullable ChatState chat, long seq) {
    return chat != null && chat.openFromSeq != 0 && seq >= chat.openFromSeq;
  }
}
