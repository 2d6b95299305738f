package io.tern.tools.history;

import io.tern.protocol.ErrorCode;
import io.tern.tools.history.DeviceRecorder.Cursor;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Changes of groups: each that was acknowledged is one entry, at the place that was told, and each
/// entry is a change that somebody asked for.
///
/// A change and its entry know each other by device and fingerprint. Entries whose place nobody was
/// told are matched with the changes of that device and fingerprint that are not placed, first with
/// those that are known to be made: they cannot be told apart, so nothing is said of when each was
/// asked for.
final class GroupChanges {

  /// A change that a device asked for.
  static final class Op {
    final DeviceState device;
    final int number;
    final long fingerprint;
    final boolean isFounding;

    /// The group; null while one that is being founded has no id.
    @Nullable ChatLog log;

    /// Where the log has it; 0 nowhere, or not known. Unless it is what was answered, another
    /// change that cannot be told apart may be there instead.
    long seq;

    /// The seq that was answered; 0 when no seq was.
    long answer;

    boolean isAcknowledged;
    int refusal;
    boolean isBegun;

    Op(DeviceState device, int number, long fingerprint, boolean isFounding) {
      this.device = device;
      this.number = number;
      this.fingerprint = fingerprint;
      this.isFounding = isFounding;
    }

    boolean isPlaced() {
      return seq > 0 && seq == answer;
    }

    boolean isRefusedForGood() {
      return refusal != 0 && ErrorCode.classOf(refusal) == ErrorCode.ErrorClass.REQUEST;
    }

    @Override
    public String toString() {
      return "change %d of %s (%s)".formatted(number, device, Long.toHexString(fingerprint));
    }
  }

  private record Key(int device, long fingerprint) {}

  private final Evidence evidence;
  private final Findings findings;
  private long acknowledged;
  private long refused;

  GroupChanges(Evidence evidence) {
    this.evidence = evidence;
    findings = evidence.findings;
  }

  long acknowledged() {
    return acknowledged;
  }

  long refused() {
    return refused;
  }

  /// Needs the logs.
  void read() {
    var all = new ArrayList<Op>();
    evidence.forEach((device, event) -> {
      switch (event.kind) {
        case CHANGING -> {
          var op = new Op(device, device.changes.size(), event.operand(0), event.flag);
          op.log = event.flag ? null : device.chats.get(event.chat).log;
          device.changes.add(op);
          all.add(op);
        }
        case CHANGED -> {
          var op = device.changes.get((int) event.operand(0));
          op.log = device.chats.get(event.chat).log;
          op.isAcknowledged = true;
          if (op.answer == 0) {
            op.answer = event.operand(1);
          }
        }
        case CHANGE_REFUSED ->
            device.changes.get((int) event.operand(0)).refusal = (int) event.operand(1);
        default -> {}
      }
    });
    all.forEach(this::placeAsAnswered);
    placeOthers(all);
  }

  private void placeAsAnswered(Op op) {
    var log = op.log;
    if (log != null && isThere(log, op.answer, op)) {
      var entry = log.groupEntries.get(op.answer);
      if (entry != null && entry.op == null) {
        entry.op = op;
        op.seq = op.answer;
      }
    }
  }

  private static boolean isThere(ChatLog log, long seq, Op op) {
    var entry = log.groupEntries.get(seq);
    return entry != null
        && entry.fingerprint == op.fingerprint
        && log.sender[Math.toIntExact(seq)] == op.device.ref();
  }

  private void placeOthers(List<Op> all) {
    Map<Key, ArrayDeque<Op>> placeless = new HashMap<>();
    Map<Key, ArrayDeque<Op>> open = new HashMap<>();
    Set<Key> made = new HashSet<>();
    Set<Key> refusedForGood = new HashSet<>();
    for (var op : all) {
      var key = new Key(op.device.ref(), op.fingerprint);
      if (op.seq > 0) {
        made.add(key);
      } else if (op.isRefusedForGood()) {
        refusedForGood.add(key);
      } else if (op.answer == 0) {
        var theirs = op.isAcknowledged ? placeless : open;
        theirs.computeIfAbsent(key, k -> new ArrayDeque<>()).add(op);
      }
    }
    for (var log : evidence.logs.values()) {
      log.groupEntries.forEach((seq, entry) -> {
        if (entry.op == null) {
          var key = new Key(log.sender[Math.toIntExact(seq)], entry.fingerprint);
          var known = takeFor(log, placeless.get(key));
          var op = known != null ? known : takeFor(log, open.get(key));
          if (op != null) {
            entry.op = op;
            op.log = log;
            op.seq = seq;
          } else {
            tellUnasked(log, seq, made.contains(key), refusedForGood.contains(key));
          }
        }
      });
    }
  }

