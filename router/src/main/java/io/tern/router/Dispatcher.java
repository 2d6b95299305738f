package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeliverBody;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.router.Directory.News;
import io.tern.store.Command;
import io.tern.store.Entry;
import io.tern.store.OutboxRecord;
import io.tern.store.Outcome;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What happens after the commit, as a plain object: acknowledges to the sender, finds the
/// recipients, hands each edge its deliveries as one message, keeps news and the ack watch, sees to
/// what other shards have to do, and settles outbox records. One per shard; confined to its
/// dispatch handler; touches no state of the shard.
///
/// A round is [#on] for each command of a committed batch, then [#endOfBatch]. All times are of one
/// monotonic clock.
///
/// What an entry goes through for each recipient:
///
/// ```
///            ┌ sessions ──► DELIVER, watch ──► acknowledged ─────────────────────► settled
///   look up ─┤                 │ nudgeAfter: Nudge     │ ackWatch: push intent ──► settled
///            └ none ──► news, push intent ──────────────── accepted ─────────────► settled
///                                                          refused: again each tick
/// ```
///
/// An outbox record is settled when that is true of every recipient of every entry in its batch,
/// and every duty of the batch (a chat list, a block) has been committed by its shard. A change
/// that blocks somebody is answered only then.
///
/// Bounds: `watchedMax` recipients of entries are watched; beyond, an entry becomes a push intent
/// at once. When the push queue, other shards and the directory take so little that more than
/// `watchedMax` pushes, duties and members wait for them, [#isFull] says so and the owner must take
/// no further sends.
///
/// It has an address on the [Bus], where it hears what became of the commands it sent to other
/// shards: whoever owns it registers it there.
public final class Dispatcher implements Deliveries {

  private static final Logger LOG = LoggerFactory.getLogger(Dispatcher.class);

  /// Users asked about in one lookup outside a round.
  private static final int LOOKUP_MAX = 1_024;

  /// Edges remembered between rounds; more are forgotten, which costs an allocation each.
  private static final int EDGES_KEPT_MAX = 4_096;

  private final EdgeId address;
  private final Whereabouts whereabouts;
  private final Bus bus;
  private final PushQueue pushQueue;
  private final Commands commands;
  private final RouterMetrics metrics;
  private final long ackWatchMillis;
  private final long nudgeAfterMillis;
  private final long retryMillis;
  private final int watchedMax;
  private final Trace.Writer trace;

  // ---- the round that is being gathered

  private Command[] roundCommands = new Command[256];
  private Origin[] roundOrigins = new Origin[256];
  private Outcome[] roundOutcomes = new Outcome[256];
  private int roundSize;
  private final UserTable users = new UserTable();
  private final UserTable owedUsers = new UserTable();
  private final ReceiptTable receipts = new ReceiptTable();
  private boolean roundHasEntries;

  // How the round was committed, and when its recipients had been looked up.
  private int batchEvents;
  private long syncNanos;
  private long committedNanos;
  private long routedNanos;

  // ---- what goes out

  private final Map<EdgeId, EdgeBatch> edges = new HashMap<>();
  private final ArrayList<EdgeBatch> touched = new ArrayList<>();
  private @Nullable EdgeBatch lastEdge;

  // ---- what is waited for

  private final Watch watch;

  /// Pushes that were refused, oldest first; acknowledged ones are passed over when their turn
  /// comes.
  private final ArrayDeque<Watch.Pending> refusedPushes = new ArrayDeque<>();

  /// By number, the next to be retried first.
  private final LinkedHashMap<Long, Duty> duties = new LinkedHashMap<>();

  /// Those that found a full ring, the first to be refused first; answered ones are passed over.
  private final ArrayDeque<Duty> refusedDuties = new ArrayDeque<>();

  private long dutyNumber;
  private final ConcurrentLinkedQueue<Delivery.Answer> answers = new ConcurrentLinkedQueue<>();

  /// Answers that wait for duties.
  private int heldAnswers;

