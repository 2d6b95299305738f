package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.router.Directory.News;
import io.tern.store.Command;
import io.tern.store.OutboxRecord;
import io.tern.store.Outcome;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

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
/// The round that has been committed is here; what comes of it is the work of its parts:
///
/// ```
/// Whereabouts   who is connected where, and who is owed a look when the directory is away
/// Outgoing      deliveries, gathered for each edge
/// Watch         who has not acknowledged what, and what each outbox record waits for
/// Pushes        which entries become push intents
/// Duties        what other shards have to do, and the answers that wait for it
/// Nudges        who is told, outside a round, to look into the store
/// ```
///
/// Bounds: `watchedMax` recipients of entries are watched; beyond, an entry becomes a push intent
/// at once. When the push queue, other shards and the directory take so little that more than
/// `watchedMax` pushes, duties and members wait for them, [#isFull] says so and the owner must take
/// no further sends.
///
/// It has an address on the [Bus], where it hears what became of the commands it sent to other
/// shards: whoever owns it registers it there.
public final class Dispatcher implements Deliveries {

  private final Whereabouts whereabouts;
  private final Bus bus;
  private final Watch watch;
  private final Outgoing outgoing;
  private final Pushes pushes;
  private final Duties duties;
  private final Nudges nudges;
  private final int watchedMax;
  private final Trace.Writer trace;

  // ---- the round that is being gathered

  private Command[] roundCommands = new Command[256];
  private Origin[] roundOrigins = new Origin[256];
  private Outcome[] roundOutcomes = new Outcome[256];
  private int roundSize;
  private final UserTable users = new UserTable();
  private final ReceiptTable receipts = new ReceiptTable();
  private boolean roundHasEntries;

  /// The members that were added to `users` last.
  private List<UserId> usersOf = List.of();

