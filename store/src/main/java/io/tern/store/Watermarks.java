package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.store.ChatState.Member;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/// Reads the `W` and `V` keys. A member's delivered watermark is the last step of any kind: who has
/// read an entry has got it. Steps that are hidden are the member's own business.
final class Watermarks {

  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

  private Watermarks() {}

  /// What the device itself has acknowledged.
  static long position(KeyValues storage, ChatId chat, DeviceId device) {
    byte[] value = storage.get(Keys.position(chat, device));
    return value == null ? 0 : Varints.get(value, 0);
  }

  static byte[] positionValue(long seq) {
    byte[] value = new byte[Varints.BYTES_MAX];
    return Arrays.copyOf(value, Varints.put(value, 0, seq));
  }

  /// A member's marks, and what of them others see; at most as much.
  record Marks(long delivered, long read, long shownDelivered, long shownRead) {
    static final Marks NONE = new Marks(0, 0, 0, 0);
  }

  /// Reads a member's watermarks, unless they are in memory.
  static void load(KeyValues storage, ChatState chat, Member member) {
    if (member.delivered >= 0) {
      return;
    }
    Marks marks = chat.fresh ? Marks.NONE : of(storage, chat.id, member.user);
    member.delivered = marks.delivered();
    member.read = marks.read();
    member.shownDelivered = marks.shownDelivered();
    member.shownRead = marks.shownRead();
  }

  /// Three seeks, while nothing is hidden.
  static Marks of(KeyValues storage, ChatId chat, UserId user) {
    long shownRead = last(storage, chat, user, Keys.READ);
    long shownDelivered = Math.max(shownRead, last(storage, chat, user, Keys.DELIVERED));
    if (!hasHidden(storage, chat, user)) {
      return new Marks(shownDelivered, shownRead, shownDelivered, shownRead);
    }
    long read = Math.max(shownRead, last(storage, chat, user, Keys.READ_HIDDEN));
    long delivered = Math.max(read, last(storage, chat, user, Keys.DELIVERED_HIDDEN));
    return new Marks(Math.max(delivered, shownDelivered), read, shownDelivered, shownRead);
  }

  /// Whether there is any step that only the member sees: seldom, and one look for both kinds.
  private static boolean hasHidden(KeyValues storage, ChatId chat, UserId user) {
    int slot = Slots.of(chat);
    boolean[] found = {false};
    storage.scan(
        Keys.watermark(chat, slot, user, Keys.DELIVERED_HIDDEN, 0),
        Keys.watermark(chat, slot, user, Keys.READ_HIDDEN, -1),
        (key, value) -> {
          found[0] = true;
          return false;
        });
    return found[0];
  }

  private static long last(KeyValues storage, ChatId chat, UserId user, byte kind) {
    int slot = Slots.of(chat);
    long[] seq = {0};
    storage.scanDown(
        Keys.watermark(chat, slot, user, kind, 0),
        Keys.watermark(chat, slot, user, kind, -1),
        (key, value) -> {
          seq[0] = Keys.watermarkSeq(key);
          return false;
        });
    return seq[0];
  }

  /// When the member's watermark of this kind reached `seq`; 0 = not yet.
  static long reachedMillis(KeyValues storage, ChatId chat, UserId user, byte kind, long seq) {
    int slot = Slots.of(chat);
    long[] time = {0};
    storage.scan(
        Keys.watermark(chat, slot, user, kind, seq),
        Keys.watermark(chat, slot, user, kind, -1),
        (key, value) -> {
          time[0] = time(value);
          return false;
        });
    return time[0];
  }

  static byte[] timeValue(long millis) {
    byte[] value = new byte[Long.BYTES];
    LONG.set(value, 0, millis);
    return value;
  }

  static long time(byte[] value) {
    return (long) LONG.get(value, 0);
  }
}