  private static @Nullable Op takeFor(ChatLog log, @Nullable ArrayDeque<Op> open) {
    if (open != null) {
      for (var op : open) {
        if (op.log == log || (op.isFounding && op.log == null)) {
          open.remove(op);
          return op;
        }
      }
    }
    return null;
  }

  private void tellUnasked(ChatLog log, long seq, boolean isMade, boolean isRefused) {
    var rule = isMade ? Rule.DOUBLED : isRefused ? Rule.REFUSED_BUT_THERE : Rule.PHANTOM;
    var why =
        switch (rule) {
          case DOUBLED -> "a change that is in a log already, and was asked for no more often";
          case REFUSED_BUT_THERE -> "a change that was refused for good";
          default -> "a change that nobody asked for";
        };
    findings.add(rule, log, () -> "seq %d is %s: %s".formatted(seq, describe(log, seq), why));
  }

  private String describe(ChatLog log, long seq) {
    var entry = log.groupEntries.get(seq);
    return entry == null
        ? evidence.describe(log, seq)
        : "the change %s by %s"
            .formatted(
                Long.toHexString(entry.fingerprint),
                evidence.devices.get(log.sender[Math.toIntExact(seq)]));
  }

  // ---- In the order of time

  void onChanging(DeviceState device) {
    var op = device.changes.get(device.changesBegun++);
    op.isBegun = true;
    var log = op.log;
    if (log == null || op.seq == 0) {
      return;
    }
    var member = log.member(device.user());
    member.ownMax = Math.max(member.ownMax, op.seq);
    long seen = log.seenMax;
    if (!op.isFounding && op.isPlaced() && op.seq <= seen) {
      findings.add(
          Rule.REAL_TIME_ORDER,
          log,
          () ->
              "%s is at seq %d, but seq %d had been seen before it was asked for"
                  .formatted(op, op.seq, seen));
    }
  }

  void onChanged(DeviceState device, ChatLog log, Cursor event) {
    acknowledged++;
    var op = device.changes.get((int) event.operand(0));
    long seq = event.operand(1);
    log.seenMax = Math.max(log.seenMax, seq);
    if (op.answer != seq) {
      findings.add(
          Rule.DOUBLED,
          log,
          () -> "%s was acknowledged at seq %d and at seq %d".formatted(op, op.answer, seq));
    } else if (seq == 0 ? op.seq == 0 : !isThere(log, seq, op)) {
      findings.add(
          Rule.LOST,
          log,
          () ->
              "%s was acknowledged at seq %d, where there is %s"
                  .formatted(op, seq, describe(log, seq)));
    } else if (seq > 0 && op.seq != seq) {
      findings.add(
          Rule.LOST,
          log,
          () -> "%s was acknowledged at seq %d, as another change was".formatted(op, seq));
    }
  }

  void onRefused(DeviceState device, Cursor event) {
    if (device.changes.get((int) event.operand(0)).isRefusedForGood()) {
      refused++;
    }
  }

  /// Who sees an entry sees what somebody has asked for by then.
  void onDelivered(DeviceState device, ChatLog log, long seq) {
    var entry = log.isOfGroup(seq) ? log.groupEntries.get(seq) : null;
    var op = entry == null ? null : entry.op;
    if (op != null && !op.isPlaced()) {
      // It may have been begun under another number.
      var member = log.member(op.device.user());
      member.ownMax = Math.max(member.ownMax, seq);
    } else if (op != null && !op.isBegun) {
      findings.add(
          Rule.PHANTOM,
          log,
          () -> "%s got seq %d before %s was asked for".formatted(device, seq, op));
    }
  }

  // ---- At the end

  /// What was told at the end about who is in a group.
  void onMembers(DeviceState device, DeviceChat chat) {
    var membership = chat.log.membership;
    var span = membership.last(device.user());
    boolean isIn = span != null && span.isOpen();
    var due = isIn ? membership.roles() : Map.of();
    if (membership.isKnown() && !due.equals(chat.members)) {
      findings.add(
          Rule.MEMBERS,
          chat.log,
          () ->
              "%s was told that the members are %s; the entries say %s"
                  .formatted(device, chat.members, due));
    }
  }

  void checkAnswered() {
    for (var device : evidence.devices) {
      for (var op : device.changes) {
        if (device.isOnline && !op.isAcknowledged && op.refusal == 0) {
          findings.add(
              Rule.UNANSWERED,
              op.log,
              () ->
                  "%s never got an answer (%s)"
                      .formatted(op, op.seq == 0 ? "not in a log" : "at seq " + op.seq));
        }
      }
    }
  }
}
