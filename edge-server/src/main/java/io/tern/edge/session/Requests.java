package io.tern.edge.session;

import com.google.protobuf.Parser;
import io.netty.buffer.ByteBuf;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatInfo;
import io.tern.protocol.v1.Chats;
import io.tern.protocol.v1.Devices;
import io.tern.protocol.v1.EntryInfo;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.Settings;
import io.tern.router.Directory;
import io.tern.router.Readers;
import io.tern.store.Reads;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// A session's questions to the readers: HISTORY, CHATS, CHAT_INFO, ENTRY_INFO, DEVICES, a page of
/// SETTINGS, and what the other parts have to look up. Confined to the session's event loop.
///
/// Bounds: [#QUESTIONS_MAX] under way; the frame that would ask one more is held.
final class Requests {

  /// Questions to the readers that one session may have under way; more are held.
  static final int QUESTIONS_MAX = 4;

  /// When readers that had no place are asked again.
  static final long RETRY_MILLIS = 50;

  /// When somebody whose question was shed may ask again.
  static final long SHED_MILLIS = 1_000;

  private final SessionLogic session;
  private final EdgeContext edge;
  private final SessionHost host;

  private byte questions;

  Requests(SessionLogic session) {
    this.session = session;
    edge = session.edge();
    host = session.host();
  }

  boolean onHistory(FrameHeader header, ByteBuf in, long now) {
    if (mustHold()) {
      return false;
    }
    History request = request(FrameType.HISTORY, History.parser(), header, in, now);
    ChatId chat = request == null ? null : chatOfRequest(header);
    if (request == null || chat == null) {
      return true;
    }
    int named =
        (request.getBefore() != 0 ? 1 : 0)
            + (request.getAfter() != 0 ? 1 : 0)
            + (request.getAround() != 0 ? 1 : 0);
    boolean sound =
        named <= 1
            && request.getBefore() >= 0
            && request.getAfter() >= 0
            && request.getAfter() < Long.MAX_VALUE
            && request.getAround() >= 0;
    int limit = limitOf(request.getLimit());
    if (!sound || limit == 0) {
      session.refuse(header.rid(), ErrorCode.ARGUMENT, 0, "", limit == 0 ? "limit" : "before");
      return true;
    }
    DeviceId who = session.who();
    int room = pageRoom();
    return answer(header, shards -> Pages.history(shards, chat, who, request, limit, room));
  }

  boolean onChats(FrameHeader header, ByteBuf in, long now) {
    if (mustHold()) {
      return false;
    }
    Chats request = request(FrameType.CHATS, Chats.parser(), header, in, now);
    if (request == null) {
      return true;
    }
    ChatId after = null;
    if (!request.getPageToken().isEmpty()) {
      after = Pages.fromToken(request.getPageToken());
      if (after == null) {
        session.refuse(header.rid(), ErrorCode.ARGUMENT, 0, "", "page_token");
        return true;
      }
    }
    int limit = limitOf(request.getLimit());
    if (limit == 0) {
      session.refuse(header.rid(), ErrorCode.ARGUMENT, 0, "", "limit");
      return true;
    }
    DeviceId who = session.who();
    ChatId from = after;
    int room = pageRoom();
    return answer(header, shards -> Pages.chats(shards, who, from, limit, room));
  }

  boolean onChatInfo(FrameHeader header, ByteBuf in, long now) {
    if (mustHold()) {
      return false;
    }
    ChatInfo request = request(FrameType.CHAT_INFO, ChatInfo.parser(), header, in, now);
    ChatId chat = request == null ? null : chatOfRequest(header);
    if (request == null || chat == null) {
      return true;
    }
    DeviceId who = session.who();
    long version = request.getMembersVersion();
    return answer(header, shards -> Pages.chatInfo(shards, chat, who, version));
  }

  boolean onEntryInfo(FrameHeader header, ByteBuf in, long now) {
    if (mustHold()) {
      return false;
    }
    EntryInfo request = request(FrameType.ENTRY_INFO, EntryInfo.parser(), header, in, now);
    ChatId chat = request == null ? null : chatOfRequest(header);
    if (request == null || chat == null) {
      return true;
    }
    UserId after = null;
    if (!request.getPageToken().isEmpty()) {
      after = Pages.userFromToken(request.getPageToken());
      if (after == null) {
        session.refuse(header.rid(), ErrorCode.ARGUMENT, 0, "", "page_token");
        return true;
      }
    }
    int limit = limitOf(request.getLimit());
    if (limit == 0 || header.seq() <= 0) {
      session.refuse(header.rid(), ErrorCode.ARGUMENT, 0, "", limit == 0 ? "limit" : "seq");
      return true;
    }
    UserId viewer = session.user();
    UserId from = after;
    long seq = header.seq();
    return answer(header, shards -> Pages.entryInfo(shards, chat, seq, viewer, from, limit));
  }

