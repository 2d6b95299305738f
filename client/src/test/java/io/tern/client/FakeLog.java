package io.tern.client;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// One chat of a [FakeServer]: what was said, and how far everyone has got.
public final class FakeLog {

  public record Entry(long seq, DeviceId sender, long csn, long tsMillis, Content content) {}

  public final ChatId id;
  public final List<Entry> entries = new ArrayList<>();
  final Map<DeviceId, Long> lastCsn = new HashMap<>();
  public final Map<DeviceId, Long> positions = new HashMap<>();
  public final Map<UserId, Long> delivered = new HashMap<>();
  public final Map<UserId, Long> read = new HashMap<>();
  public @Nullable FakeGroup group;

  FakeLog(ChatId id) {
    this.id = id;
  }

  public long head() {
    return entries.size();
  }

  public boolean sees(UserId user) {
    FakeGroup in = group;
    return in == null
        ? id.low() == user.value() || id.high() == user.value()
        : in.members.containsKey(user);
  }

  /// The first and the last seq that are the user's to see.
  public long first(UserId user) {
    FakeGroup.Stay stay = group == null ? null : group.members.get(user);
    return stay == null ? 1 : stay.joined();
  }

  public long last(UserId user) {
    FakeGroup.Stay stay = group == null ? null : group.members.get(user);
    return stay == null || stay.isHere() ? head() : stay.left();
  }

  /// Where the next push to the device begins, less one.
  long position(DeviceId device) {
    return Math.max(positions.getOrDefault(device, 0L), first(device.user()) - 1);
  }
}
