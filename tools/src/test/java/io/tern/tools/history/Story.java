package io.tern.tools.history;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// A history told by hand: a perfect server for one chat between Alice and Bob, and recorders for
/// their devices. A test tells a bug by recording what the buggy server would have shown.
///
/// The clock moves by one with each event.
final class Story {

  static final UserId ALICE = new UserId(10);
  static final UserId BOB = new UserId(20);
  static final UserId EVE = new UserId(30);
  static final ChatId CHAT = ChatId.direct(ALICE, BOB);

  /// A committed entry of the story's log.
  record Line(long seq, DeviceId sender, long hash, long tsMillis, long csn) {}

  private long now;
  private long hashes = 1000;
  final History history = new History(() -> now++);
  final List<Line> log = new ArrayList<>();
  private final Map<DeviceRecorder, Long> csns = new HashMap<>();

  final DeviceRecorder alice = device(ALICE, 1);
  final DeviceRecorder aliceTablet = device(ALICE, 2);
  final DeviceRecorder bob = device(BOB, 1);

  DeviceRecorder device(UserId user, int index) {
    var device = history.device(new DeviceId(user, index));
    device.opened(true);
    return device;
  }

  /// A send that is committed and acknowledged, and delivered to nobody yet.
  Line say(DeviceRecorder from) {
    int n = from.sending(CHAT, ++hashes);
    var line = commit(from, hashes);
    sent(from, n, line);
    return line;
  }

  /// A send that is committed, delivered to everyone and acknowledged.
  Line tell(DeviceRecorder from) {
    var line = say(from);
    for (var device : List.of(alice, aliceTablet, bob)) {
      if (device != from) {
        show(device, line);
      }
    }
    return line;
  }

  long newHash() {
    return ++hashes;
  }

  Line commit(DeviceRecorder from, long hash) {
    long csn = csns.merge(from, 1L, Long::sum);
    var line = new Line(log.size() + 1, from.id(), hash, 5000 + log.size(), csn);
    log.add(line);
    return line;
  }

  void sent(DeviceRecorder from, int n, Line line) {
    from.sent(CHAT, n, line.seq, line.csn, line.tsMillis, false);
  }

  void show(DeviceRecorder to, Line line) {
    boolean own = to.id().user().equals(line.sender.user());
    to.delivered(CHAT, line.seq, line.sender, line.hash, line.tsMillis, own ? line.csn : 0);
  }

  void refuse(DeviceRecorder from, ErrorCode code) {
    from.refused(CHAT, from.sending(CHAT, ++hashes), code);
  }

  /// The end of a good run: everyone reads the log and the watermarks, and is at head.
  Report end() {
    for (var device : List.of(alice, aliceTablet, bob)) {
      readLog(device);
      device.online();
    }
    return check();
  }

  void readLog(DeviceRecorder device) {
    for (var line : log) {
      device.entry(CHAT, line.seq, line.sender, line.hash, line.tsMillis);
    }
  }

  Report check() {
    return HistoryChecker.check(history);
  }
}
