package io.tern.tools.history;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// What a check works on: the devices, chats and sends of one history, and what was found wrong.
final class Evidence {

  final History history;
  final List<DeviceState> devices = new ArrayList<>();
  final Map<ChatId, ChatLog> logs = new HashMap<>();
  final Sends sends;
  final Findings findings = new Findings();
  final long events;
  private final Map<UserId, List<DeviceState>> devicesOf = new HashMap<>();

  Evidence(History history) {
    this.history = history;
    int sendCount = 0;
    long eventCount = 0;
    for (var recorder : history.devices()) {
      var device = new DeviceState(recorder, sendCount);
      devices.add(device);
      devicesOf.computeIfAbsent(device.user(), u -> new ArrayList<>()).add(device);
      sendCount = Math.addExact(sendCount, recorder.sends());
      eventCount += recorder.events();
      for (var chat : recorder.chats()) {
        device.chats.add(new DeviceChat(logs.computeIfAbsent(chat, ChatLog::new)));
      }
    }
    sends = new Sends(sendCount);
    events = eventCount;
  }

  List<DeviceState> devicesOf(UserId user) {
    return devicesOf.getOrDefault(user, List.of());
  }

  /// Calls `visitor` for each event of each device, a device after the other.
  void forEach(Visitor visitor) {
    for (var recorder : history.devices()) {
      var device = devices.get(recorder.ref());
      for (var event = recorder.cursor(); event.next(); ) {
        visitor.visit(device, event);
      }
    }
  }

  /// For a person: an entry.
  String describe(int sender, long hash) {
    return "%s by %s".formatted(Long.toHexString(hash), devices.get(sender));
  }

  /// For a person: what the log has at `seq`.
  String describe(ChatLog log, long seq) {
    return log.has(seq)
        ? describe(log.sender[(int) seq], log.hash[(int) seq])
        : "nothing, head " + log.head;
  }

  @FunctionalInterface
  interface Visitor {
    void visit(DeviceState device, DeviceRecorder.Cursor event);
  }
}
