package io.tern.tools.history;

import io.tern.protocol.UserId;
import io.tern.protocol.v1.Role;
import io.tern.tools.history.ChatLog.Watermarks;
import java.util.HashMap;
import java.util.Map;

/// What one device has of one chat.
final class DeviceChat {
  final ChatLog log;
  final Map<UserId, Watermarks> observed = new HashMap<>(2);
  final Watermarks observedOfAll = new Watermarks();

  /// The first and the last seq of the history as it read it; 0 when it read none.
  long readFrom;

  long readTo;

  /// It was shown all of the history that there is for it.
  boolean isReadToEnd;

  /// The members as it was told at the end, so far.
  final Map<UserId, Role> members = new HashMap<>(2);

  /// The last seq that came, and the highest that ever came or was declared not to come.
  long at;

  long position;
  long mayHaveAcked;
  boolean mayRepeat;

  DeviceChat(ChatLog log) {
    this.log = log;
  }
}
