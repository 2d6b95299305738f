package io.tern.edge.session;

import io.netty.util.collection.LongObjectHashMap;
import io.netty.util.collection.LongObjectMap;
import io.tern.edge.logging.Wordless;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.router.Attachment;
import io.tern.router.Delivery;
import io.tern.store.Command;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The sessions of one event loop by number: hands each delivery to those it is for. Confined to
/// the loop.
///
/// A session's number says which loop it is on, in its lowest [#LOOP_BITS] bits, so that deliveries
/// find their loop without a shared table.
///
/// **Turns.** What goes to many sessions waits for its turn, a piece at a time ([#work]), so that
/// nobody else on the loop waits for a whole group to be served; what goes to a few is handed over
/// at once. In one chat nothing overtakes anything, but the answer to a SEND ([TERN-6-11]): its
/// sender need not wait until others' messages have reached a thousand members. It is held while
/// more than `aheadMax` sessions before it wait to be served, and no longer: else senders who go on
/// as soon as they are answered would write faster than the loop can deliver, and everybody would
/// be caught up from the store, which costs several times as much.
///
/// What waits is what shards have committed and this loop has not come to yet: without turns it
/// would wait in the loop's own queue. It holds references only; the bodies are shared.
public final class SessionTable {

  static final int LOOP_BITS = 8;

  /// Event loops that an edge can have.
  public static final int LOOPS_MAX = 1 << LOOP_BITS;

  private static final Logger log = LoggerFactory.getLogger(SessionTable.class);

  private final int loop;
  private final EdgeContext edge;

  /// What goes to more sessions than this waits for its turn.
  private final int fewMax;

  /// An answer to a sender overtakes no more sessions than this that wait to be served.
  private final int aheadMax;

  private final LongObjectMap<SessionLogic> sessions = new LongObjectHashMap<>();
  private long last;

  /// Who has been put out and not looked for yet, at most until the next [#sweep].
  private final Map<UserId, List<Delivery.Gone>> gone = new HashMap<>();

  private final ArrayDeque<Delivery> waiting = new ArrayDeque<>();

  private final RecentEntries recent = new RecentEntries();

  /// How many of `waiting` and `held` are about a chat.
  private final Map<ChatId, Integer> waitingByChat = new HashMap<>();

  /// Recipients of the first of `waiting` that have been served.
  private int served;

  /// Recipients of all that ever waited, and of those the ones that have been served.
  private long recipientsTaken;

  private long recipientsServed;

  /// Answers to SENDs that must not go yet.
  private final ArrayDeque<Held> held = new ArrayDeque<>(0);

  /// An answer that is held, and how much had been taken before it.
  private record Held(Delivery.Answer answer, long behind) {}

