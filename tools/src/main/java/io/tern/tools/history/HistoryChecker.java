package io.tern.tools.history;

import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.tools.history.DeviceRecorder.Cursor;
import io.tern.tools.history.DeviceRecorder.Kind;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiPredicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Proves a history, or says where it broke which [Rule]. Needs no search: every committed entry
/// says its chat and seq, so a few passes over the events suffice (about a second for a million
/// events, 30 bytes for each beside the history itself).
///
/// A chat's log is what devices read as its history at the end. Where nobody read it (as in `tern
/// load`), it is what was delivered and acknowledged.
public final class HistoryChecker {

  /// Violations of one rule that are told in full; the others are only counted.
  public static final int EXAMPLES_MAX = 8;

  private static final int NO_SEND = -1;

  private final BiPredicate<ChatId, UserId> membership;
  private final List<DeviceState> devices = new ArrayList<>();
  private final Map<UserId, List<DeviceState>> devicesOf = new HashMap<>();
  private final Map<ChatId, Log> logs = new HashMap<>();
  private final EnumMap<Rule, Long> counts = new EnumMap<>(Rule.class);
  private final List<Violation> examples = new ArrayList<>();
  private final Sends sends;
  private final long events;
  private long acknowledged;
  private long repeats;
  private long refused;
  private long deliveries;
  private long receipts;

  private HistoryChecker(History history, BiPredicate<ChatId, UserId> membership) {
    this.membership = membership;
    int sendCount = 0;
    long eventCount = 0;
    for (var recorder : history.devices()) {
      var device = new DeviceState(recorder, sendCount);
      devices.add(device);
      devicesOf.computeIfAbsent(recorder.id().user(), u -> new ArrayList<>()).add(device);
      sendCount = Math.addExact(sendCount, recorder.sends());
      eventCount += recorder.events();
      for (var chat : recorder.chats()) {
        device.chats.add(new DeviceChat(logs.computeIfAbsent(chat, Log::new)));
      }
    }
    for (var log : logs.values()) {
      devicesOf.forEach((user, theirs) -> {
        if (!log.chat.isGroup() && membership.test(log.chat, user)) {
          log.members.put(user, new Member());
        }
      });
    }
    sends = new Sends(sendCount);
    events = eventCount;
  }

  /// Checks a finished history of direct and self chats. Groups count everyone as a member.
  ///
  /// @throws IllegalArgumentException when the recording itself is wrong: two sends of a device to
  ///   one chat with the same hash
  public static Report check(History history) {
    return check(history, HistoryChecker::isInDirectChat);
  }

  /// As [#check(History)], where `membership` says who may see what.
  public static Report check(History history, BiPredicate<ChatId, UserId> membership) {
    return new HistoryChecker(history, membership).run(history);
  }

  private static boolean isInDirectChat(ChatId chat, UserId user) {
    return chat.isGroup() || user.value() == chat.low() || user.value() == chat.high();
  }

  private Report run(History history) {
    readSends(history);
    readLogs(history);
    matchLogsWithSends();
    new Merge(history.devices()).forEach(this::inTimeOrder);
    checkSends();
    checkEnd();

    long entries = logs.values().stream().mapToLong(log -> log.head).sum();
    long unknown = sends.count - acknowledged - refused;
    return new Report(
        List.copyOf(examples),
        Map.copyOf(counts),
        new Report.Totals(
            events,
            (int) devices.stream().filter(d -> d.recorder.events() > 0).count(),
            logs.size(),
            entries,
            sends.count,
            acknowledged,
            repeats,
            refused,
            unknown,
            sends.unknownInLog(),
            deliveries,
            receipts));
  }

  // ---- What was sent ---------------------------------------------------------------------------

  private void readSends(History history) {
    for (var recorder : history.devices()) {
      var device = devices.get(recorder.ref());
      int send = device.firstSend;
      for (var event = recorder.cursor(); event.next(); ) {
        if (event.kind == Kind.SENDING) {
          var chat = device.chats.get(event.chat);
          sends.add(send++, device, chat.log, event.operand(0));
        }
      }
    }
  }

  // ---- What the logs hold ----------------------------------------------------------------------