  boolean onDevices(FrameHeader header, ByteBuf in, long now) {
    if (mustHold()) {
      return false;
    }
    if (request(FrameType.DEVICES, Devices.parser(), header, in, now) == null) {
      return true;
    }
    DeviceId who = session.who();
    Directory directory = edge.directory();
    return answer(header, shards -> Pages.devices(shards, directory, who));
  }

  /// With something to set it is a change: [Changes].
  boolean onSettings(FrameHeader header, ByteBuf in, long now) {
    if (mustHold() || session.changes().mustHold()) {
      return false;
    }
    Settings request = request(FrameType.SETTINGS, Settings.parser(), header, in, now);
    if (request == null) {
      return true;
    }
    if (request.getSetCount() > 0) {
      session.changes().onSet(header.rid(), request, now);
      return true;
    }
    if (request.getPageToken().size() > Reads.SETTINGS_TOKEN_BYTES_MAX) {
      session.refuse(header.rid(), ErrorCode.ARGUMENT, 0, "", "page_token");
      return true;
    }
    UserId user = session.user();
    byte[] after = request.getPageToken().toByteArray();
    int room = pageRoom();
    return answer(header, shards -> Pages.settings(shards, user, after, room));
  }

  /// Too many questions under way, or the socket takes no answer.
  boolean mustHold() {
    return questions >= QUESTIONS_MAX || !host.isWritable();
  }

  /// The parsed request; null after a refusal or a close.
  <T> @Nullable T request(
      FrameType type, Parser<T> parser, FrameHeader header, ByteBuf in, long now) {
    if (!session.inbound().chargeCheap(now)) {
      return null;
    }
    return Bodies.parse(session, type, parser, header, in, now);
  }

  /// The chat that a request names; null after a refusal.
  @Nullable ChatId chatOfRequest(FrameHeader header) {
    if (!UserId.isValid(header.chat())) {
      session.refuse(header.rid(), ErrorCode.ARGUMENT, 0, "", "chat");
      return null;
    }
    return ChatId.fromWire(session.user(), header.chat(), header.has(FrameHeader.GROUP));
  }

  /// 0 for a limit that is not allowed.
  private static int limitOf(int wanted) {
    if (wanted == 0) {
      return Limits.PAGE_ENTRIES;
    }
    return wanted < 0 || wanted > Limits.PAGE_ENTRIES_MAX ? 0 : wanted;
  }

  private int pageRoom() {
    return session.frameBytesMax() - Limits.HEADER_BYTES_MAX - 64;
  }

  /// Asks a reader and writes its answer.
  private boolean answer(FrameHeader header, Function<Readers.Shards, Pages.Reply> question) {
    int rid = header.rid();
    if (edge.shedding().sheds(Shedding.Work.QUESTIONS)) {
      edge.counters().add(Count.QUESTIONS_SHED);
      session.refuse(rid, ErrorCode.BUSY, SHED_MILLIS, "overloaded", "");
      return true;
    }
    boolean asked =
        ask(
            question,
            reply -> {
              ErrorCode refusal = reply.refusal();
              if (refusal != null) {
                session.refuse(rid, refusal, 0, reply.detail(), "");
              } else {
                host.write(reply.type(), FrameHeader.RID, rid, 0, 0, reply.body());
              }
              session.unhold();
            },
            () -> {
              session.refuse(rid, ErrorCode.INTERNAL, 1000, "", "");
              session.unhold();
            });
    if (!asked) {
      session.refuse(rid, ErrorCode.BUSY, 200, "readers busy", "");
    }
    return true;
  }

  /// Asks a reader; what comes back runs on this loop, and not at all once the session has ended. A
  /// frame that had to wait for the answer's place is taken up again, whoever asked.
  <T> boolean ask(Function<Readers.Shards, T> question, Consumer<? super T> then, Runnable failed) {
    if (questions >= QUESTIONS_MAX) {
      return false;
    }
    long asked = edge.nanoTime().getAsLong();
    boolean taken =
        edge.readers()
            .<T>ask(
                question,
                answer ->
                    host.execute(() -> {
                      questions--;
                      edge.stages()
                          .took(StageWatch.Stage.QUESTION, edge.nanoTime().getAsLong() - asked);
                      if (session.isLive()) {
                        then.accept(answer);
                        session.unhold();
                      }
                    }),
                failure ->
                    host.execute(() -> {
                      questions--;
                      if (session.isLive()) {
                        failed.run();
                        session.unhold();
                      }
                    }));
    if (taken) {
      questions++;
      edge.counters().add(Count.QUESTIONS);
    } else {
      edge.counters().add(Count.QUESTIONS_REFUSED);
    }
    return taken;
  }
}
