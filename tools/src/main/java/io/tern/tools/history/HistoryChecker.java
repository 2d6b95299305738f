package io.tern.tools.history;

import io.tern.protocol.ErrorCode;
import io.tern.tools.history.DeviceRecorder.Cursor;
import io.tern.tools.history.DeviceRecorder.Kind;
import java.util.HashMap;

/// Proves a history, or says where it broke which [Rule]. Needs no search: every committed entry
/// says its chat and seq, so a few passes over the events suffice (about a second for a million
/// events, 30 bytes for each beside the history itself).
///
/// First the logs are put together ([LogReader]), with who was in a group when, then one pass in
/// the order of time holds against them what each device sent, asked for and saw.
public final class HistoryChecker {

  /// Violations of one rule that are told in full; the others are only counted.
  public static final int EXAMPLES_MAX = 8;

  private final Evidence evidence;
  private final Findings findings;
  private final Sends sends;
  private final Amendments amendments;
  private final GroupChanges changes;
  private final ReceiptRules receipts;
  private long acknowledged;
  private long repeats;
  private long refused;
  private long deliveries;

  private HistoryChecker(History history) {
    evidence = new Evidence(history);
    findings = evidence.findings;
    sends = evidence.sends;
    amendments = new Amendments(evidence);
    changes = new GroupChanges(evidence);
    receipts = new ReceiptRules(evidence);
  }

  /// Checks a finished history. Of groups whose entries nobody noted ([DeviceRecorder#facts])
  /// everyone counts as a member.
  ///
  /// @throws IllegalArgumentException when the recording itself is wrong: two sends of a device to
  ///   one chat with the same hash
  public static Report check(History history) {
    return new HistoryChecker(history).run();
  }

  private Report run() {
    readSends();
    new LogReader(evidence, amendments).read();
    changes.read();
    new Merge(evidence.history.devices()).forEach(this::inTimeOrder);
    checkSends();
    changes.checkAnswered();
    amendments.check();
    checkEnd();

    var logs = evidence.logs.values();
    long entries = logs.stream().mapToLong(log -> log.head).sum();
    long unknown = sends.count - acknowledged - refused;
    return new Report(
        findings.examples(),
        findings.counts(),
        new Report.Totals(
            evidence.events,
            (int) evidence.devices.stream().filter(d -> d.recorder.events() > 0).count(),
            logs.size(),
            entries,
            sends.count,
            acknowledged,
            repeats,
            refused,
            unknown,
            sends.unknownInLog(),
            deliveries,
            receipts.receipts(),
            changes.acknowledged(),
            changes.refused()));
  }

  private void readSends() {
    var begun = new int[evidence.devices.size()];
    evidence.forEach((device, event) -> {
      if (event.kind == Kind.SENDING) {
        int send = device.firstSend + begun[device.ref()]++;
        sends.add(send, device, device.chats.get(event.chat).log, event.operand(0));
      } else if (event.kind == Kind.AMENDING) {
        int send = device.firstSend + (int) event.operand(0);
        amendments.add(device.chats.get(event.chat).log, send, event.operand(1), event.operand(2));
      }
    });
  }

  // ---- One pass in the order of time -----------------------------------------------------------