  private void readLogs(History history) {
    for (var recorder : history.devices()) {
      var device = devices.get(recorder.ref());
      for (var event = recorder.cursor(); event.next(); ) {
        if (event.kind == Kind.ENTRY) {
          device.chats.get(event.chat).log.isRead = true;
        }
      }
    }
    for (var recorder : history.devices()) {
      var device = devices.get(recorder.ref());
      for (var event = recorder.cursor(); event.next(); ) {
        if (event.kind == Kind.ENTRY) {
          readEntry(device, event);
        } else if (event.kind == Kind.DELIVERED) {
          var log = device.chats.get(event.chat).log;
          if (!log.isRead) {
            put(log, device, event);
          }
        }
      }
    }
    // An acknowledgement names no content: it fills only what nobody has seen.
    for (var recorder : history.devices()) {
      var device = devices.get(recorder.ref());
      for (var event = recorder.cursor(); event.next(); ) {
        if (event.kind == Kind.SENT) {
          var log = device.chats.get(event.chat).log;
          long seq = event.operand(1);
          if (!log.isRead && seq > 0 && !log.has(seq)) {
            int send = device.firstSend + (int) event.operand(0);
            log.put(seq, device.recorder.ref(), sends.hash[send], event.operand(3));
          }
        }
      }
    }
  }

  private void readEntry(DeviceState device, Cursor event) {
    var chat = device.chats.get(event.chat);
    long seq = event.operand(0);
    if (seq > chat.readTo + 1) {
      violation(
          Rule.HOLE,
          chat.log,
          () -> "history as read by %s goes from seq %d to %d".formatted(device, chat.readTo, seq));
    }
    chat.readTo = Math.max(chat.readTo, seq);
    put(chat.log, device, event);
  }

  private void put(Log log, DeviceState device, Cursor event) {
    long seq = event.operand(0);
    int sender = event.other;
    long hash = event.operand(1);
    long tsMillis = event.operand(2);
    if (seq <= 0) {
      violation(Rule.HOLE, log, () -> "%s saw an entry at seq %d".formatted(device, seq));
    } else if (!log.has(seq)) {
      log.put(seq, sender, hash, tsMillis);
    } else {
      int at = (int) seq;
      if (log.sender[at] != sender || log.hash[at] != hash) {
        violation(
            Rule.DIVERGED,
            log,
            () ->
                "seq %d is %s for others and %s for %s"
                    .formatted(
                        seq,
                        describe(log.sender[at], log.hash[at]),
                        describe(sender, hash),
                        device));
      } else if (log.tsMillis[at] != tsMillis) {
        violation(
            Rule.TIME,
            log,
            () ->
                "seq %d has time %d for others and %d for %s"
                    .formatted(seq, log.tsMillis[at], tsMillis, device));
      }
    }
  }

  private void matchLogsWithSends() {
    for (var log : logs.values()) {
      log.send = new int[log.head + 1];
      Arrays.fill(log.send, NO_SEND);
      long before = Long.MIN_VALUE;
      for (int seq = 1; seq <= log.head; seq++) {
        int at = seq;
        if (!log.has(seq)) {
          violation(Rule.HOLE, log, () -> "nothing at seq %d, head is %d".formatted(at, log.head));
          continue;
        }
        long earlier = before;
        if (log.tsMillis[seq] < before) {
          violation(
              Rule.TIME,
              log,
              () ->
                  "seq %d has time %d, the entry before it %d"
                      .formatted(at, log.tsMillis[at], earlier));
        }
        before = Math.max(before, log.tsMillis[seq]);

        int send = sends.find(log.sender[seq], log, log.hash[seq]);
        log.send[seq] = send;
        if (send == NO_SEND) {
          violation(
              Rule.PHANTOM,
              log,
              () ->
                  "seq %d is %s, which that device never sent here"
                      .formatted(at, describe(log.sender[at], log.hash[at])));
        } else if (sends.seq[send] == 0) {
          sends.seq[send] = seq;
        } else {
          violation(
              Rule.DOUBLED,
              log,
              () -> "%s is at seq %d and at %d".formatted(sends.name(send), sends.seq[send], at));
        }
      }
    }
    for (var device : devices) {
      for (var chat : device.chats) {
        if (chat.readTo > 0 && chat.readTo < chat.log.head) {
          violation(
              Rule.DIVERGED,
              chat.log,
              () ->
                  "history as read by %s ends at seq %d, as read by others at %d"
                      .formatted(device, chat.readTo, chat.log.head));
        }
      }
    }
  }

  // ---- One pass in the order of time -----------------------------------------------------------