  /// A slot of this shard while an answer waits for duties, else -1. Written by the owner.
  private volatile int wakeSlot = -1;

  /// Deliveries for one edge, gathered.
  private static final class EdgeBatch {
    final EdgeId edge;
    ArrayList<Delivery> deliveries = new ArrayList<>();
    boolean touched;

    /// Recipients of the delivery that is being made.
    @Nullable ArrayList<Attachment> to;

    EdgeBatch(EdgeId edge) {
      this.edge = edge;
    }
  }

  /// What another shard has not committed yet.
  private static final class Duty {
    final long number;
    final Watch.Round round;
    final Command command;

    /// Sessions that have been given the entry when it was dispatched.
    final List<Attachment> served;

    /// What is answered when this is done; null when nothing waits for it.
    final @Nullable HeldAnswer answer;

    long retryAt;

    /// Whether the ring has refused it and it stands in [#refusedDuties].
    boolean refused;

    Duty(
        long number,
        Watch.Round round,
        Command command,
        List<Attachment> served,
        @Nullable HeldAnswer answer) {
      this.number = number;
      this.round = round;
      this.command = command;
      this.served = served;
      this.answer = answer;
    }
  }

  /// The answer to a command whose promise takes other shards' commits too.
  private static final class HeldAnswer {
    final Delivery.Answer answer;

    /// Duties that are not done.
    int open;

    HeldAnswer(Delivery.Answer answer) {
      this.answer = answer;
    }
  }

  /// A chat that has come into a user's list.
  private record Listed(Command.ListChat command, List<Attachment> served, Watch.Round round) {}

  /// An entry that becomes a push intent when the edges have been served.
  private record PushNow(Watch.Round round, ChatId chat, UserId user, long seq) {}

  private final ArrayList<PushNow> pushesNow = new ArrayList<>();

  /// @param address this dispatcher's own, with an incarnation that differs after each start
  /// @param commands where other shards' halves (chat list entries) go
  /// @param settle told, on the dispatch thread, the number of each outbox record that is done
  public Dispatcher(
      EdgeId address,
      Directory directory,
      Bus bus,
      PushQueue pushQueue,
      Commands commands,
      DispatchConfig config,
      RouterMetrics metrics,
      LongConsumer settle) {
    this(address, directory, bus, pushQueue, commands, config, metrics, settle, Trace.OFF.writer());
  }

  /// As the other constructor.
  ///
  /// @param trace where the way of each entry is noted
  public Dispatcher(
      EdgeId address,
      Directory directory,
      Bus bus,
      PushQueue pushQueue,
      Commands commands,
      DispatchConfig config,
      RouterMetrics metrics,
      LongConsumer settle,
      Trace.Writer trace) {
    this.address = address;
    this.trace = trace;
    this.bus = bus;
    this.pushQueue = pushQueue;
    this.commands = commands;
    this.metrics = metrics;
    ackWatchMillis = config.ackWatch().toMillis();
    nudgeAfterMillis = config.nudgeAfter().toMillis();
    retryMillis = config.retry().toMillis();
    watchedMax = config.watchedMax();
    watch = new Watch(settle);
    whereabouts = new Whereabouts(directory, metrics, watch);
  }

  /// Answers from other shards. Any thread: they are kept until the next [#endOfBatch] or [#tick].
  /// If a client waits for them, the shard is given something to do, so that this is soon.
  @Override
  public void deliver(List<Delivery> deliveries) {
    for (var delivery : deliveries) {
      if (delivery instanceof Delivery.Answer answer) {
        answers.add(answer);
      }
    }
    int slot = wakeSlot;
    if (slot >= 0) {
      // A full ring has a batch under way anyway.
      var _ = commands.submit(new Command.Tick(slot, false), Origin.NOBODY);
    }
  }

