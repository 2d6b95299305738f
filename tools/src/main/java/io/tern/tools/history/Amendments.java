package io.tern.tools.history;

import io.tern.protocol.UserId;
import io.tern.tools.history.ChatLog.Amendment;
import io.tern.tools.history.DeviceRecorder.Kind;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Messages that do not stay as they were sent. An edit gives its message another content, a revoke
/// leaves a tombstone, and an edit that was followed by another or by a revoke loses its own.
///
/// What a message says in the end is what the last of its edits and revokes in the log says; what a
/// device gets of it on the way is any of the contents that it had.
final class Amendments {

  private final Evidence evidence;
  private final Sends sends;

  /// Entries whose content is not what anyone sent, so that it does not tell which send they are.
  private final Map<ChatLog, List<Integer>> amended = new HashMap<>();

  /// Which message an edit or revoke is about, by send.
  private final Map<Integer, Long> targets = new HashMap<>();

  Amendments(Evidence evidence) {
    this.evidence = evidence;
    sends = evidence.sends;
  }

  void add(ChatLog log, int send, long target, long result) {
    log.amendments
        .computeIfAbsent(target, t -> new ArrayList<>(1))
        .add(new Amendment(send, result));
    targets.put(send, target);
  }

  /// Whether the content at `seq`, which nobody sent, may be what an edit or a revoke left there.
  boolean mayBeAmended(ChatLog log, int seq) {
    long hash = log.hash[seq];
    boolean is = hash == ContentHash.VOID_EDIT && !log.amendments.isEmpty();
    for (var amendment : log.amendmentsOf(seq)) {
      is |= amendment.result() == hash;
    }
    if (is) {
      amended.computeIfAbsent(log, l -> new ArrayList<>()).add(seq);
    }
    return is;
  }

  /// Finds which sends the amended entries are, by who saw them before or was told their place. An
  /// entry that nobody ever saw as it was sent remains without a send.
  void findAmended() {
    if (amended.isEmpty()) {
      return;
    }
    evidence.forEach((device, event) -> {
      if (event.kind == Kind.SENT) {
        var log = device.chats.get(event.chat).log;
        long seq = event.operand(1);
        if (isOpen(log, seq) && log.sender[(int) seq] == device.ref()) {
          place(log, (int) seq, device.firstSend + (int) event.operand(0));
        }
      } else if (event.kind == Kind.DELIVERED) {
        var log = device.chats.get(event.chat).log;
        long seq = event.operand(0);
        if (isOpen(log, seq) && log.sender[(int) seq] == event.other) {
          int send = sends.find(event.other, log, event.operand(1));
          if (send != Sends.NONE) {
            place(log, (int) seq, send);
          }
        }
      }
    });
  }

  private boolean isOpen(ChatLog log, long seq) {
    return log.has(seq)
        && log.send[(int) seq] == Sends.NONE
        && !log.isOfGroup(seq)
        && amended.containsKey(log);
  }

  private void place(ChatLog log, int seq, int send) {
    if (sends.seq[send] == 0) {
      log.send[seq] = send;
      sends.seq[send] = seq;
    }
  }

  /// Every message says what the log made of it.
  void check() {
    for (var log : evidence.logs.values()) {
      log.amendments.forEach((target, all) -> {
        var made =
            all.stream()
                .filter(amendment -> sends.seq[amendment.send()] > 0)
                .sorted(Comparator.comparingLong(amendment -> sends.seq[amendment.send()]))
                .toList();
        if (log.isRead && log.has(target)) {
          checkTarget(log, target, made);
          for (int i = 0; i < made.size(); i++) {
            checkEdit(log, made.get(i), i + 1 == made.size());
          }
        }
      });
    }
  }

  private void checkTarget(ChatLog log, long target, List<Amendment> made) {
    long is = log.hash[Math.toIntExact(target)];
    int send = log.send[Math.toIntExact(target)];
    if (made.isEmpty()) {
      if (send == Sends.NONE || sends.hash[send] != is) {
        stale(log, target, "which no edit or revoke of the log says");
      }
      return;
    }
    var last = made.getLast();
    if (is != last.result()) {
      stale(
          log,
          target,
          "and seq %d, the last about it, says %s"
              .formatted(sends.seq[last.send()], Long.toHexString(last.result())));
    }
  }

  /// Only the edit that holds still says what it said.
  private void checkEdit(ChatLog log, Amendment amendment, boolean isLast) {
    if (amendment.isEdit()) {
      long seq = sends.seq[amendment.send()];
      long is = log.hash[Math.toIntExact(seq)];
      long due = isLast ? sends.hash[amendment.send()] : ContentHash.VOID_EDIT;
      if (is != due) {
        stale(log, seq, isLast ? "and the edit holds" : "and the edit holds no more");
      }
    }
  }

  private void stale(ChatLog log, long seq, String why) {
    evidence.findings.add(
        Rule.STALE, log, () -> "seq %d is %s, %s".formatted(seq, evidence.describe(log, seq), why));
  }

  /// Whether `user` had left before `seq` was edited: what they could know of it is gone.
  boolean isWithheld(ChatLog log, UserId user, long seq) {
    var stay = log.membership.spanAt(user, seq);
    return stay != null
        && log.amendmentsOf(seq).stream()
            .anyMatch(change -> change.isEdit() && sends.seq[change.send()] > stay.to());
  }

  /// Whether what was delivered is one of the contents that the entry has had; with whether that
  /// was before anyone had made it so.
  Sight sightOf(ChatLog log, int seq, long hash) {
    int send = log.send[seq];
    if (send != Sends.NONE && sends.hash[send] == hash) {
      return sends.isBegun[send] ? Sight.RIGHT : Sight.EARLY;
    }
    if (send != Sends.NONE && hash == ContentHash.VOID_EDIT && targets.containsKey(send)) {
      return Sight.RIGHT;
    }
    for (var amendment : log.amendmentsOf(seq)) {
      if (amendment.result() == hash && sends.seq[amendment.send()] > 0) {
        return sends.isBegun[amendment.send()] ? Sight.RIGHT : Sight.EARLY;
      }
    }
    return log.hash[seq] == hash ? Sight.RIGHT : Sight.WRONG;
  }

  /// What to think of a content that was delivered.
  enum Sight {
    RIGHT,
    EARLY,
    WRONG
  }
}