  /// @param fewMax how many sessions may be served at once; what goes to more waits for its turn
  /// @param aheadMax how many sessions that wait to be served an answer to a sender may overtake
  public SessionTable(int loop, EdgeContext edge, int fewMax, int aheadMax) {
    this.loop = loop;
    this.edge = edge;
    this.fewMax = fewMax;
    this.aheadMax = aheadMax;
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

  /// The session with this number; null when it is gone.
  public @Nullable SessionLogic find(long id) {
    return sessions.get(id);
  }

  /// Every session, to look at or to end; must not be changed meanwhile.
  public List<SessionLogic> all() {
    return new ArrayList<>(sessions.values());
  }

  /// Ends the sessions of who has been put out since the last time. One look at every session,
  /// however many were put out.
  private void endGone(long now) {
    if (gone.isEmpty()) {
      return;
    }
    for (SessionLogic session : all()) {
      DeviceId who = session.whoOrNull();
      List<Delivery.Gone> hits = who == null ? null : gone.get(who.user());
      if (who == null || hits == null) {
        continue;
      }
      for (Delivery.Gone hit : hits) {
        if (hit.device() == 0 || hit.device() == who.index()) {
          session.disconnect(CloseReason.ofIdentity(hit.why()), "", now);
          break;
        }
      }
    }
    gone.clear();
  }

  /// Takes what a batch has for this loop's sessions, and passes over the rest: the same batch goes
  /// to every loop that it concerns. What goes to many waits for [#work].
  public void take(List<Delivery> batch, long now) {
    for (int i = 0; i < batch.size(); i++) {
      Delivery delivery = batch.get(i);
      if (!mustWait(delivery)) {
        hand(delivery, 0, Integer.MAX_VALUE, now);
      } else if (isAnswerToSend(delivery)) {
        held.add(new Held((Delivery.Answer) delivery, recipientsTaken));
        countWaiting(delivery);
      } else {
        waiting.add(delivery);
        recipientsTaken += recipients(delivery).size();
        countWaiting(delivery);
      }
    }
  }

  /// Whether something waits for [#work].
  public boolean hasWaiting() {
    return !waiting.isEmpty();
  }

  /// How many deliveries wait now: the rest of a round.
  public int waiting() {
    return waiting.size();
  }

  /// Serves at most `recipientsMax` sessions, of at most `deliveriesMax` deliveries. Returns how
  /// many deliveries are done with. [#answer] comes after each call.
  ///
  /// @param recipientsMax at most `aheadMax`: else what an answer must not overtake it would not
  ///   come before either
  public int work(int recipientsMax, int deliveriesMax, long now) {
    if (recipientsMax > aheadMax) {
      throw new IllegalArgumentException(recipientsMax + " at once, more than " + aheadMax);
    }
    int left = recipientsMax;
    int done = 0;
    while (left > 0 && done < deliveriesMax) {
      Delivery delivery = waiting.peek();
      if (delivery == null) {
        break;
      }
      int recipients = recipients(delivery).size();
      if (served == 0 && recipients > fewMax && delivery instanceof Delivery.Entries entry) {
        recent.add(entry, now);
      }
      int end = Math.min(recipients, served + left);
      hand(delivery, served, end, now);
      recipientsServed += end - served;
      left -= Math.max(1, end - served);
      served = end;
      if (served == recipients) {
        waiting.remove();
        served = 0;
        done++;
        countDone(delivery);
      }
    }
    return done;
  }

  /// Answers the senders who had to wait and need not any longer.
  public void answer(long now) {
    for (Held first = held.peek(); first != null && isNear(first.behind()); first = held.peek()) {
      held.remove();
      countDone(first.answer());
      hand(first.answer(), 0, Integer.MAX_VALUE, now);
    }
  }

  /// Lets go of what has been kept long enough and ends who has been put out; about twice a second.
  public void sweep(long now) {
    recent.sweep(now);
    endGone(now);
  }

  private boolean isNear(long behind) {
    return behind - recipientsServed <= aheadMax;
  }

  private void countWaiting(Delivery delivery) {
    ChatId chat = chatOf(delivery);
    if (chat != null) {
      waitingByChat.merge(chat, 1, Integer::sum);
    }
  }

  private void countDone(Delivery delivery) {
    ChatId chat = chatOf(delivery);
    if (chat != null) {
      waitingByChat.computeIfPresent(chat, (c, n) -> n == 1 ? null : n - 1);
    }
  }

  private boolean mustWait(Delivery delivery) {
    if (recipients(delivery).size() > fewMax) {
      return true;
    }
    if (waitingByChat.isEmpty()) {
      return false;
    }
    if (isAnswerToSend(delivery) && held.isEmpty() && isNear(recipientsTaken)) {
      return false;
    }
    ChatId chat = chatOf(delivery);
    return chat != null && waitingByChat.containsKey(chat);
  }

  private static boolean isAnswerToSend(Delivery delivery) {
    return delivery instanceof Delivery.Answer answer && answer.command() instanceof Command.Send;
  }

  /// The chat in whose order it has a place; null when it has none.
  private static @Nullable ChatId chatOf(Delivery delivery) {
    return switch (delivery) {
      case Delivery.Entries entries -> entries.chat();
      case Delivery.Receipts receipts -> receipts.chat();
      case Delivery.Progress progress -> progress.chat();
      case Delivery.Nudge nudge -> nudge.chat();
      case Delivery.Typing typing -> typing.chat();
      case Delivery.Answer answer ->
          switch (answer.command()) {
            case Command.Send send -> send.chat();
            case Command.GroupCreate create -> create.group();
            case Command.GroupEdit edit -> edit.group();
            case Command.ChangeSettings change ->
                ChatId.direct(change.from().user(), change.from().user());
            case Command.Ack _,
                Command.Read _,
                Command.Enrol _,
                Command.ListChat _,
                Command.SetBlock _,
                Command.RemoveDevice _,
                Command.Revoke _,
                Command.PutRecord _,
                Command.EraseUser _,
                Command.Leave _,
                Command.Announce _,
                Command.TellRegistered _,
                Command.Ban _,
                Command.Seen _,
                Command.Tick _ ->
                null;
          };
      case Delivery.Replaced _, Delivery.Revoked _, Delivery.Gone _, Delivery.Presence _ -> null;
    };
  }

  /// Whom it is for; empty for an answer, which is for one session that has no attachment yet.
  private static List<Attachment> recipients(Delivery delivery) {
    return switch (delivery) {
      case Delivery.Entries entries -> entries.to();
      case Delivery.Receipts receipts -> receipts.to();
      case Delivery.Progress progress -> progress.to();
      case Delivery.Typing typing -> typing.to();
      case Delivery.Presence presence -> presence.to();
      case Delivery.Revoked(Attachment session, ErrorCode _) -> List.of(session);
      case Delivery.Nudge nudge -> List.of(nudge.to());
      case Delivery.Replaced(Attachment session) -> List.of(session);
      case Delivery.Answer _, Delivery.Gone _ -> List.of();
    };
  }

  /// Hands the delivery to its recipients from `from` on, up to `end`.
  private void hand(Delivery delivery, int from, int end, long now) {
    try {
      deliver(delivery, from, end, now);
    } catch (RuntimeException e) {
      log.error("delivery of {}", delivery.getClass().getSimpleName(), Wordless.of(e));
      endConcerned(delivery, now);
    }
  }

  /// A session that may have missed something must not go on as if it had not; the others do.
  private void endConcerned(Delivery delivery, long now) {
    if (delivery instanceof Delivery.Answer answer) {
      end(answer.to().session(), now);
    }
    for (Attachment attachment : recipients(delivery)) {
      end(attachment.session(), now);
    }
  }

  private void end(long id, long now) {
    SessionLogic session = of(id);
    if (session != null) {
      session.disconnect(CloseReason.INTERNAL, "", now);
    }
  }

  private void deliver(Delivery delivery, int from, int end, long now) {
    switch (delivery) {
      case Delivery.Answer answer -> {
        SessionLogic session = of(answer.to().session());
        if (session != null) {
          session.onAnswer(answer, now);
        }
      }
      case Delivery.Entries entries -> {
        List<Attachment> to = entries.to();
        int last = Math.min(end, to.size());
        for (int i = from; i < last; i++) {
          deliverEntry(entries, to.get(i), now);
        }
      }
      case Delivery.Receipts receipts -> {
        List<Attachment> to = receipts.to();
        int last = Math.min(end, to.size());
        for (int i = from; i < last; i++) {
          SessionLogic session = of(to.get(i).session());
          if (session != null) {
            session.outbound().onReceipt(receipts, now);
          }
        }
      }
      case Delivery.Progress progress -> {
        List<Attachment> to = progress.to();
        int last = Math.min(end, to.size());
        for (int i = from; i < last; i++) {
          SessionLogic session = of(to.get(i).session());
          if (session != null) {
            session.outbound().onProgress(progress, now);
          }
        }
      }
      case Delivery.Presence presence -> {
        List<Attachment> to = presence.to();
        int last = Math.min(end, to.size());
        for (int i = from; i < last; i++) {
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
      case Delivery.Gone who -> {
        if (!sessions.isEmpty()) {
          gone.computeIfAbsent(who.user(), user -> new ArrayList<>(1)).add(who);
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
        if (session != null
            ? !session.outbound().onNudge(nudge.chat(), nudge.from())
            : isMine(nudge.to())) {
          missed(nudge.to(), nudge.chat());
        }
      }
      case Delivery.Typing typing -> {
        List<Attachment> to = typing.to();
        int last = Math.min(end, to.size());
        for (int i = from; i < last; i++) {
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
    if (session == null || !session.outbound().onEntry(entries, recent, now)) {
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