  /// Takes up what a former life of the shard still owed. Before any round.
  ///
  /// Nobody is pushed to at once: the sessions of before are on their way back, and what they
  /// acknowledge within the watch needs no push.
  public void recover(List<OutboxRecord> outbox, long nowMillis) {
    for (var owed : outbox) {
      for (var due : owed.entries()) {
        users.add(due.entry().sender().user());
        due.waiting().forEach(users::add);
      }
      boolean found = whereabouts.find(users);
      var round = watch.open(owed.n(), nowMillis);
      for (var due : owed.entries()) {
        var to = new LinkedHashSet<>(due.waiting());
        to.add(due.entry().sender().user());
        if (found) {
          deliverEntry(due.entry(), List.copyOf(to));
        } else {
          var entry = due.entry();
          to.forEach(member -> whereabouts.owe(member, entry.chat(), entry.seq(), round));
        }
        for (var member : due.waiting()) {
          watchOrPush(round, due.entry(), member);
        }
      }
      for (var duty : owed.duties()) {
        // Whoever waited for it has gone with the life before, and asks again.
        owe(round, duty, List.of(), null, nowMillis);
      }
      flushEdges();
      pushNow();
      watch.close(round);
      users.clear();
    }
  }

  /// Takes one outcome of a committed batch.
  public void on(Command command, Origin origin, Outcome outcome, long nowMillis) {
    if (roundSize == roundCommands.length) {
      roundCommands = Arrays.copyOf(roundCommands, roundSize * 2);
      roundOrigins = Arrays.copyOf(roundOrigins, roundSize * 2);
      roundOutcomes = Arrays.copyOf(roundOutcomes, roundSize * 2);
    }
    roundCommands[roundSize] = command;
    roundOrigins[roundSize] = origin;
    roundOutcomes[roundSize] = outcome;
    roundSize++;
    switch (outcome) {
      case Outcome.Sent sent -> {
        if (!sent.repeat()) {
          roundHasEntries = true;
          for (var member : sent.members()) {
            users.add(member);
          }
        }
      }
      case Outcome.Moved moved -> {
        var chat = chatOf(command);
        receipts.add(chat, moved, senderOf(command));
        for (var observer : moved.observers()) {
          users.add(observer);
        }
        watch.acknowledge(chat, moved.member(), moved.delivered());
      }
      case Outcome.Refused refused -> {}
      case Outcome.Enrolled enrolled -> {}
      case Outcome.DeviceRemoved removed -> {}
      case Outcome.Recorded recorded -> {}
      case Outcome.UserErased erased -> roundHasEntries |= !erased.duties().isEmpty();
      case Outcome.UserBanned banned -> {}
      case Outcome.Ticked ticked -> {
        for (var progress : ticked.progress()) {
          for (var author : progress.authors()) {
            users.add(author.user());
          }
        }
      }
      case Outcome.Done done -> {}
    }
  }

  /// How the round was committed: only for the trace. Before [#endOfBatch].
  ///
  /// @param events commands of the batch
  public void committed(int events, long syncNanos, long committedNanos) {
    batchEvents = events;
    this.syncNanos = syncNanos;
    this.committedNanos = committedNanos;
  }

  /// Closes a round: hands over what it gathered.
  ///
  /// @param n number of the committed batch, 0 when it wrote nothing
  public void endOfBatch(long n, long nowMillis) {
    // First, and without the directory: whatever else fails, who is out is out.
    for (int i = 0; i < roundSize; i++) {
      putOut(roundOutcomes[i]);
    }
    // What came before is told before, so that nobody sees a hole.
    boolean found = whereabouts.find(users) && tellOwed();
    var round = roundHasEntries ? watch.open(n, nowMillis) : null;
    if (round != null && found) {
      addNews(round);
    }
    routedNanos = round != null && trace.isOn() ? System.nanoTime() : 0;
    for (int i = 0; i < roundSize; i++) {
      var outcome = roundOutcomes[i];
      var held = answer(roundCommands[i], roundOrigins[i], outcome);
      if (outcome instanceof Outcome.Sent sent) {
        if (round != null && !sent.repeat()) {
          if (trace.isOn()) {
            note(sent, roundOrigins[i], found);
          }
          dispatch(round, sent, found, held, nowMillis);
        }
      } else if (outcome instanceof Outcome.Ticked ticked) {
        deliverProgress(ticked);
      } else if (outcome instanceof Outcome.UserErased erased && round != null) {
        for (var duty : erased.duties()) {
          owe(round, duty, List.of(), held, nowMillis);
        }
      }
    }
    // Last, so that a receipt never runs ahead of the entry it speaks of.
    for (int i = 0; i < receipts.size(); i++) {
      deliverReceipt(receipts.get(i));
    }
    flushEdges();
    pushNow();
    if (round != null) {
      watch.close(round);
    }
    clearRound();
    takeAnswers();
  }

