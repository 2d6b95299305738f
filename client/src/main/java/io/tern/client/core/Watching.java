package io.tern.client.core;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.netty.buffer.ByteBuf;
import io.tern.client.ClientListener.Presence;
import io.tern.client.ClientListener.Typing;
import io.tern.protocol.ChatId;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.PresenceSub;
import io.tern.protocol.v1.UserPresence;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What comes and is forgotten: who is there, who types. The server tells a session what it
/// watches, for ten minutes; this keeps the watch for as long as the app wants it: it is asked for
/// again before that time is over, on each connection, and when somebody's presence has lapsed,
/// then at a random moment, for all who watch them hear it at once.
///
/// Bounded by one request at a time and what the app may watch. For [ClientCore]'s thread.
public final class Watching {

  /// The server forgets after ten minutes.
  static final long RENEW_MILLIS = 8 * 60_000;

  static final long LAPSED_MILLIS_MAX = 5_000;
  private static final long REFUSED_MILLIS = 60_000;

  private static final Logger log = LoggerFactory.getLogger(ClientCore.class);

  private static final byte[] TYPING_STOPPED = {};
  private static final byte[] TYPING_TEXT = {1 << 3, 1};
  private static final byte[] TYPING_VOICE = {1 << 3, 1, 3 << 3, 1};

  private final ClientCore core;
  private PresenceSub wanted = PresenceSub.getDefaultInstance();

  /// The latest that was asked for; null: nothing since the app wanted something.
  private @Nullable PresenceSub asked;

  private boolean isAnswerDue;
  private long askAt = ClientCore.NEVER;

  Watching(ClientCore core) {
    this.core = core;
  }

  // ---- the app's calls

  /// In place of what was watched before.
  public void watch(long now, List<UserId> users, List<ChatId> groups) {
    PresenceSub.Builder sub = PresenceSub.newBuilder();
    users.forEach(user -> sub.addUsers(user.value()));
    groups.forEach(group -> sub.addGroups(group.wireId(core.me)));
    wanted = sub.build();
    askAt = now;
  }

  /// Tells the others, if there is a connection; else it is forgotten.
  public void typing(ChatId chatId, Typing typing) {
    if (core.isUp() && !core.isDraining()) {
      Chat chat = core.chat(chatId);
      byte[] body =
          switch (typing) {
            case STOPPED -> TYPING_STOPPED;
            case TEXT -> TYPING_TEXT;
            case VOICE -> TYPING_VOICE;
          };
      ByteBuf buf = core.out.buffer();
      FrameOut.header(buf, FrameType.TYPING, chat.wireFlags, 0, chat.wireId, 0, body.length);
      buf.writeBytes(body);
    }
  }

  // ---- the connection

  /// A session knows nothing of what the one before it watched.
  void onHelloAck(long now) {
    if (isWatching() && !isAnswerDue) {
      askAt = now;
    }
  }

  void write(long now) {
    if (now < askAt || isAnswerDue) {
      return;
    }
    askAt = ClientCore.NEVER;
    PresenceSub before = asked;
    if (!isWatching() && (before == null || isEmpty(before))) {
      return;
    }
    PresenceSub asking = wanted;
    asked = asking;
    isAnswerDue = true;
    core.questions.add(
        new Request(
            FrameType.PRESENCE_SUB,
            0,
            0,
            asking.toByteArray(),
            bytes -> {
              isAnswerDue = false;
              again(asking, RENEW_MILLIS);
              tell(bytes, core.passMillis);
            },
            refusal -> {
              log.warn("{}: cannot watch: {}", core, refusal.getMessage());
              isAnswerDue = false;
              again(asking, REFUSED_MILLIS);
            }));
  }

  private void again(PresenceSub answered, long millis) {
    if (!answered.equals(wanted)) {
      askAt = core.passMillis;
    } else if (isWatching()) {
      askAt = Math.min(askAt, core.passMillis + millis);
    }
  }

  private boolean isWatching() {
    return !isEmpty(wanted);
  }

  private static boolean isEmpty(PresenceSub sub) {
    return sub.getUsersCount() + sub.getGroupsCount() == 0;
  }

  long deadline() {
    return isAnswerDue ? ClientCore.NEVER : askAt;
  }

  // ---- what comes

  void onPresence(long now, ByteBuf in) throws InvalidProtocolBufferException {
    tell(core.bodyOf(in), now);
  }

  private void tell(ByteString body, long now) throws InvalidProtocolBufferException {
    boolean lapsed = false;
    for (UserPresence user : io.tern.protocol.v1.Presence.parseFrom(body).getUsersList()) {
      UserId id = ClientCore.userOf(user.getUser());
      if (id != null) {
        lapsed |= user.getLapsed();
        var told = new Presence(id, user.getOnline(), user.getLastSeenMs());
        core.listen(() -> core.listener.onPresence(told));
      }
    }
    if (lapsed && isWatching()) {
      askAt = Math.min(askAt, now + Backoff.random(core.random, LAPSED_MILLIS_MAX));
    }
  }

  void onTyping(ByteBuf in) {
    Chat chat = core.chatOfHeader();
    if (chat == null) {
      return;
    }
    boolean on = false;
    boolean recording = false;
    long member = 0;
    core.body.start(in, in.readerIndex(), core.header.bodyBytes());
    for (int tag = core.body.nextTag(); tag != BodyReader.END; tag = core.body.nextTag()) {
      switch (tag) {
        case 1 << 3 -> on = core.body.varint() != 0;
        case 2 << 3 -> member = core.body.varint();
        case 3 << 3 -> recording = core.body.varint() != 0;
        default -> core.body.skip(tag);
      }
    }
    UserId who =
        member == 0 && !chat.id.isGroup() ? chat.id.peerOf(core.me) : ClientCore.userOf(member);
    if (who != null && !core.body.isMalformed()) {
      Typing typing = !on ? Typing.STOPPED : recording ? Typing.VOICE : Typing.TEXT;
      core.listen(() -> core.listener.onTyping(chat.id, who, typing));
    }
  }
}
