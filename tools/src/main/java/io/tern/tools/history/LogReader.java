package io.tern.tools.history;

import io.tern.tools.history.DeviceRecorder.Cursor;
import io.tern.tools.history.DeviceRecorder.Kind;
import java.util.Arrays;

/// Puts the chats' logs together, and finds out which send each entry is and who was in a group
/// when.
///
/// A chat's log is what devices read as its history at the end. Where nobody read it (as in `tern
/// load`), it is what was delivered and acknowledged.
final class LogReader {

  private final Evidence evidence;
  private final Findings findings;
  private final Sends sends;
  private final Amendments amendments;

  LogReader(Evidence evidence, Amendments amendments) {
    this.evidence = evidence;
    findings = evidence.findings;
    sends = evidence.sends;
    this.amendments = amendments;
  }

  /// Needs the sends.
  void read() {
    evidence.forEach((device, event) -> {
      if (event.kind == Kind.ENTRY) {
        device.chats.get(event.chat).log.isRead = true;
      }
    });
    evidence.forEach((device, event) -> {
      switch (event.kind) {
        case ENTRY -> readEntry(device, event);
        case HISTORY_END -> device.chats.get(event.chat).isReadToEnd = true;
        case FACT -> readFact(device.chats.get(event.chat).log, device, event);
        case DELIVERED -> {
          var log = device.chats.get(event.chat).log;
          if (!log.isRead) {
            put(log, device, event);
          }
        }
        default -> {}
      }
    });
    // An acknowledgement names no content: it fills only what nobody has seen.
    evidence.forEach((device, event) -> {
      if (event.kind == Kind.SENT) {
        var log = device.chats.get(event.chat).log;
        long seq = event.operand(1);
        if (!log.isRead && seq > 0 && !log.has(seq)) {
          int send = device.firstSend + (int) event.operand(0);
          log.put(seq, device.ref(), sends.hash[send], event.operand(3));
        }
      }
    });
    for (var log : evidence.logs.values()) {
      readMembership(log);
      matchWithSends(log);
    }
    amendments.findAmended();
    evidence.logs.values().forEach(this::checkTombstones);
    evidence.devices.forEach(device -> device.chats.forEach(chat -> checkReading(device, chat)));
  }

  private void readEntry(DeviceState device, Cursor event) {
    var chat = device.chats.get(event.chat);
    long seq = event.operand(0);
    boolean isFirst = chat.readTo == 0;
    // Where a group begins for its reader is known when all of it has been read.
    if (seq > chat.readTo + 1 && !(isFirst && chat.log.chat.isGroup())) {
      findings.add(
          Rule.HOLE,
          chat.log,
          () -> "history as read by %s goes from seq %d to %d".formatted(device, chat.readTo, seq));
    }
    if (isFirst) {
      chat.readFrom = seq;
    }
    chat.readTo = Math.max(chat.readTo, seq);
    put(chat.log, device, event);
  }

  private static void readFact(ChatLog log, DeviceState device, Cursor event) {
    if (event.flag == log.isRead) {
      long fingerprint = event.operand(1);
      log.groupEntries
          .computeIfAbsent(event.operand(0), s -> new ChatLog.GroupEntry(fingerprint))
          .facts
          .add(
              new GroupFacts.Fact(
                  device.recorder.user(event), GroupFacts.Effect.of((int) event.operand(2))));
    }
  }

  private void put(ChatLog log, DeviceState device, Cursor event) {
    long seq = event.operand(0);
    int sender = event.other;
    long hash = event.operand(1);
    long tsMillis = event.operand(2);
    boolean isGone = log.isRead && hash == ContentHash.TOMBSTONE;
    if (isGone) {
      log.tombstones.add(new ChatLog.Tombstone(device, seq));
    }
    if (seq <= 0) {
      findings.add(Rule.HOLE, log, () -> "%s saw an entry at seq %d".formatted(device, seq));
    } else if (!log.has(seq)) {
      log.put(seq, sender, hash, tsMillis);
    } else {
      int at = (int) seq;
      // What is not read at the end may have been seen before and after an edit.
      boolean mayDiffer = isGone || (!log.isRead && !log.amendmentsOf(seq).isEmpty());
      if (log.isRead && log.hash[at] == ContentHash.TOMBSTONE) {
        // Gone for those who came before; whether rightly so is seen at the end.
        log.hash[at] = hash;
      }
      if (log.sender[at] != sender || (log.hash[at] != hash && !mayDiffer)) {
        findings.add(
            Rule.DIVERGED,
            log,
            () ->
                "seq %d is %s for others and %s for %s"
                    .formatted(
                        seq, evidence.describe(log, seq), evidence.describe(sender, hash), device));
      } else if (log.tsMillis[at] != tsMillis) {
        findings.add(
            Rule.TIME,
            log,
            () ->
                "seq %d has time %d for others and %d for %s"
                    .formatted(seq, log.tsMillis[at], tsMillis, device));
      }
    }
  }