  /// Looks after the ack watch and whatever could not be handed over; about once a second.
  public void tick(long nowMillis) {
    takeAnswers();
    tellOwed();
    nudge(nowMillis);
    expire(nowMillis);
    retryPushes();
    retryDuties(nowMillis);
  }

  /// Whether so much waits for the push queue or other shards that the shard must take no further
  /// sends. Rounds go on, because the answers that shards wait for are in each other's rounds.
  public boolean isFull() {
    return refusedPushes.size() + duties.size() + whereabouts.owed() > watchedMax;
  }

  /// Recipients of entries that are being watched.
  public int watched() {
    return watch.size();
  }

  // ---- a round

  /// Answers now, or returns what is to be answered when the duties of the outcome are done.
  private @Nullable HeldAnswer answer(Command command, Origin origin, Outcome outcome) {
    var edge = origin.edge();
    if (edge == null) {
      return null;
    }
    boolean told =
        origin.rid() != 0
            || switch (outcome) {
              case Outcome.Sent sent -> true;
              case Outcome.Enrolled enrolled -> true;
              case Outcome.Refused refused -> true;
              case Outcome.DeviceRemoved removed -> true;
              case Outcome.Recorded recorded -> true;
              case Outcome.UserErased erased -> true;
              case Outcome.UserBanned banned -> true;
              case Outcome.Moved moved -> false;
              case Outcome.Ticked ticked -> false;
              case Outcome.Done done -> false;
            };
    if (!told) {
      return null;
    }
    var answer = new Delivery.Answer(origin, command, outcome);
    boolean waits =
        switch (outcome) {
          case Outcome.Sent sent -> !sent.repeat() && blocks(sent.duties());
          case Outcome.UserErased erased -> !erased.duties().isEmpty();
          default -> false;
        };
    if (waits) {
      heldAnswers++;
      wakeSlot = command.slot();
      return new HeldAnswer(answer);
    }
    edge(edge).deliveries.add(answer);
    return null;
  }

  private static boolean blocks(List<Command> duties) {
    for (int i = 0; i < duties.size(); i++) {
      if (duties.get(i) instanceof Command.SetBlock) {
        return true;
      }
    }
    return false;
  }

  private void addNews(Watch.Round round) {
    Map<News, Long> news = null;
    for (int i = 0; i < roundSize; i++) {
      if (roundOutcomes[i] instanceof Outcome.Sent sent && !sent.repeat()) {
        for (var member : sent.members()) {
          if (users.routes(member).absentDevices()) {
            if (news == null) {
              news = new LinkedHashMap<>();
            }
            news.putIfAbsent(new News(member, sent.entry().chat()), sent.entry().seq());
          }
        }
      }
    }
    if (news != null && !whereabouts.note(news.keySet(), users)) {
      news.forEach((one, seq) -> whereabouts.owe(one.user(), one.chat(), seq, round));
    }
  }

