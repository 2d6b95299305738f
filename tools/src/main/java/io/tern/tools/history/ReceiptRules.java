package io.tern.tools.history;

import io.tern.protocol.UserId;
import io.tern.tools.history.ChatLog.Member;
import io.tern.tools.history.ChatLog.Summary;
import io.tern.tools.history.ChatLog.Watermarks;
import io.tern.tools.history.DeviceRecorder.Cursor;

/// Watermarks: they rise for every observer, say no more than the member's devices did, and are not
/// forgotten. In groups nobody is told of others one by one, so it is those of everyone together.
final class ReceiptRules {

  private final Evidence evidence;
  private final Findings findings;
  private long receipts;

  ReceiptRules(Evidence evidence) {
    this.evidence = evidence;
    findings = evidence.findings;
  }

  long receipts() {
    return receipts;
  }

  void onReceipt(DeviceState device, DeviceChat chat, Cursor event) {
    receipts++;
    var log = chat.log;
    var user = device.recorder.user(event);
    long read = event.operand(1);
    // Reading implies delivery.
    long delivered = Math.max(event.operand(0), read);
    checkMember(device, log, "a receipt of " + user);
    checkFounded(device, log, user, delivered, read);
    checkForward(
        device,
        log,
        "the watermarks of " + user,
        chat.observed.computeIfAbsent(user, u -> new Watermarks()),
        delivered,
        read);
    log.member(user).told.rise(delivered, read);
  }

  /// What everyone in a group has got and read.
  void onProgress(DeviceState device, DeviceChat chat, Cursor event) {
    receipts++;
    var log = chat.log;
    long read = event.operand(1);
    long delivered = Math.max(event.operand(0), read);
    checkMember(device, log, "a receipt of the group");
    var told = log.toldOfAll;
    if (event.flag && (delivered < told.delivered || read < told.read)) {
      findings.add(
          Rule.WATERMARK_LOST,
          log,
          () ->
              "at the end %s was told delivered %d, read %d of everyone; others had been told delivered %d, read %d"
                  .formatted(device, delivered, read, told.delivered, told.read));
    }
    checkForward(device, log, "the watermarks of everyone", chat.observedOfAll, delivered, read);
    told.rise(delivered, read);
    checkEveryone(device, log, delivered, read);
  }

  private void checkEveryone(DeviceState observer, ChatLog log, long delivered, long read) {
    for (var user : log.membership.users()) {
      // Who was in it at `delivered` and never left was one of those who were counted.
      var span = log.membership.last(user);
      if (span != null && span.isOpen() && span.from() <= delivered && hasDevice(user)) {
        boolean isReadFounded = read < span.from() || isReadFounded(log, user, read);
        if (!isFounded(log, user, delivered) || !isReadFounded || delivered > log.head) {
          findings.add(
              Rule.RECEIPT_UNFOUNDED,
              log,
              () ->
                  "%s was told that everyone has up to seq %d and has read up to seq %d (head %d); %s cannot"
                      .formatted(observer, delivered, read, log.head, user));
          return;
        }
      }
    }
  }

  /// How many have got and read one entry.
  void onCount(DeviceState device, DeviceChat chat, Cursor event) {
    receipts++;
    var log = chat.log;
    long seq = event.operand(0);
    long total = event.operand(1);
    long delivered = event.operand(2);
    long read = event.operand(3);
    checkMember(device, log, "a count of receipts");
    if (!log.membership.isKnown()) {
      return;
    }
    long mayTotal = 0;
    long mayHave = 0;
    long mayHaveRead = 0;
    for (var user : log.membership.users()) {
      if (!user.equals(device.user()) && log.membership.saw(user, seq)) {
        mayTotal++;
        mayHave += !hasDevice(user) || isFounded(log, user, seq) ? 1 : 0;
        mayHaveRead += !hasDevice(user) || isReadFounded(log, user, seq) ? 1 : 0;
      }
    }
    if (total > mayTotal || delivered > mayHave || read > mayHaveRead) {
      long of = mayTotal;
      long got = mayHave;
      long gotRead = mayHaveRead;
      findings.add(
          Rule.RECEIPT_UNFOUNDED,
          log,
          () ->
              "%s was told of seq %d: delivered to %d of %d, read by %d; at most %d of %d can have it, and %d have read it"
                  .formatted(device, seq, delivered, total, read, got, of, gotRead));
    }
  }