  /// Where others read a message, only those read a tombstone who had left before it was edited.
  private void checkTombstones(ChatLog log) {
    for (var tombstone : log.tombstones) {
      long seq = tombstone.seq();
      var reader = tombstone.reader();
      if (log.has(seq)
          && log.hash[(int) seq] != ContentHash.TOMBSTONE
          && !amendments.isWithheld(log, reader.user(), seq)) {
        findings.add(
            Rule.DIVERGED,
            log,
            () ->
                "seq %d is %s for others and gone for %s"
                    .formatted(seq, evidence.describe(log, seq), reader));
      }
    }
  }

  private void readMembership(ChatLog log) {
    log.groupEntries.keySet().removeIf(seq -> !log.has(seq));
    log.groupEntries.forEach((seq, entry) -> {
      for (var fact : entry.facts) {
        var wrong = log.membership.apply(seq, fact.user(), fact.effect());
        if (wrong != null) {
          findings.add(Rule.MEMBERS, log, () -> wrong);
        }
      }
    });
  }

  private void matchWithSends(ChatLog log) {
    log.send = new int[log.head + 1];
    Arrays.fill(log.send, Sends.NONE);
    long before = Long.MIN_VALUE;
    for (int seq = 1; seq <= log.head; seq++) {
      int at = seq;
      if (!log.has(seq)) {
        findings.add(Rule.HOLE, log, () -> "nothing at seq %d, head is %d".formatted(at, log.head));
        continue;
      }
      long earlier = before;
      if (log.tsMillis[seq] < before) {
        findings.add(
            Rule.TIME,
            log,
            () ->
                "seq %d has time %d, the entry before it %d"
                    .formatted(at, log.tsMillis[at], earlier));
      }
      before = Math.max(before, log.tsMillis[seq]);
      checkSender(log, seq);
      if (!log.isOfGroup(seq)) {
        match(log, seq);
      }
    }
  }

  private void checkSender(ChatLog log, int seq) {
    var user = evidence.devices.get(log.sender[seq]).user();
    if (!log.membership.saw(user, seq)) {
      findings.add(
          Rule.NOT_MEMBER,
          log,
          () -> "seq %d is %s, who was not in it then".formatted(seq, evidence.describe(log, seq)));
    }
  }

  private void match(ChatLog log, int seq) {
    int send = sends.find(log.sender[seq], log, log.hash[seq]);
    if (send != Sends.NONE) {
      place(log, seq, send);
    } else if (!amendments.mayBeAmended(log, seq)) {
      findings.add(
          Rule.PHANTOM,
          log,
          () ->
              "seq %d is %s, which that device never sent here"
                  .formatted(seq, evidence.describe(log, seq)));
    }
  }

  private void place(ChatLog log, int seq, int send) {
    log.send[seq] = send;
    if (sends.seq[send] == 0) {
      sends.seq[send] = seq;
    } else {
      findings.add(
          Rule.DOUBLED,
          log,
          () -> "%s is at seq %d and at %d".formatted(sends.name(send), sends.seq[send], seq));
    }
  }

  /// Everyone reads all that is theirs to see, and nothing else.
  private void checkReading(DeviceState device, DeviceChat chat) {
    var log = chat.log;
    if (chat.readTo == 0 && !chat.isReadToEnd) {
      return;
    }
    var span = log.membership.last(device.user());
    if (span == null) {
      if (chat.readTo > 0) {
        findings.add(
            Rule.NOT_MEMBER, log, () -> "%s could read it, and never was in it".formatted(device));
      }
      return;
    }
    long last = Math.min(span.to(), log.head);
    if (chat.readFrom > 0 && chat.readFrom < span.from()) {
      findings.add(
          Rule.NOT_MEMBER,
          log,
          () ->
              "%s could read seq %d and joined at seq %d"
                  .formatted(device, chat.readFrom, span.from()));
    } else if (chat.readFrom > span.from() && log.chat.isGroup() && log.membership.isKnown()) {
      findings.add(
          Rule.HOLE,
          log,
          () ->
              "history as read by %s begins at seq %d, they joined at seq %d"
                  .formatted(device, chat.readFrom, span.from()));
    }
    if (chat.readTo > last) {
      findings.add(
          Rule.NOT_MEMBER,
          log,
          () -> "%s could read seq %d and left at seq %d".formatted(device, chat.readTo, last));
    } else if (chat.readTo < last) {
      findings.add(
          Rule.DIVERGED,
          log,
          () ->
              "history as read by %s ends at seq %d, as read by others at %d"
                  .formatted(device, chat.readTo, last));
    }
  }
}