  private void dispatch(
      Watch.Round round,
      Outcome.Sent sent,
      boolean found,
      @Nullable HeldAnswer held,
      long nowMillis) {
    var entry = sent.entry();
    var sender = entry.sender().user();
    if (found) {
      deliverEntry(entry, sent.members());
    }
    for (var member : sent.members()) {
      if (!found) {
        whereabouts.owe(member, entry.chat(), entry.seq(), round);
      }
      if (!member.equals(sender)) {
        // Who may be connected for all that is known is watched.
        if (found && users.routes(member).sessions().isEmpty()) {
          pushesNow.add(new PushNow(round, entry.chat(), member, entry.seq()));
        } else {
          watchOrPush(round, entry, member);
        }
      }
    }
    for (var duty : sent.duties()) {
      var served =
          duty instanceof Command.ListChat list
              ? users.routes(list.user()).sessions()
              : List.<Attachment>of();
      owe(round, duty, served, held, nowMillis);
    }
  }

  private void note(Outcome.Sent sent, Origin origin, boolean found) {
    var entry = sent.entry();
    var sender = entry.sender();
    if (committedNanos != 0) {
      boolean ofSession = origin.sinceNanos() != 0;
      trace.committed(
          entry.chat(),
          entry.seq(),
          sender,
          origin.sinceNanos(),
          ofSession ? origin.session() : 0,
          syncNanos,
          committedNanos);
    }
    int sessions = 0;
    int absent = 0;
    for (var member : sent.members()) {
      var there = users.routes(member).sessions();
      if (there.isEmpty() && !member.equals(sender.user())) {
        absent++;
      }
      for (var session : there) {
        if (!isSentFrom(session, entry)) {
          sessions++;
        }
      }
    }
    trace.routed(
        entry.chat(),
        entry.seq(),
        sender.user(),
        found,
        batchEvents,
        sessions,
        absent,
        routedNanos);
  }

  /// The sending device has SENT; if that is lost, it sends again. What the server made of a change
  /// it has not, so it gets that as the others do.
  private static boolean isSentFrom(Attachment session, Entry entry) {
    return entry.csn() != 0 && session.device().equals(entry.sender());
  }

  private void watchOrPush(Watch.Round round, Entry entry, UserId member) {
    if (watch.size() < watchedMax) {
      watch.add(round, entry.chat(), member, entry.seq());
    } else {
      pushesNow.add(new PushNow(round, entry.chat(), member, entry.seq()));
    }
  }

  private void deliverEntry(Entry entry, List<UserId> members) {
    var sender = entry.sender();
    boolean own = false;
    for (var member : members) {
      boolean ofSender = member.equals(sender.user());
      for (var session : users.routes(member).sessions()) {
        if (!ofSender || !isSentFrom(session, entry)) {
          recipient(session);
          own |= ofSender;
        }
      }
    }
    byte @Nullable [] body = null;
    byte[] ownBody = {};
    for (int i = 0; i < touched.size(); i++) {
      var edge = touched.get(i);
      var to = edge.to;
      if (to != null) {
        if (body == null) {
          body = encode(entry, 0);
          ownBody = own && entry.csn() != 0 ? encode(entry, entry.csn()) : body;
        }
        edge.deliveries.add(
            new Delivery.Entries(
                entry.chat(), entry.seq(), sender.user(), body, ownBody, immutable(to)));
        edge.to = null;
      }
    }
  }

  private static byte[] encode(Entry entry, long csn) {
    var sender = entry.sender();
    return DeliverBody.encode(
        entry.chat().isGroup() ? sender.user().value() : 0,
        sender.index(),
        entry.tsMillis(),
        entry.content(),
        csn,
        entry.editedMillis());
  }

  /// To the authors' sessions only: what grows with the members is counted by the shard, not told
  /// one by one.
  private void deliverProgress(Outcome.Ticked ticked) {
    for (var progress : ticked.progress()) {
      for (var author : progress.authors()) {
        for (var session : users.routes(author.user()).sessions()) {
          recipient(session);
        }
        for (int i = 0; i < touched.size(); i++) {
          var edge = touched.get(i);
          var to = edge.to;
          if (to != null) {
            edge.deliveries.add(
                new Delivery.Progress(
                    progress.chat(),
                    progress.allDelivered(),
                    progress.allRead(),
                    author.seq(),
                    author.total(),
                    author.delivered(),
                    author.read(),
                    immutable(to)));
            edge.to = null;
          }
        }
      }
    }
  }

