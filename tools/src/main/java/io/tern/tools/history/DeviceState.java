package io.tern.tools.history;

import io.tern.protocol.UserId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What a check knows of one device.
final class DeviceState {
  final DeviceRecorder recorder;
  final int firstSend;
  final List<DeviceChat> chats = new ArrayList<>();
  private @Nullable Map<ChatLog, DeviceChat> byLog;
  int sendsBegun;
  long epoch;
  boolean acksExplicitly;
  boolean isOnline;

  /// Changes of groups that it asked for, and how many of them it had begun so far.
  final List<GroupChanges.Op> changes = new ArrayList<>(0);

  int changesBegun;

  DeviceState(DeviceRecorder recorder, int firstSend) {
    this.recorder = recorder;
    this.firstSend = firstSend;
  }

  int ref() {
    return recorder.ref();
  }

  UserId user() {
    return recorder.id().user();
  }

  @Nullable DeviceChat chatOf(ChatLog log) {
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