  private void inTimeOrder(Cursor event) {
    var device = evidence.devices.get(event.device.ref());
    switch (event.kind) {
      case OPENED -> onOpened(device, event.flag);
      case UP -> onUp(device, event.operand(0));
      case EXPLICIT_ACKS -> device.acksExplicitly = true;
      case SENDING -> onSending(device, device.chats.get(event.chat));
      case SENT -> onSent(device, device.chats.get(event.chat), event);
      case REFUSED -> onRefused(device, event);
      case CHANGING -> changes.onChanging(device);
      case CHANGED -> changes.onChanged(device, device.chats.get(event.chat).log, event);
      case CHANGE_REFUSED -> changes.onRefused(device, event);
      case DELIVERED -> onDelivered(device, device.chats.get(event.chat), event);
      case ACKING -> {
        var chat = device.chats.get(event.chat);
        chat.mayHaveAcked = Math.max(chat.mayHaveAcked, event.operand(0));
      }
      case RESET -> {
        var chat = device.chats.get(event.chat);
        chat.at = Math.max(chat.at, event.operand(0));
        chat.position = Math.max(chat.position, event.operand(0));
        chat.mayHaveAcked = Math.max(chat.mayHaveAcked, event.operand(0));
      }
      case READING -> {
        var member = device.chats.get(event.chat).log.member(device.user());
        member.readMax = Math.max(member.readMax, event.operand(0));
      }
      case RECEIPT -> receipts.onReceipt(device, device.chats.get(event.chat), event);
      case PROGRESS -> receipts.onProgress(device, device.chats.get(event.chat), event);
      case COUNT -> receipts.onCount(device, device.chats.get(event.chat), event);
      case SUMMARY -> receipts.onSummary(device, device.chats.get(event.chat), event);
      case MEMBER ->
          device
              .chats
              .get(event.chat)
              .members
              .put(
                  device.recorder.user(event), GroupFacts.Effect.of((int) event.operand(0)).role());
      case MEMBERS_END -> changes.onMembers(device, device.chats.get(event.chat));
      case ONLINE -> device.isOnline = true;
      case ENTRY ->
          checkMember(device, device.chats.get(event.chat).log, event.operand(0), "could read");
      // LogReader and #readSends have read them.
      case AMENDING, FACT, HISTORY_END -> {}
    }
  }

  private static void onOpened(DeviceState device, boolean kept) {
    for (var chat : device.chats) {
      // Stays until something has come: a life may end before it.
      chat.mayRepeat |= !kept;
      chat.observed.clear();
      chat.observedOfAll.delivered = 0;
      chat.observedOfAll.read = 0;
    }
  }

  private void onUp(DeviceState device, long epoch) {
    long before = device.epoch;
    if (epoch <= before) {
      findings.add(
          Rule.EPOCH,
          null,
          () -> "%s got epoch %d after epoch %d".formatted(device, epoch, before));
    }
    device.epoch = epoch;
  }

  private void onSending(DeviceState device, DeviceChat chat) {
    int send = device.firstSend + device.sendsBegun++;
    sends.isBegun[send] = true;
    var log = chat.log;
    long seq = sends.seq[send];
    var member = log.member(device.user());
    member.ownMax = Math.max(member.ownMax, seq);
    if (seq > 0 && seq <= log.seenMax) {
      long seen = log.seenMax;
      findings.add(
          Rule.REAL_TIME_ORDER,
          log,
          () ->
              "%s is at seq %d, but seq %d had been seen before it was sent"
                  .formatted(sends.name(send), seq, seen));
    }
  }

  private void onSent(DeviceState device, DeviceChat chat, Cursor event) {
    int send = device.firstSend + (int) event.operand(0);
    long seq = event.operand(1);
    long csn = event.operand(2);
    long tsMillis = event.operand(3);
    var log = chat.log;
    if (event.flag) {
      repeats++;
    }
    if (sends.answer[send] == 0) {
      acknowledged++;
      sends.answer[send] = seq;
    } else if (sends.answer[send] != seq) {
      long first = sends.answer[send];
      findings.add(
          Rule.CSN_REUSED,
          log,
          () ->
              "%s was acknowledged at seq %d and at seq %d"
                  .formatted(sends.name(send), first, seq));
    }
    noteCsn(send, log, csn, device);
    log.seenMax = Math.max(log.seenMax, seq);

    if (!log.has(seq) || log.send[(int) seq] != send) {
      var instead =
          log.has(seq) ? evidence.describe(log.sender[(int) seq], log.hash[(int) seq]) : "nothing";
      long elsewhere = sends.seq[send];
      if (elsewhere == 0) {
        findings.add(
            Rule.LOST,
            log,
            () ->
                "%s was acknowledged at seq %d and is nowhere; there is %s (head %d)"
                    .formatted(sends.name(send), seq, instead, log.head));
      } else {
        findings.add(
            Rule.ALTERED,
            log,
            () ->
                "%s was acknowledged at seq %d but is at seq %d; there is %s"
                    .formatted(sends.name(send), seq, elsewhere, instead));
      }
    } else if (log.tsMillis[(int) seq] != tsMillis) {
      findings.add(
          Rule.TIME,
          log,
          () ->
              "seq %d was acknowledged with time %d and has %d"
                  .formatted(seq, tsMillis, log.tsMillis[(int) seq]));
    }
  }