  private void putOut(@Nullable Outcome outcome) {
    switch (outcome) {
      case Outcome.DeviceRemoved(DeviceId device) ->
          putOut(device.user(), device.index(), ErrorCode.REVOKED);
      case Outcome.UserErased erased -> putOut(erased.user(), 0, ErrorCode.REVOKED);
      case Outcome.UserBanned(UserId user) -> putOut(user, 0, ErrorCode.BANNED);
      case null, default -> {}
    }
  }

  // Every edge is told, and ends within a sweep whatever session it has: the directory may be away,
  // or have forgotten one. The sessions that it does name end at once. A device that logs in
  // meanwhile is refused by its shard.
  private void putOut(UserId user, int device, ErrorCode why) {
    bus.toEveryEdge(new Delivery.Gone(user, device, why));
    for (var session : whereabouts.sessions(user)) {
      if (device == 0 || session.device().index() == device) {
        edge(session.edge()).deliveries.add(new Delivery.Revoked(session, why));
      }
    }
  }

  private void deliverReceipt(ReceiptTable.Receipt receipt) {
    deliverReceipt(receipt, false, receipt.shownDelivered(), receipt.shownRead());
    deliverReceipt(receipt, true, receipt.delivered(), receipt.read());
  }

  /// @param own to the member's own devices, or to the others
  private void deliverReceipt(
      ReceiptTable.Receipt receipt, boolean own, long delivered, long read) {
    for (var observer : receipt.observers()) {
      if (observer.equals(receipt.member) != own) {
        continue;
      }
      for (var session : users.routes(observer).sessions()) {
        if (!session.device().equals(receipt.from())) {
          recipient(session);
        }
      }
    }
    for (int i = 0; i < touched.size(); i++) {
      var edge = touched.get(i);
      var to = edge.to;
      if (to != null) {
        edge.deliveries.add(
            new Delivery.Receipts(receipt.chat, receipt.member, delivered, read, immutable(to)));
        edge.to = null;
      }
    }
  }

  private void recipient(Attachment session) {
    var edge = edge(session.edge());
    if (edge.to == null) {
      edge.to = new ArrayList<>(2);
    }
    edge.to.add(session);
  }

  private static List<Attachment> immutable(List<Attachment> list) {
    return list.size() == 1 ? List.of(list.getFirst()) : Collections.unmodifiableList(list);
  }

  // What the push queue does not take is watched like the rest, so that an acknowledgement still
  // makes it unnecessary.
  private void pushNow() {
    for (var push : pushesNow) {
      if (!refusedPushes.isEmpty() || !offer(push.user, push.chat, push.seq)) {
        refusedPushes.add(watch.add(push.round, push.chat, push.user, push.seq));
      }
    }
    pushesNow.clear();
  }

  private boolean offer(UserId user, ChatId chat, long seq) {
    boolean accepted = pushQueue.offer(user, chat, seq);
    metrics.onPush(accepted);
    if (trace.isOn()) {
      trace.pushed(chat, seq, user, accepted, System.nanoTime());
    }
    return accepted;
  }

  private void clearRound() {
    Arrays.fill(roundCommands, 0, roundSize, null);
    Arrays.fill(roundOrigins, 0, roundSize, null);
    Arrays.fill(roundOutcomes, 0, roundSize, null);
    roundSize = 0;
    roundHasEntries = false;
    committedNanos = 0;
    users.clear();
    receipts.clear();
  }

  // ---- edges

  private EdgeBatch edge(EdgeId id) {
    var batch = lastEdge;
    if (batch == null || !batch.edge.equals(id)) {
      batch = edges.computeIfAbsent(id, EdgeBatch::new);
      lastEdge = batch;
    }
    if (!batch.touched) {
      batch.touched = true;
      touched.add(batch);
    }
    return batch;
  }

