package io.tern.router;

import io.tern.protocol.ErrorCode;
import io.tern.store.Command;
import io.tern.store.Outcome;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What other shards have to do about this one's commits (a chat list, a block, a leave): gives
/// them the commands until they are answered for good, and holds back the answers to clients whose
/// promise takes that too.
///
/// Confined to the dispatcher's thread, but for [#deliver]. How many duties there may be is the
/// dispatcher's to say ([Dispatcher#isFull]).
final class Duties implements Deliveries {

  private static final Logger LOG = LoggerFactory.getLogger(Duties.class);

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

    /// Whether the ring has refused it and it stands in [#refused].
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
  static final class HeldAnswer {
    private final Delivery.Answer answer;

    /// Duties that are not done.
    private int open;

    private HeldAnswer(Delivery.Answer answer) {
      this.answer = answer;
    }
  }

  /// A chat that has come into a user's list.
  ///
  /// @param served sessions that have been given its first entry
  /// @param round to be released when those who were not served have been told
  record Listed(Command.ListChat command, List<Attachment> served, Watch.Round round) {}

  private final EdgeId address;
  private final Commands commands;
  private final Watch watch;
  private final Outgoing outgoing;
  private final long retryMillis;

  /// By number, the next to be retried first.
  private final LinkedHashMap<Long, Duty> duties = new LinkedHashMap<>();

  /// Those that found a full ring, the first to be refused first; answered ones are passed over.
  private final ArrayDeque<Duty> refused = new ArrayDeque<>();

  private long dutyNumber;
  private final ConcurrentLinkedQueue<Delivery.Answer> answers = new ConcurrentLinkedQueue<>();

  /// Answers that wait for duties.
  private int heldAnswers;

  /// A slot of this shard while an answer waits for duties, else -1. Written by the owner.
  private volatile int wakeSlot = -1;

  /// @param address the dispatcher's own, where the answers go
  /// @param commands where other shards' halves go
  Duties(EdgeId address, Commands commands, Watch watch, Outgoing outgoing, DispatchConfig config) {
    this.address = address;
    this.commands = commands;
    this.watch = watch;
    this.outgoing = outgoing;
    retryMillis = config.retry().toMillis();
  }

  /// Answers from other shards. Any thread: they are kept until the next [#takeAnswers]. If a
  /// client waits for them, the shard is given something to do, so that this is soon.
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

  /// Keeps an answer until the duties are done that are owed with it: at least one.
  HeldAnswer hold(Delivery.Answer answer) {
    heldAnswers++;
    wakeSlot = answer.command().slot();
    return new HeldAnswer(answer);
  }

  /// Another shard is to do this; the round is not settled before.
  ///
  /// @param served sessions that have been given the entry, if it is about a chat list
  /// @param answer what waits for it; null when nothing does
  void owe(
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
      refused.add(duty);
    }
    return false;
  }

  // Answers make room in the rings they come from.
  private void submitRefused() {
    for (var duty = refused.peek(); duty != null; duty = refused.peek()) {
      if (duties.containsKey(duty.number) && !submit(duty)) {
        return;
      }
      duty.refused = false;
      refused.remove();
    }
  }

  /// Gives again what has not been answered: the other shard has been away. A duty is idempotent.
  void retry(long nowMillis) {
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

  /// Takes up what has been delivered: answers what was held, and returns the chats that have come
  /// into lists. The caller flushes.
  List<Listed> takeAnswers() {
    submitRefused();
    if (answers.isEmpty()) {
      return List.of();
    }
    var listed = new ArrayList<Listed>();
    for (var answer = answers.poll(); answer != null; answer = answers.poll()) {
      if (answer.outcome() instanceof Outcome.Refused why) {
        if (why.code().errorClass() == ErrorCode.ErrorClass.LATER) {
          continue;
        }
        LOG.warn("{} was refused for good: {} {}", answer.command(), why.code(), why.detail());
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
    return listed;
  }

  private void release(@Nullable HeldAnswer held) {
    if (held != null && --held.open == 0) {
      if (--heldAnswers == 0) {
        wakeSlot = -1;
      }
      var edge = held.answer.to().edge();
      if (edge != null) {
        outgoing.answer(edge, held.answer);
      }
    }
  }

  /// How many are not done.
  int size() {
    return duties.size();
  }
}
