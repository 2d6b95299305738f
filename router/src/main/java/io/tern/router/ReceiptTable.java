package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.store.Outcome;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// The watermarks that moved in one round, one for each chat and member, in the order they first
/// moved. Confined to its owner; reused after [#clear].
final class ReceiptTable {

  /// Watermarks of one member of one chat, merged by max.
  static final class Receipt {
    final ChatId chat;
    final UserId member;
    private long delivered;
    private long read;
    private long shownDelivered;
    private long shownRead;
    private List<UserId> observers;
    private @Nullable DeviceId from;

    private Receipt(ChatId chat, UserId member, List<UserId> observers, @Nullable DeviceId from) {
      this.chat = chat;
      this.member = member;
      this.observers = observers;
      this.from = from;
    }

    long delivered() {
      return delivered;
    }

    long read() {
      return read;
    }

    /// What others than the member are told.
    long shownDelivered() {
      return shownDelivered;
    }

    long shownRead() {
      return shownRead;
    }

    List<UserId> observers() {
      return observers;
    }

    /// The device that need not be told, because it alone moved them.
    @Nullable DeviceId from() {
      return from;
    }
  }

  private static final int CAPACITY_MIN = 256;
  private static final int CAPACITY_KEPT_MAX = 16_384;

  private final ArrayList<Receipt> receipts = new ArrayList<>();

  // Open addressing: number of the receipt + 1, 0 for a free place.
  private int[] table = new int[CAPACITY_MIN];

  void add(ChatId chat, Outcome.Moved moved, @Nullable DeviceId from) {
    int at = find(chat, moved.member());
    Receipt receipt;
    if (table[at] == 0) {
      receipt = new Receipt(chat, moved.member(), moved.observers(), from);
      receipts.add(receipt);
      table[at] = receipts.size();
      if (receipts.size() * 2 > table.length) {
        grow();
      }
    } else {
      receipt = receipts.get(table[at] - 1);
      if (!Objects.equals(receipt.from, from)) {
        receipt.from = null;
      }
      receipt.observers = union(receipt.observers, moved.observers());
    }
    receipt.delivered = Math.max(receipt.delivered, moved.delivered());
    receipt.read = Math.max(receipt.read, moved.read());
    receipt.shownDelivered = Math.max(receipt.shownDelivered, moved.shownDelivered());
    receipt.shownRead = Math.max(receipt.shownRead, moved.shownRead());
  }

  /// Few: the two sides of a direct chat, or one.
  private static List<UserId> union(List<UserId> some, List<UserId> others) {
    if (some.containsAll(others)) {
      return some;
    }
    if (others.containsAll(some)) {
      return others;
    }
    var all = new ArrayList<>(some);
    for (UserId other : others) {
      if (!all.contains(other)) {
        all.add(other);
      }
    }
    return List.copyOf(all);
  }

  int size() {
    return receipts.size();
  }

  Receipt get(int number) {
    return receipts.get(number);
  }

  void clear() {
    receipts.clear();
    if (table.length > CAPACITY_KEPT_MAX) {
      table = new int[CAPACITY_MIN];
    } else {
      Arrays.fill(table, 0);
    }
  }

  private int find(ChatId chat, UserId member) {
    int mask = table.length - 1;
    long h = chat.low() * 0x9E37_79B9_7F4A_7C15L ^ chat.high();
    h = h * 0xFF51_AFD7_ED55_8CCDL ^ member.value();
    h *= 0xC4CE_B9FE_1A85_EC53L;
    int at = (int) (h >>> 40) & mask;
    while (table[at] != 0) {
      var receipt = receipts.get(table[at] - 1);
      if (receipt.member.value() == member.value()
          && receipt.chat.low() == chat.low()
          && receipt.chat.high() == chat.high()) {
        return at;
      }
      at = (at + 1) & mask;
    }
    return at;
  }

  private void grow() {
    table = new int[table.length * 2];
    for (int i = 0; i < receipts.size(); i++) {
      var receipt = receipts.get(i);
      table[find(receipt.chat, receipt.member)] = i + 1;
    }
  }
}