  private void flushEdges() {
    for (int i = 0; i < touched.size(); i++) {
      var edge = touched.get(i);
      var deliveries = edge.deliveries;
      edge.touched = false;
      if (!deliveries.isEmpty()) {
        edge.deliveries = new ArrayList<>(Math.min(deliveries.size(), 256));
        metrics.onDeliveries(deliveries.size());
        bus.toEdge(edge.edge, Collections.unmodifiableList(deliveries));
      }
    }
    touched.clear();
    if (edges.size() > EDGES_KEPT_MAX) {
      edges.clear();
      lastEdge = null;
    }
  }

  // ---- the watch

  private void nudge(long nowMillis) {
    var slow = new ArrayList<Watch.Member>();
    for (var round = watch.oldest();
        round != null && nowMillis - round.since >= nudgeAfterMillis;
        round = round.next) {
      if (!round.nudged) {
        round.nudged = true;
        for (var pending = round.first; pending != null; pending = pending.nextOfRound) {
          if (pending.member.nudgedAt != nowMillis) {
            pending.member.nudgedAt = nowMillis;
            slow.add(pending.member);
          }
        }
      }
    }
    for (int from = 0; from < slow.size(); from += LOOKUP_MAX) {
      var some = slow.subList(from, Math.min(from + LOOKUP_MAX, slow.size()));
      some.forEach(member -> users.add(member.user));
      boolean found = whereabouts.find(users);
      for (var member : some) {
        if (found) {
          nudge(member.chat, 0, users.routes(member.user).sessions(), Set.of());
        } else {
          whereabouts.owe(member.user, member.chat, 0, null);
        }
      }
      flushEdges();
      users.clear();
    }
  }

  // What came while the directory did not answer. False: it still does not.
  private boolean tellOwed() {
    for (int left = whereabouts.owed(); left > 0; left -= LOOKUP_MAX) {
      var some = whereabouts.some(Math.min(left, LOOKUP_MAX));
      some.keySet().forEach(one -> owedUsers.add(one.user()));
      boolean told = whereabouts.find(owedUsers) && addNewsOf(some.keySet(), owedUsers);
      if (told) {
        some.forEach((one, what) ->
            nudge(one.chat(), what.from(), owedUsers.routes(one.user()).sessions(), Set.of()));
        flushEdges();
        whereabouts.settle(some);
      }
      owedUsers.clear();
      if (!told) {
        return false;
      }
    }
    return true;
  }

  private void nudge(ChatId chat, long from, List<Attachment> sessions, Set<Attachment> butNot) {
    for (var session : sessions) {
      if (!butNot.contains(session)) {
        metrics.onNudge();
        edge(session.edge()).deliveries.add(new Delivery.Nudge(chat, session, from));
      }
    }
  }

  private void expire(long nowMillis) {
    for (var round = watch.oldest();
        round != null && nowMillis - round.since >= ackWatchMillis;
        round = watch.oldest()) {
      watch.stopTime(round);
      var pending = round.first;
      while (pending != null) {
        var next = pending.nextOfRound;
        metrics.onWatchExpired();
        if (refusedPushes.isEmpty()
            && offer(pending.member.user, pending.member.chat, pending.seq)) {
          watch.pushed(pending);
        } else {
          refusedPushes.add(pending);
        }
        pending = next;
      }
    }
  }

  private void retryPushes() {
    for (var push = refusedPushes.peek(); push != null; push = refusedPushes.peek()) {
      if (!push.isDone()) {
        if (!offer(push.member.user, push.member.chat, push.seq)) {
          return;
        }
        watch.pushed(push);
      }
      refusedPushes.remove();
    }
  }

  // ---- other shards

  private void owe(
      Watch.Round round,
      Command command,
      List<Attachment> served,
      @Nullable HeldAnswer answer,
      long nowMillis) {
    watch.hold(round);
    if (answer != null) {
      answer.open++;
    }
    var duty = new Duty(++dutyNumber, round, command, served, answer);
    duty.retryAt = nowMillis + retryMillis;
    duties.put(duty.number, duty);
    submit(duty);
  }