  private void checkForward(
      DeviceState device, ChatLog log, String what, Watermarks seen, long delivered, long read) {
    if (delivered < seen.delivered || read < seen.read) {
      long deliveredBefore = seen.delivered;
      long readBefore = seen.read;
      findings.add(
          Rule.RECEIPT_BACKWARD,
          log,
          () ->
              "for %s %s went from delivered %d, read %d to delivered %d, read %d"
                  .formatted(device, what, deliveredBefore, readBefore, delivered, read));
    }
    seen.rise(delivered, read);
  }

  private void checkFounded(
      DeviceState observer, ChatLog log, UserId user, long delivered, long read) {
    if (!log.membership.wasEver(user)) {
      findings.add(
          Rule.NOT_MEMBER,
          log,
          () -> "%s got a receipt of %s, who is not in the chat".formatted(observer, user));
      return;
    }
    if (!hasDevice(user)) {
      return;
    }
    if (!isFounded(log, user, delivered) || delivered > log.head) {
      findings.add(
          Rule.RECEIPT_UNFOUNDED,
          log,
          () ->
              "%s was told that %s has up to seq %d (head %d), but no device of theirs can have acknowledged that"
                  .formatted(observer, user, delivered, log.head));
    }
    if (!isReadFounded(log, user, read)) {
      findings.add(
          Rule.RECEIPT_UNFOUNDED,
          log,
          () ->
              "%s was told that %s has read up to seq %d, but they had read up to %d"
                  .formatted(observer, user, read, log.member(user).readMax));
    }
  }

  /// Users whose devices are not recorded may have acknowledged anything.
  private boolean hasDevice(UserId user) {
    return !evidence.devicesOf(user).isEmpty();
  }

  private boolean isFounded(ChatLog log, UserId user, long delivered) {
    if (delivered == 0 || isFoundedInGroup(log, user, delivered)) {
      return true;
    }
    for (var device : evidence.devicesOf(user)) {
      var chat = device.chatOf(log);
      long mayHaveAcked = chat == null ? 0 : chat.mayHaveAcked;
      if (log.lastNotFrom(delivered, device.ref()) <= mayHaveAcked) {
        return true;
      }
    }
    return false;
  }

  private static boolean isReadFounded(ChatLog log, UserId user, long read) {
    return read <= log.member(user).readMax || isFoundedInGroup(log, user, read);
  }

  /// In a group, who writes has seen what is there, who reads has got it, and what was before they
  /// came is not waited for.
  private static boolean isFoundedInGroup(ChatLog log, UserId user, long seq) {
    if (!log.chat.isGroup()) {
      return false;
    }
    Member member = log.member(user);
    var span = log.membership.last(user);
    return seq <= member.ownMax || seq <= member.readMax || (span != null && seq < span.from());
  }

  private void checkMember(DeviceState device, ChatLog log, String what) {
    if (!log.membership.wasEver(device.user())) {
      findings.add(
          Rule.NOT_MEMBER, log, () -> "%s got %s and is not in the chat".formatted(device, what));
    }
  }

  // ---- At the end ------------------------------------------------------------------------------

  void onSummary(DeviceState device, DeviceChat chat, Cursor event) {
    var log = chat.log;
    var user = device.recorder.user(event);
    long head = event.operand(0);
    long read = event.operand(2);
    long delivered = Math.max(event.operand(1), read);
    checkMember(device, log, "a summary");
    var span = log.membership.last(device.user());
    long due = span == null ? log.head : Math.min(span.to(), log.head);
    if (head != due) {
      findings.add(
          Rule.DIVERGED,
          log,
          () -> "%s was told head %d, the log ends at %d".formatted(device, head, due));
    }
    checkFounded(device, log, user, delivered, read);
    log.summaries.add(new Summary(device, user, delivered, read));
  }

  void checkSummary(ChatLog log, Summary summary) {
    var member = log.member(summary.user());
    long acked = 0;
    for (var device : evidence.devicesOf(summary.user())) {
      var chat = device.chatOf(log);
      if (device.isOnline && !device.acksExplicitly && chat != null) {
        acked = Math.max(acked, chat.mayHaveAcked);
      }
    }
    long deliveredMin = Math.max(member.told.delivered, acked);
    long readMin = member.told.read;
    if (summary.delivered() < deliveredMin || summary.read() < readMin) {
      findings.add(
          Rule.WATERMARK_LOST,
          log,
          () ->
              "at the end %s was told delivered %d, read %d of %s; they had acknowledged %d, and others had been told delivered %d, read %d"
                  .formatted(
                      summary.device(),
                      summary.delivered(),
                      summary.read(),
                      summary.user(),
                      deliveredMin,
                      member.told.delivered,
                      readMin));
    }
  }
}