  // How the round was committed, and when its recipients had been looked up.
  private int batchEvents;
  private long syncNanos;
  private long committedNanos;
  private long routedNanos;

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
    this.bus = bus;
    this.trace = trace;
    watchedMax = config.watchedMax();
    watch = new Watch(settle);
    whereabouts = new Whereabouts(directory, metrics, watch);
    outgoing = new Outgoing(bus, metrics);
    pushes = new Pushes(pushQueue, watch, metrics, trace, config);
    duties = new Duties(address, commands, watch, outgoing, config);
    nudges = new Nudges(whereabouts, watch, outgoing, config);
  }

  /// Answers from other shards. Any thread: they are kept until the next [#endOfBatch] or [#tick].
  /// If a client waits for them, the shard is given something to do, so that this is soon.
  @Override
  public void deliver(List<Delivery> deliveries) {
    duties.deliver(deliveries);
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
        var entry = due.entry();
        var to = new LinkedHashSet<>(due.waiting());
        to.add(entry.sender().user());
        if (found) {
          outgoing.entry(entry, List.copyOf(to), users);
        } else {
          to.forEach(member -> whereabouts.owe(member, entry.chat(), entry.seq(), round));
        }
        watch(round, due);
      }
      for (var duty : owed.duties()) {
        // Whoever waited for it has gone with the life before, and asks again.
        duties.owe(round, duty, List.of(), null, nowMillis);
      }
      outgoing.flush();
      pushes.flush();
      watch.close(round);
      users.clear();
    }
  }

  private void watch(Watch.Round round, OutboxRecord.Due due) {
    var entry = due.entry();
    var many =
        pushes.addMany(round, entry.chat(), due.members(), due.waiting().size(), entry.seq());
    for (var member : due.waiting()) {
      if (many != null) {
        many.add(member);
      } else {
        pushes.addUnlessAcknowledged(round, entry.chat(), member, entry.seq());
      }
    }
    if (many != null) {
      watch.close(many);
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
          add(sent.members());
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
      case Outcome.Announced announced -> roundHasEntries |= !announced.duties().isEmpty();
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

  /// The members of a group that is written to are the same list each time.
  @SuppressWarnings("ReferenceEquality")
  private void add(List<UserId> members) {
    if (members != usersOf) {
      usersOf = members;
      for (int i = 0; i < members.size(); i++) {
        users.add(members.get(i));
      }
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
    boolean found = whereabouts.find(users) && nudges.owed();
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
        outgoing.progress(ticked, users);
      } else if (outcome instanceof Outcome.UserErased erased && round != null) {
        for (var duty : erased.duties()) {
          duties.owe(round, duty, List.of(), held, nowMillis);
        }
      } else if (outcome instanceof Outcome.Announced announced && round != null) {
        for (var duty : announced.duties()) {
          duties.owe(round, duty, List.of(), null, nowMillis);
        }
      }
    }
    // Last, so that a receipt never runs ahead of the entry it speaks of.
    for (int i = 0; i < receipts.size(); i++) {
      outgoing.receipt(receipts.get(i), users);
    }
    outgoing.flush();
    pushes.flush();
    if (round != null) {
      watch.close(round);
    }
    clearRound();
    takeAnswers();
  }

  /// Looks after the ack watch and whatever could not be handed over; about once a second.
  public void tick(long nowMillis) {
    takeAnswers();
    watch.trim();
    nudges.owed();
    nudges.slow(nowMillis);
    pushes.expire(nowMillis);
    pushes.retry();
    duties.retry(nowMillis);
  }

  /// Whether so much waits for the push queue or other shards that the shard must take no further
  /// sends. Rounds go on, because the answers that shards wait for are in each other's rounds.
  public boolean isFull() {
    return pushes.waiting() + duties.size() + whereabouts.owed() > watchedMax;
  }

  /// Recipients of entries that are being watched.
  public int watched() {
    return watch.size();
  }

  // ---- a round

  /// Answers now, or returns what is to be answered when the duties of the outcome are done.
  private Duties.@Nullable HeldAnswer answer(Command command, Origin origin, Outcome outcome) {
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
              case Outcome.Announced announced -> true;
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
      return duties.hold(answer);
    }
    outgoing.answer(edge, answer);
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
      Duties.@Nullable HeldAnswer held,
      long nowMillis) {
    var entry = sent.entry();
    var sender = entry.sender().user();
    if (found) {
      outgoing.entry(entry, sent.members(), users);
    }
    var members = sent.members();
    var many = pushes.addMany(round, entry.chat(), members, members.size(), entry.seq());
    for (int i = 0; i < members.size(); i++) {
      var member = members.get(i);
      if (!found) {
        whereabouts.owe(member, entry.chat(), entry.seq(), round);
      }
      if (!member.equals(sender)) {
        // Who may be connected for all that is known is watched.
        if (found && users.routes(member).sessions().isEmpty()) {
          pushes.add(round, entry.chat(), member, entry.seq());
        } else if (many != null) {
          many.add(i);
        } else {
          pushes.addUnlessAcknowledged(round, entry.chat(), member, entry.seq());
        }
      }
    }
    if (many != null) {
      watch.close(many);
    }
    for (var duty : sent.duties()) {
      var served =
          duty instanceof Command.ListChat list
              ? users.routes(list.user()).sessions()
              : List.<Attachment>of();
      duties.owe(round, duty, served, held, nowMillis);
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
        if (!Outgoing.isSentFrom(session, entry)) {
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
        outgoing.revoke(session, why);
      }
    }
  }

  private void clearRound() {
    Arrays.fill(roundCommands, 0, roundSize, null);
    Arrays.fill(roundOrigins, 0, roundSize, null);
    Arrays.fill(roundOutcomes, 0, roundSize, null);
    roundSize = 0;
    roundHasEntries = false;
    committedNanos = 0;
    users.clear();
    usersOf = List.of();
    receipts.clear();
  }

  private void takeAnswers() {
    var listed = duties.takeAnswers();
    outgoing.flush();
    nudges.listed(listed);
    for (var list : listed) {
      watch.release(list.round());
    }
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
