package io.tern.edge.session;

import io.netty.util.collection.LongObjectHashMap;
import io.netty.util.collection.LongObjectMap;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.router.Attachment;
import io.tern.router.Delivery;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The sessions of one event loop by number: hands each delivery to those it is for. Confined to
/// the loop.
///
/// A session's number says which loop it is on, in its lowest [#LOOP_BITS] bits, so that deliveries
/// find their loop without a shared table.
public final class SessionTable {

  static final int LOOP_BITS = 8;

  /// Event loops that an edge can have.
  public static final int LOOPS_MAX = 1 << LOOP_BITS;

  private static final Logger log = LoggerFactory.getLogger(SessionTable.class);

  private final int loop;
  private final EdgeContext edge;
  private final LongObjectMap<SessionLogic> sessions = new LongObjectHashMap<>();
  private long last;

  public SessionTable(int loop, EdgeContext edge) {
    this.loop = loop;
    this.edge = edge;
  }

  /// The loop that holds session `id`.
  public static int loopOf(long id) {
    return (int) id & (LOOPS_MAX - 1);
  }

  /// A number for a new session of this loop: never 0, never used before.
  public long nextId() {
    return (++last << LOOP_BITS) | loop;
  }

  public void add(SessionLogic session) {
    sessions.put(session.id(), session);
  }

  public void remove(SessionLogic session) {
    sessions.remove(session.id());
  }

  public int size() {
    return sessions.size();
  }

  /// Every session, to look at or to end; must not be changed meanwhile.
  public List<SessionLogic> all() {
    return new ArrayList<>(sessions.values());
  }

  /// Hands over what concerns this loop's sessions, and passes over the rest: the same batch goes
  /// to every loop that it concerns.
  public void deliver(List<Delivery> batch, long now) {
    for (int i = 0; i < batch.size(); i++) {
      Delivery delivery = batch.get(i);
      try {
        deliver(delivery, now);
      } catch (RuntimeException e) {
        log.error("delivery of {}", delivery.getClass().getSimpleName(), e);
        endConcerned(delivery, now);
      }
    }
  }

  /// A session that may have missed something must not go on as if it had not; the others do.
  private void endConcerned(Delivery delivery, long now) {
    List<Attachment> to =
        switch (delivery) {
          case Delivery.Entries entries -> entries.to();
          case Delivery.Receipts receipts -> receipts.to();
          case Delivery.Progress progress -> progress.to();
          case Delivery.Typing typing -> typing.to();
          case Delivery.Presence presence -> presence.to();
          case Delivery.Revoked(Attachment session, ErrorCode why) -> List.of(session);
          case Delivery.Nudge nudge -> List.of(nudge.to());
          case Delivery.Replaced(Attachment session) -> List.of(session);
          case Delivery.Answer answer -> {
            end(answer.to().session(), now);
            yield List.of();
          }
        };
    for (Attachment attachment : to) {
      end(attachment.session(), now);
    }
  }

  private void end(long id, long now) {
    SessionLogic session = of(id);
    if (session != null) {
      session.disconnect(CloseReason.INTERNAL, "", now);
    }
  }

  private void deliver(Delivery delivery, long now) {
    switch (delivery) {
      case Delivery.Answer answer -> {
        SessionLogic session = of(answer.to().session());
        if (session != null) {
          session.onAnswer(answer, now);
        }
      }
      case Delivery.Entries entries -> {
        List<Attachment> to = entries.to();
        for (int i = 0; i < to.size(); i++) {
          deliverEntry(entries, to.get(i), now);
        }
      }
      case Delivery.Receipts receipts -> {
        List<Attachment> to = receipts.to();
        for (int i = 0; i < to.size(); i++) {
          SessionLogic session = of(to.get(i).session());
          if (session != null) {
            session.onReceipt(receipts, now);
          }
        }
      }
      case Delivery.Progress progress -> {
        List<Attachment> to = progress.to();
        for (int i = 0; i < to.size(); i++) {
          SessionLogic session = of(to.get(i).session());
          if (session != null) {
            session.onProgress(progress, now);
          }
        }
      }
      case Delivery.Presence presence -> {
        List<Attachment> to = presence.to();
        for (int i = 0; i < to.size(); i++) {
          SessionLogic session = of(to.get(i).session());
          if (session != null) {
            session.onPresence(presence);
          }
        }
      }
      case Delivery.Revoked(Attachment revoked, ErrorCode why) -> {
        SessionLogic session = of(revoked.session());
        if (session != null) {
          session.onRevoked(revoked, why, now);
        }
      }
      case Delivery.Replaced(Attachment replaced) -> {
        SessionLogic session = of(replaced.session());
        if (session != null) {
          session.onReplaced(replaced, now);
        }
      }
      case Delivery.Nudge nudge -> {
        SessionLogic session = of(nudge.to().session());
        if (session != null ? !session.onNudge(nudge.chat(), now) : isMine(nudge.to())) {
          missed(nudge.to(), nudge.chat());
        }
      }
      case Delivery.Typing typing -> {
        List<Attachment> to = typing.to();
        for (int i = 0; i < to.size(); i++) {
          SessionLogic session = of(to.get(i).session());
          if (session != null) {
            session.onTyping(typing);
          }
        }
      }
    }
  }

  private void deliverEntry(Delivery.Entries entries, Attachment to, long now) {
    if (!isMine(to)) {
      return;
    }
    SessionLogic session = sessions.get(to.session());
    if (session == null) {
      edge.counters().add(Count.DELIVERIES_PASSED_OVER);
    }
    if (session == null || !session.onEntry(entries, now)) {
      missed(to, entries.chat());
    }
  }

  /// What was meant for a session that has ended since the dispatcher looked is news of its device,
  /// and a nudge to a session that the device has begun meanwhile.
  private void missed(Attachment gone, ChatId chat) {
    edge.counters().add(Count.NEWS_ADDED);
    edge.directory().missed(gone, chat, edge.relay()::tell);
  }

  private boolean isMine(Attachment to) {
    return loopOf(to.session()) == loop;
  }

  private @Nullable SessionLogic of(long id) {
    if (loopOf(id) != loop) {
      return null;
    }
    SessionLogic session = sessions.get(id);
    if (session == null) {
      edge.counters().add(Count.DELIVERIES_PASSED_OVER);
    }
    return session;
  }
}