  private void inTimeOrder(Cursor event) {
    var device = devices.get(event.device.ref());
    switch (event.kind) {
      case OPENED -> onOpened(device, event.flag);
      case UP -> onUp(device, event.operand(0));
      case EXPLICIT_ACKS -> device.acksExplicitly = true;
      case SENDING -> onSending(device, device.chats.get(event.chat));
      case SENT -> onSent(device, device.chats.get(event.chat), event);
      case REFUSED -> onRefused(device, event);
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
        var member = device.chats.get(event.chat).log.member(device.recorder.id().user());
        member.readMax = Math.max(member.readMax, event.operand(0));
      }
      case RECEIPT -> onReceipt(device, device.chats.get(event.chat), event);
      case SUMMARY -> onSummary(device, device.chats.get(event.chat), event);
      case ONLINE -> device.isOnline = true;
      case ENTRY -> checkMember(device, device.chats.get(event.chat).log, "history");
    }
  }

  private static void onOpened(DeviceState device, boolean kept) {
    for (var chat : device.chats) {
      // Stays until something has come: a life may end before it.
      chat.mayRepeat |= !kept;
      chat.observed.clear();
    }
  }

  private void onUp(DeviceState device, long epoch) {
    long before = device.epoch;
    if (epoch <= before) {
      violation(
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
    if (seq > 0 && seq <= log.seenMax) {
      long seen = log.seenMax;
      violation(
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
      violation(
          Rule.CSN_REUSED,
          log,
          () ->
              "%s was acknowledged at seq %d and at seq %d"
                  .formatted(sends.name(send), first, seq));
    }
    noteCsn(send, log, csn, device);
    log.seenMax = Math.max(log.seenMax, seq);

    if (!log.has(seq) || log.send[(int) seq] != send) {
      var instead = log.has(seq) ? describe(log.sender[(int) seq], log.hash[(int) seq]) : "nothing";
      long elsewhere = sends.seq[send];
      if (elsewhere == 0) {
        violation(
            Rule.LOST,
            log,
            () ->
                "%s was acknowledged at seq %d and is nowhere; there is %s (head %d)"
                    .formatted(sends.name(send), seq, instead, log.head));
      } else {
        violation(
            Rule.ALTERED,
            log,
            () ->
                "%s was acknowledged at seq %d but is at seq %d; there is %s"
                    .formatted(sends.name(send), seq, elsewhere, instead));
      }
    } else if (log.tsMillis[(int) seq] != tsMillis) {
      violation(
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
      violation(
          Rule.REFUSED_BUT_THERE,
          sends.log(send),
          () -> "%s was refused with %d but is at seq %d".formatted(sends.name(send), code, seq));
    }
  }

  private void onDelivered(DeviceState device, DeviceChat chat, Cursor event) {
    deliveries++;
    var log = chat.log;
    long seq = event.operand(0);
    int sender = event.other;
    long hash = event.operand(1);
    long tsMillis = event.operand(2);
    long csn = event.operand(3);
    checkMember(device, log, "seq " + seq);

    if (!log.has(seq) || log.sender[(int) seq] != sender || log.hash[(int) seq] != hash) {
      // With a log made of deliveries the first one is right by definition: DIVERGED told it.
      if (log.isRead) {
        violation(
            Rule.DELIVERED_WRONG,
            log,
            () ->
                "%s got %s at seq %d; the log has %s"
                    .formatted(
                        device,
                        describe(sender, hash),
                        seq,
                        log.has(seq)
                            ? describe(log.sender[(int) seq], log.hash[(int) seq])
                            : "nothing, head " + log.head));
      }
    } else {
      if (log.tsMillis[(int) seq] != tsMillis && log.isRead) {
        violation(
            Rule.TIME,
            log,
            () ->
                "seq %d was delivered with time %d and has %d"
                    .formatted(seq, tsMillis, log.tsMillis[(int) seq]));
      }
      int send = log.send[(int) seq];
      if (send != NO_SEND) {
        if (!sends.isBegun[send]) {
          violation(
              Rule.PHANTOM,
              log,
              () -> "%s got seq %d before %s was sent".formatted(device, seq, sends.name(send)));
        }
        if (csn != 0) {
          noteCsn(send, log, csn, device);
        }
      }
    }
    checkDeliveryOrder(device, chat, seq);
    log.seenMax = Math.max(log.seenMax, seq);
    chat.position = Math.max(chat.position, seq);
    if (!device.acksExplicitly) {
      chat.mayHaveAcked = Math.max(chat.mayHaveAcked, seq);
    }
  }

  /// A device hears of its own sends by SENT: their seqs may be passed over, nothing else.
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
      violation(
          Rule.DELIVERY_ORDER,
          log,
          () -> "%s got seq %d after it had got seq %d".formatted(device, seq, position));
      return;
    }
    for (long between = position + 1; between < seq; between++) {
      if (!log.isFrom(between, device.recorder.ref())) {
        long skipped = between;
        violation(
            Rule.DELIVERY_ORDER,
            log,
            () ->
                "%s got seq %d after seq %d, without seq %d"
                    .formatted(device, seq, position, skipped));
        return;
      }
    }
  }

  private void onReceipt(DeviceState device, DeviceChat chat, Cursor event) {
    receipts++;
    var log = chat.log;
    var user = device.recorder.user(event);
    long read = event.operand(1);
    // Reading implies delivery.
    long delivered = Math.max(event.operand(0), read);
    checkMember(device, log, "a receipt of " + user);
    checkFounded(device, log, user, delivered, read);

    var seen = chat.observed.computeIfAbsent(user, u -> new Watermarks());
    if (delivered < seen.delivered || read < seen.read) {
      long deliveredBefore = seen.delivered;
      long readBefore = seen.read;
      violation(
          Rule.RECEIPT_BACKWARD,
          log,
          () ->
              "for %s the watermarks of %s went from delivered %d, read %d to delivered %d, read %d"
                  .formatted(device, user, deliveredBefore, readBefore, delivered, read));
    }
    seen.rise(delivered, read);
    log.member(user).told.rise(delivered, read);
  }

  private void checkFounded(DeviceState observer, Log log, UserId user, long delivered, long read) {
    if (!membership.test(log.chat, user)) {
      violation(
          Rule.NOT_MEMBER,
          log,
          () -> "%s got a receipt of %s, who is not in the chat".formatted(observer, user));
      return;
    }
    boolean hasDevice = false;
    boolean founded = delivered == 0;
    for (var device : devicesOf.getOrDefault(user, List.of())) {
      hasDevice = true;
      var chat = device.chatOf(log);
      founded |=
          log.lastNotFrom(delivered, device.recorder.ref())
              <= (chat == null ? 0 : chat.mayHaveAcked);
    }
    // Users whose devices are not recorded may have acknowledged anything.
    if (hasDevice && (!founded || delivered > log.head)) {
      violation(
          Rule.RECEIPT_UNFOUNDED,
          log,
          () ->
              "%s was told that %s has up to seq %d (head %d), but no device of theirs can have acknowledged that"
                  .formatted(observer, user, delivered, log.head));
    }
    long readMax = log.member(user).readMax;
    if (hasDevice && read > readMax) {
      violation(
          Rule.RECEIPT_UNFOUNDED,
          log,
          () ->
              "%s was told that %s has read up to seq %d, but they had read up to %d"
                  .formatted(observer, user, read, readMax));
    }
  }

  private void onSummary(DeviceState device, DeviceChat chat, Cursor event) {
    var log = chat.log;
    var user = device.recorder.user(event);
    long head = event.operand(0);
    long read = event.operand(2);
    long delivered = Math.max(event.operand(1), read);
    checkMember(device, log, "a summary");
    if (head != log.head) {
      violation(
          Rule.DIVERGED,
          log,
          () -> "%s was told head %d, the log ends at %d".formatted(device, head, log.head));
    }
    checkFounded(device, log, user, delivered, read);
    log.summaries.add(new Summary(device, user, delivered, read));
  }

  private void noteCsn(int send, Log log, long csn, DeviceState witness) {
    if (sends.csn[send] == 0) {
      sends.csn[send] = csn;
    } else if (sends.csn[send] != csn) {
      long first = sends.csn[send];
      violation(
          Rule.CSN_REUSED,
          log,
          () ->
              "%s has csn %d, and csn %d for %s".formatted(sends.name(send), first, csn, witness));
    }
  }

  private void checkMember(DeviceState device, Log log, String what) {
    if (!membership.test(log.chat, device.recorder.id().user())) {
      violation(
          Rule.NOT_MEMBER, log, () -> "%s got %s and is not in the chat".formatted(device, what));
    }
  }

  // ---- After the pass --------------------------------------------------------------------------

  /// Per device and chat: seqs and csns rise in the order of the sends.
  private void checkSends() {
    for (var device : devices) {
      var last = new HashMap<Log, LastSend>();
      for (int send = device.firstSend; send < device.firstSend + device.sendsBegun; send++) {
        var log = sends.log(send);
        var before = last.computeIfAbsent(log, l -> new LastSend());
        int at = send;
        if (sends.seq[send] > 0) {
          if (sends.seq[send] < before.seq) {
            int earlier = before.bySeq;
            violation(
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
            violation(
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
          violation(
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
    for (var log : logs.values()) {
      for (var user : log.members.keySet()) {
        for (var device : devicesOf.getOrDefault(user, List.of())) {
          if (device.isOnline) {
            checkAtHead(device, log);
          }
        }
      }
      for (var summary : log.summaries) {
        checkSummary(log, summary);
      }
    }
  }

  private void checkAtHead(DeviceState device, Log log) {
    var chat = device.chatOf(log);
    long position = chat == null ? 0 : chat.position;
    long due = log.lastNotFrom(log.head, device.recorder.ref());
    if (position < due) {
      violation(
          Rule.NOT_AT_HEAD,
          log,
          () ->
              "%s is online and has got up to seq %d of %d".formatted(device, position, log.head));
    }
  }

  private void checkSummary(Log log, Summary summary) {
    var member = log.member(summary.user);
    long acked = 0;
    for (var device : devicesOf.getOrDefault(summary.user, List.of())) {
      var chat = device.chatOf(log);
      if (device.isOnline && !device.acksExplicitly && chat != null) {
        acked = Math.max(acked, chat.mayHaveAcked);
      }
    }
    long deliveredMin = Math.max(member.told.delivered, acked);
    long readMin = member.told.read;
    if (summary.delivered < deliveredMin || summary.read < readMin) {
      violation(
          Rule.WATERMARK_LOST,
          log,
          () ->
              "at the end %s was told delivered %d, read %d of %s; they had acknowledged %d, and others had been told delivered %d, read %d"
                  .formatted(
                      summary.device,
                      summary.delivered,
                      summary.read,
                      summary.user,
                      deliveredMin,
                      member.told.delivered,
                      readMin));
    }
  }

  private void violation(Rule rule, @Nullable Log log, Supplier<String> explanation) {
    long count = counts.merge(rule, 1L, Long::sum);
    if (count <= EXAMPLES_MAX) {
      examples.add(new Violation(rule, log == null ? null : log.chat, explanation.get()));
    }
  }

  private String describe(int sender, long hash) {
    return "%s by %s".formatted(Long.toHexString(hash), devices.get(sender));
  }

  // ---- State -----------------------------------------------------------------------------------

  private static final class DeviceState {
    final DeviceRecorder recorder;
    final int firstSend;
    final List<DeviceChat> chats = new ArrayList<>();
    private @Nullable Map<Log, DeviceChat> byLog;
    int sendsBegun;
    long epoch;
    boolean acksExplicitly;
    boolean isOnline;

    DeviceState(DeviceRecorder recorder, int firstSend) {
      this.recorder = recorder;
      this.firstSend = firstSend;
    }

    @Nullable DeviceChat chatOf(Log log) {
      if (byLog == null) {
        byLog = new HashMap<>();
        for (var chat : chats) {
          byLog.put(chat.log, chat);
        }
      }
      return byLog.get(log);
    }

    @Override
    public String toString() {
      return recorder.id().toString();
    }
  }

  /// What one device has of one chat.
  private static final class DeviceChat {
    final Log log;
    final Map<UserId, Watermarks> observed = new HashMap<>(2);
    long readTo;

    /// The last seq that came, and the highest that ever came or was declared not to come.
    long at;

    long position;
    long mayHaveAcked;
    boolean mayRepeat;

    DeviceChat(Log log) {
      this.log = log;
    }
  }

  /// A chat's log; index is the seq. Compared by identity.
  private static final class Log {
    private static final int NOBODY = -1;

    final ChatId chat;
    final Map<UserId, Member> members = new HashMap<>(2);
    final List<Summary> summaries = new ArrayList<>();
    boolean isRead;
    int head;
    int[] sender = {NOBODY};
    long[] hash = {0};
    long[] tsMillis = {0};
    int[] send = {};

    /// Highest seq that anyone has seen so far, in the pass through time.
    long seenMax;

    Log(ChatId chat) {
      this.chat = chat;
    }

    boolean has(long seq) {
      return seq > 0 && seq <= head && sender[(int) seq] != NOBODY;
    }

    boolean isFrom(long seq, int device) {
      return has(seq) && sender[(int) seq] == device;
    }

    /// The highest seq up to `seq` that `device` has not sent itself; 0 when there is none.
    long lastNotFrom(long seq, int device) {
      long last = seq;
      while (last > 0 && isFrom(last, device)) {
        last--;
      }
      return last;
    }

    void put(long seq, int senderRef, long contentHash, long ts) {
      int at = Math.toIntExact(seq);
      if (at >= sender.length) {
        int old = sender.length;
        int capacity = Math.max(at + 1, old + (old >> 1) + 16);
        sender = Arrays.copyOf(sender, capacity);
        Arrays.fill(sender, old, capacity, NOBODY);
        hash = Arrays.copyOf(hash, capacity);
        tsMillis = Arrays.copyOf(tsMillis, capacity);
      }
      head = Math.max(head, at);
      sender[at] = senderRef;
      hash[at] = contentHash;
      tsMillis[at] = ts;
    }

    Member member(UserId user) {
      return members.computeIfAbsent(user, u -> new Member());
    }
  }

  /// One member of one chat.
  private static final class Member {
    long readMax;
    final Watermarks told = new Watermarks();
  }

  private static final class Watermarks {
    long delivered;
    long read;

    void rise(long toDelivered, long toRead) {
      delivered = Math.max(delivered, toDelivered);
      read = Math.max(read, toRead);
    }
  }

  private record Summary(DeviceState device, UserId user, long delivered, long read) {}

  private static final class LastSend {
    long seq;
    long csn;
    int bySeq;
    int byCsn;
  }

  /// All sends of all devices, a device's in a row, and an index by (device, chat, hash).
  private static final class Sends {
    final int count;
    final long[] hash;

    /// Where the log has it; 0 nowhere.
    final long[] seq;

    final long[] csn;

    /// The seq that was answered; the negative error code; 0 when there was no answer.
    final long[] answer;

    final boolean[] isBegun;
    private final DeviceState[] device;
    private final Log[] log;
    private final int[] table;

    Sends(int count) {
      this.count = count;
      hash = new long[count];
      seq = new long[count];
      csn = new long[count];
      answer = new long[count];
      isBegun = new boolean[count];
      device = new DeviceState[count];
      log = new Log[count];
      table = new int[Math.max(2, Integer.highestOneBit(Math.max(1, count)) << 2)];
      Arrays.fill(table, NO_SEND);
    }

    void add(int send, DeviceState from, Log to, long contentHash) {
      hash[send] = contentHash;
      device[send] = from;
      log[send] = to;
      int slot = slot(from.recorder.ref(), to, contentHash);
      for (; table[slot] != NO_SEND; slot = (slot + 1) & (table.length - 1)) {
        int other = table[slot];
        if (device[other] == from && log[other] == to && hash[other] == contentHash) {
          throw new IllegalArgumentException(
              "two sends of " + from + " to " + to.chat + " have the same content");
        }
      }
      table[slot] = send;
    }

    int find(int deviceRef, Log to, long contentHash) {
      int slot = slot(deviceRef, to, contentHash);
      for (; table[slot] != NO_SEND; slot = (slot + 1) & (table.length - 1)) {
        int send = table[slot];
        if (hash[send] == contentHash
            && log[send] == to
            && device[send].recorder.ref() == deviceRef) {
          return send;
        }
      }
      return NO_SEND;
    }

    Log log(int send) {
      return log[send];
    }

    /// For a person: which of the device's sends this is.
    String name(int send) {
      return "send %d of %s (%s%s)"
          .formatted(
              send - device[send].firstSend,
              device[send],
              Long.toHexString(hash[send]),
              csn[send] == 0 ? "" : ", csn " + csn[send]);
    }

    long unknownInLog() {
      long there = 0;
      for (int send = 0; send < count; send++) {
        if (answer[send] <= 0 && seq[send] > 0) {
          there++;
        }
      }
      return there;
    }

    private int slot(int deviceRef, Log to, long contentHash) {
      long mixed =
          ContentHash.mix(contentHash + deviceRef * 0x9E37_79B9_7F4A_7C15L + to.chat.hashCode());
      return (int) mixed & (table.length - 1);
    }
  }
}