  private void onRefused(DeviceState device, Cursor event) {
    int send = device.firstSend + (int) event.operand(0);
    int code = (int) event.operand(1);
    if (sends.answer[send] == 0) {
      sends.answer[send] = -code;
    }
    if (ErrorCode.classOf(code) != ErrorCode.ErrorClass.REQUEST) {
      return; // Says nothing about the outcome.
    }
    refused++;
    long seq = sends.seq[send];
    if (seq > 0) {
      findings.add(
          Rule.REFUSED_BUT_THERE,
          sends.log(send),
          () -> "%s was refused with %d but is at seq %d".formatted(sends.name(send), code, seq));
    }
  }

  private void onDelivered(DeviceState device, DeviceChat chat, Cursor event) {
    deliveries++;
    var log = chat.log;
    long seq = event.operand(0);
    checkMember(device, log, seq, "got");
    if (!log.has(seq) || log.sender[(int) seq] != event.other) {
      deliveredWrong(device, log, event);
    } else {
      checkContent(device, log, event);
    }
    checkDeliveryOrder(device, chat, seq);
    log.seenMax = Math.max(log.seenMax, seq);
    chat.position = Math.max(chat.position, seq);
    if (!device.acksExplicitly) {
      chat.mayHaveAcked = Math.max(chat.mayHaveAcked, seq);
    }
  }

  private void checkContent(DeviceState device, ChatLog log, Cursor event) {
    int seq = (int) event.operand(0);
    long tsMillis = event.operand(2);
    long csn = event.operand(3);
    long hash = event.operand(1);
    var sight = amendments.sightOf(log, seq, hash);
    boolean isWithheld =
        hash == ContentHash.TOMBSTONE && amendments.isWithheld(log, device.user(), seq);
    if (sight == Amendments.Sight.WRONG && !isWithheld) {
      deliveredWrong(device, log, event);
      return;
    }
    if (log.tsMillis[seq] != tsMillis && log.isRead) {
      findings.add(
          Rule.TIME,
          log,
          () ->
              "seq %d was delivered with time %d and has %d"
                  .formatted(seq, tsMillis, log.tsMillis[seq]));
    }
    changes.onDelivered(device, log, seq);
    int send = log.send[seq];
    if (send == Sends.NONE) {
      return;
    }
    if (sight == Amendments.Sight.EARLY) {
      findings.add(
          Rule.PHANTOM,
          log,
          () -> "%s got seq %d before %s was sent".formatted(device, seq, sends.name(send)));
    }
    if (csn != 0) {
      noteCsn(send, log, csn, device);
    }
  }

  private void deliveredWrong(DeviceState device, ChatLog log, Cursor event) {
    long seq = event.operand(0);
    var got = evidence.describe(event.other, event.operand(1));
    // With a log made of deliveries the first one is right by definition: DIVERGED told it.
    if (log.isRead) {
      findings.add(
          Rule.DELIVERED_WRONG,
          log,
          () ->
              "%s got %s at seq %d; the log has %s"
                  .formatted(device, got, seq, evidence.describe(log, seq)));
    }
  }

  /// A device hears of its own sends by SENT: their seqs may be passed over, and what was before
  /// this stay in a group, nothing else.
  private void checkDeliveryOrder(DeviceState device, DeviceChat chat, long seq) {
    var log = chat.log;
    long position = chat.at;
    boolean mayRepeat = chat.mayRepeat;
    chat.mayRepeat = false;
    chat.at = seq;
    if (seq <= position) {
      if (mayRepeat) {
        return;
      }
      findings.add(
          Rule.DELIVERY_ORDER,
          log,
          () -> "%s got seq %d after it had got seq %d".formatted(device, seq, position));
      return;
    }
    var span = log.membership.spanAt(device.user(), seq);
    long from = span == null ? seq : Math.max(position + 1, span.from());
    for (long between = from; between < seq; between++) {
      if (!log.isFrom(between, device.ref())) {
        long skipped = between;
        findings.add(
            Rule.DELIVERY_ORDER,
            log,
            () ->
                "%s got seq %d after seq %d, without seq %d"
                    .formatted(device, seq, position, skipped));
        return;
      }
    }
  }

