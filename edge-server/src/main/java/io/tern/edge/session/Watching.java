package io.tern.edge.session;

import io.netty.buffer.ByteBuf;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Typing;
import io.tern.router.Attachment;
import io.tern.router.Delivery;
import io.tern.router.EdgeId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;

/// Who types: goes from session to session and is kept nowhere. Confined to the session's event
/// loop.
final class Watching {

  private final SessionLogic session;
  private final EdgeContext edge;

  Watching(SessionLogic session) {
    this.session = session;
    edge = session.edge();
  }

  /// Typing goes from session to session and is kept nowhere.
  void onTyping(FrameHeader header, ByteBuf in, long now) {
    Typing typing = session.parse(FrameType.TYPING, Typing.parser(), header, in, now);
    if (typing == null) {
      return;
    }
    if (!UserId.isValid(header.chat())) {
      session.close(CloseReason.MALFORMED, "no such chat", now);
      return;
    }
    if (!session.chargeCheap(now) || header.has(FrameHeader.GROUP)) {
      return;
    }
    UserId user = session.user();
    var peer = new UserId(header.chat());
    boolean on = typing.getOn();
    boolean asked =
        !peer.equals(user)
            && session
                .requests()
                .ask(
                    shards -> edge.directory().lookup(List.of(peer)).getFirst().sessions(),
                    sessions -> forwardTyping(ChatId.direct(user, peer), user, on, sessions),
                    () -> edge.counters().add(Count.TYPING_DROPPED));
    if (!asked) {
      edge.counters().add(Count.TYPING_DROPPED);
    }
  }

  private void forwardTyping(ChatId chat, UserId user, boolean on, List<Attachment> sessions) {
    var byEdge = new LinkedHashMap<EdgeId, List<Attachment>>();
    for (Attachment session : sessions) {
      byEdge.computeIfAbsent(session.edge(), e -> new ArrayList<>(2)).add(session);
    }
    byEdge.forEach(
        (to, those) -> edge.relay().tell(to, new Delivery.Typing(chat, user, on, those)));
    edge.counters().add(Count.TYPING_FORWARDED, sessions.size());
  }
}
