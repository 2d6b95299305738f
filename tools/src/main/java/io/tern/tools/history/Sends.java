package io.tern.tools.history;

import java.util.Arrays;

/// All sends of all devices, a device's in a row, and an index by (device, chat, hash).
final class Sends {
  /// No send.
  static final int NONE = -1;

  final int count;
  final long[] hash;

  /// Where the log has it; 0 nowhere.
  final long[] seq;

  final long[] csn;

  /// The seq that was answered; the negative error code; 0 when there was no answer.
  final long[] answer;

  final boolean[] isBegun;
  private final DeviceState[] device;
  private final ChatLog[] log;
  private final int[] table;

  Sends(int count) {
    this.count = count;
    hash = new long[count];
    seq = new long[count];
    csn = new long[count];
    answer = new long[count];
    isBegun = new boolean[count];
    device = new DeviceState[count];
    log = new ChatLog[count];
    table = new int[Math.max(2, Integer.highestOneBit(Math.max(1, count)) << 2)];
    Arrays.fill(table, NONE);
  }

  void add(int send, DeviceState from, ChatLog to, long contentHash) {
    hash[send] = contentHash;
    device[send] = from;
    log[send] = to;
    int slot = slot(from.recorder.ref(), to, contentHash);
    for (; table[slot] != NONE; slot = (slot + 1) & (table.length - 1)) {
      int other = table[slot];
      if (device[other] == from && log[other] == to && hash[other] == contentHash) {
        throw new IllegalArgumentException(
            "two sends of " + from + " to " + to.chat + " have the same content");
      }
    }
    table[slot] = send;
  }

  int find(int deviceRef, ChatLog to, long contentHash) {
    int slot = slot(deviceRef, to, contentHash);
    for (; table[slot] != NONE; slot = (slot + 1) & (table.length - 1)) {
      int send = table[slot];
      if (hash[send] == contentHash
          && log[send] == to
          && device[send].recorder.ref() == deviceRef) {
        return send;
      }
    }
    return NONE;
  }

  ChatLog log(int send) {
    return log[send];
  }

  /// For a person: which of the device's sends this is.
  String name(int send) {
    return "send %d of %s (%s%s)"
        .formatted(
            send - device[send].firstSend,
            device[send],
            Long.toHexString(hash[send]),
            csn[send] == 0 ? "" : ", csn " + csn[send]);
  }

  long unknownInLog() {
    long there = 0;
    for (int send = 0; send < count; send++) {
      if (answer[send] <= 0 && seq[send] > 0) {
        there++;
      }
    }
    return there;
  }

  private int slot(int deviceRef, ChatLog to, long contentHash) {
    long mixed =
        ContentHash.mix(contentHash + deviceRef * 0x9E37_79B9_7F4A_7C15L + to.chat.hashCode());
    return (int) mixed & (table.length - 1);
  }
}
