package io.tern.tools.history;

import io.tern.tools.history.DeviceRecorder.Cursor;
import io.tern.tools.history.DeviceRecorder.Kind;
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

/// Walks the events of all devices in the order of their stamps; the order of one device is kept in
/// any case. Of events with equal stamps, what begins comes before what it may have caused.
final class Merge {

  private final PriorityQueue<Cursor> heads =
      new PriorityQueue<>(
          Comparator.<Cursor>comparingLong(c -> c.stamp).thenComparingInt(c -> tie(c.kind)));

  Merge(List<DeviceRecorder> devices) {
    for (var device : devices) {
      var cursor = device.cursor();
      if (cursor.next()) {
        heads.add(cursor);
      }
    }
  }

  /// Calls `visitor` for each event; the cursor must not be moved.
  void forEach(Visitor visitor) {
    while (true) {
      var first = heads.poll();
      if (first == null) {
        return;
      }
      // Stay with a device as long as nobody else is due: saves most of the heap's work.
      do {
        visitor.visit(first);
        if (!first.next()) {
          first = null;
          break;
        }
      } while (heads.isEmpty() || heads.comparator().compare(first, heads.peek()) <= 0);
      if (first != null) {
        heads.add(first);
      }
    }
  }

  private static int tie(Kind kind) {
    return switch (kind) {
      case OPENED, UP, EXPLICIT_ACKS, SENDING, AMENDING, CHANGING -> 0;
      case DELIVERED, FACT, RESET -> 1;
      case ACKING, READING -> 2;
      case SENT, REFUSED, CHANGED, CHANGE_REFUSED -> 3;
      case RECEIPT, PROGRESS, COUNT, ENTRY, HISTORY_END, SUMMARY, MEMBER, MEMBERS_END, ONLINE -> 4;
    };
  }

  @FunctionalInterface
  interface Visitor {
    void visit(Cursor event);
  }
}