  private boolean submit(Duty duty) {
    if (commands.submit(duty.command, new Origin(address, duty.number, 1))) {
      return true;
    }
    if (!duty.refused) {
      duty.refused = true;
      refusedDuties.add(duty);
    }
    return false;
  }

  // Answers make room in the rings they come from.
  private void submitRefused() {
    for (var duty = refusedDuties.peek(); duty != null; duty = refusedDuties.peek()) {
      if (duties.containsKey(duty.number) && !submit(duty)) {
        return;
      }
      duty.refused = false;
      refusedDuties.remove();
    }
  }

  // Not answered: the other shard has been away. It is idempotent.
  private void retryDuties(long nowMillis) {
    while (!duties.isEmpty()) {
      var duty = duties.firstEntry().getValue();
      if (duty.retryAt > nowMillis) {
        return;
      }
      duties.remove(duty.number);
      duty.retryAt = nowMillis + retryMillis;
      duties.put(duty.number, duty);
      if (!duty.refused) {
        submit(duty);
      }
    }
  }

  private void takeAnswers() {
    submitRefused();
    if (answers.isEmpty()) {
      return;
    }
    var listed = new ArrayList<Listed>();
    for (var answer = answers.poll(); answer != null; answer = answers.poll()) {
      if (answer.outcome() instanceof Outcome.Refused refused) {
        if (refused.code().errorClass() == ErrorCode.ErrorClass.LATER) {
          continue;
        }
        LOG.warn(
            "{} was refused for good: {} {}", answer.command(), refused.code(), refused.detail());
      }
      var duty = duties.remove(answer.to().session());
      if (duty != null) {
        release(duty.answer);
        if (duty.command instanceof Command.ListChat list) {
          listed.add(new Listed(list, duty.served, duty.round));
        } else {
          watch.release(duty.round);
        }
      }
    }
    flushEdges();
    nudgeListed(listed);
    listed.forEach(list -> watch.release(list.round));
  }

  private void release(@Nullable HeldAnswer held) {
    if (held != null && --held.open == 0) {
      if (--heldAnswers == 0) {
        wakeSlot = -1;
      }
      var edge = held.answer.to().edge();
      if (edge != null) {
        edge(edge).deliveries.add(held.answer);
      }
    }
  }

  // A device that attached after its chat's first entry was dispatched and before the chat was in
  // its user's list has found the entry in neither way; it may even have left again.
  private void nudgeListed(List<Listed> listed) {
    for (int from = 0; from < listed.size(); from += LOOKUP_MAX) {
      var some = listed.subList(from, Math.min(from + LOOKUP_MAX, listed.size()));
      some.forEach(list -> users.add(list.command.user()));
      var news = new LinkedHashSet<News>();
      some.forEach(list -> news.add(new News(list.command.user(), list.command.chat())));
      if (!whereabouts.find(users) || !addNewsOf(news, users)) {
        some.forEach(
            list -> whereabouts.owe(list.command.user(), list.command.chat(), 0, list.round));
      }
      for (var list : some) {
        nudge(
            list.command.chat(),
            0,
            users.routes(list.command.user()).sessions(),
            new HashSet<>(list.served));
      }
      flushEdges();
      users.clear();
    }
  }

  /// Of those who have absent devices. False when the directory did not take them.
  private boolean addNewsOf(Set<News> all, UserTable table) {
    var news = new LinkedHashSet<>(all);
    news.removeIf(one -> !table.routes(one.user()).absentDevices());
    return whereabouts.note(news, table);
  }

  /// The chat of a command that moves watermarks.
  private static ChatId chatOf(Command command) {
    return switch (command) {
      case Command.Ack ack -> ack.chat();
      case Command.Read read -> read.chat();
      default -> throw new IllegalArgumentException("moves no watermark: " + command);
    };
  }

  private static DeviceId senderOf(Command command) {
    return switch (command) {
      case Command.Ack ack -> ack.from();
      case Command.Read read -> read.from();
      default -> throw new IllegalArgumentException("moves no watermark: " + command);
    };
  }
}
