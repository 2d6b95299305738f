package io.tern.tools.system;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What is known of a chat's log while a campaign runs. Thread-safe.
final class ChatView {

  private final ChatId chat;
  private final List<@Nullable DeviceId> senders = new ArrayList<>();

  ChatView(ChatId chat) {
    this.chat = chat;
    senders.add(null);
  }

  ChatId chat() {
    return chat;
  }

  /// Whether `user` is one of the two of a direct chat.
  boolean isBetween(UserId user) {
    return !chat.isGroup() && (user.value() == chat.low() || user.value() == chat.high());
  }

  /// @param sender null for an entry that every device is to be told of
  synchronized void see(long seq, @Nullable DeviceId sender) {
    while (senders.size() <= seq) {
      senders.add(null);
    }
    senders.set((int) seq, sender);
  }

  synchronized long head() {
    return senders.size() - 1L;
  }

  /// The highest seq that `device` must have acknowledged.
  long due(DeviceId device) {
    return due(device, head());
  }

  /// The highest seq up to `last` that `device` has not sent itself.
  synchronized long due(DeviceId device, long last) {
    int seq = (int) Math.min(last, senders.size() - 1L);
    while (seq > 0 && device.equals(senders.get(seq))) {
      seq--;
    }
    return seq;
  }

  /// The first seq that is not in `seen` and that `device` has not sent itself; 0 for none.
  synchronized long firstMissing(BitSet seen, DeviceId device) {
    for (int seq = seen.nextClearBit(1); seq < senders.size(); seq = seen.nextClearBit(seq + 1)) {
      if (!device.equals(senders.get(seq))) {
        return seq;
      }
    }
    return 0;
  }

  @Override
  public String toString() {
    return chat.toString();
  }
}