  private void noteCsn(int send, ChatLog log, long csn, DeviceState witness) {
    if (sends.csn[send] == 0) {
      sends.csn[send] = csn;
    } else if (sends.csn[send] != csn) {
      long first = sends.csn[send];
      findings.add(
          Rule.CSN_REUSED,
          log,
          () ->
              "%s has csn %d, and csn %d for %s".formatted(sends.name(send), first, csn, witness));
    }
  }

  private void checkMember(DeviceState device, ChatLog log, long seq, String what) {
    if (!log.membership.saw(device.user(), seq)) {
      findings.add(
          Rule.NOT_MEMBER,
          log,
          () -> "%s %s seq %d and was not in the chat at that time".formatted(device, what, seq));
    }
  }

  // ---- After the pass --------------------------------------------------------------------------

  /// Per device and chat: seqs and csns rise in the order of the sends.
  private void checkSends() {
    for (var device : evidence.devices) {
      var last = new HashMap<ChatLog, LastSend>();
      for (int send = device.firstSend; send < device.firstSend + device.sendsBegun; send++) {
        var log = sends.log(send);
        var before = last.computeIfAbsent(log, l -> new LastSend());
        int at = send;
        if (sends.seq[send] > 0) {
          if (sends.seq[send] < before.seq) {
            int earlier = before.bySeq;
            findings.add(
                Rule.SENDER_ORDER,
                log,
                () ->
                    "%s is at seq %d, but %s, sent earlier, is at seq %d"
                        .formatted(
                            sends.name(at),
                            sends.seq[at],
                            sends.name(earlier),
                            sends.seq[earlier]));
          } else {
            before.seq = sends.seq[send];
            before.bySeq = send;
          }
        }
        if (sends.csn[send] > 0) {
          if (sends.csn[send] <= before.csn) {
            int earlier = before.byCsn;
            findings.add(
                sends.csn[send] == before.csn ? Rule.CSN_REUSED : Rule.SENDER_ORDER,
                log,
                () ->
                    "%s has csn %d, and %s, sent earlier, csn %d"
                        .formatted(
                            sends.name(at),
                            sends.csn[at],
                            sends.name(earlier),
                            sends.csn[earlier]));
          } else {
            before.csn = sends.csn[send];
            before.byCsn = send;
          }
        }
        if (device.isOnline && sends.answer[send] == 0) {
          findings.add(
              Rule.UNANSWERED,
              log,
              () ->
                  "%s never got an answer (%s)"
                      .formatted(
                          sends.name(at),
                          sends.seq[at] == 0 ? "not in the log" : "at seq " + sends.seq[at]));
        }
      }
    }
  }

  private void checkEnd() {
    for (var log : evidence.logs.values()) {
      for (var user : log.membership.users()) {
        for (var device : evidence.devicesOf(user)) {
          if (device.isOnline) {
            checkAtHead(device, log);
          }
        }
      }
      for (var summary : log.summaries) {
        receipts.checkSummary(log, summary);
      }
    }
  }

  /// It has got everything up to the end of the log, or of its user's newest stay in a group.
  private void checkAtHead(DeviceState device, ChatLog log) {
    var chat = device.chatOf(log);
    var span = log.membership.last(device.user());
    if (span == null) {
      return;
    }
    long position = chat == null ? 0 : chat.position;
    long last = Math.min(span.to(), log.head);
    long due = log.lastNotFrom(last, device.ref());
    if (position < due && due >= span.from()) {
      findings.add(
          Rule.NOT_AT_HEAD,
          log,
          () -> "%s is online and has got up to seq %d of %d".formatted(device, position, last));
    }
  }

  // ---- State -----------------------------------------------------------------------------------

  private static final class LastSend {
    long seq;
    long csn;
    int bySeq;
    int byCsn;
  }
}
