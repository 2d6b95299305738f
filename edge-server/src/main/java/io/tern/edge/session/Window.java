package io.tern.edge.session;

import io.tern.protocol.ChatId;
import java.util.Arrays;
import java.util.Set;

/// The entries a session has pushed and its device has not acknowledged. Absolute: what was sent
/// minus what was acknowledged, never credits.
///
/// Three parallel arrays in the order of pushing; an acknowledgement is cumulative for its chat and
/// removes whatever it covers in one pass over at most `entriesMax` places (1,024 by default: about
/// a microsecond). Confined to its session.
final class Window {

  private ChatId[] chats = new ChatId[8];
  private long[] seqs = new long[8];
  private int[] sizes = new int[8];
  private int entries;
  private int bytes;

  int entries() {
    return entries;
  }

  int bytes() {
    return bytes;
  }

  void add(ChatId chat, long seq, int size) {
    if (entries == seqs.length) {
      chats = Arrays.copyOf(chats, entries * 2);
      seqs = Arrays.copyOf(seqs, entries * 2);
      sizes = Arrays.copyOf(sizes, entries * 2);
    }
    chats[entries] = chat;
    seqs[entries] = seq;
    sizes[entries] = size;
    entries++;
    bytes += size;
  }

  /// Removes the chat's entries up to `seq`; returns how many these were.
  int acknowledge(ChatId chat, long seq) {
    int kept = 0;
    for (int i = 0; i < entries; i++) {
      if (seqs[i] <= seq && chats[i].equals(chat)) {
        bytes -= sizes[i];
      } else {
        if (kept != i) {
          chats[kept] = chats[i];
          seqs[kept] = seqs[i];
          sizes[kept] = sizes[i];
        }
        kept++;
      }
    }
    int removed = entries - kept;
    entries = kept;
    return removed;
  }

  /// Whether an entry of `chat` is unacknowledged.
  boolean holds(ChatId chat) {
    for (int i = 0; i < entries; i++) {
      if (chats[i].equals(chat)) {
        return true;
      }
    }
    return false;
  }

  /// Whether this entry is unacknowledged. Looks at the newest first, which is the one that is
  /// asked for when a device acknowledges all that it has read.
  boolean holds(ChatId chat, long seq) {
    for (int i = entries - 1; i >= 0; i--) {
      if (seqs[i] == seq && chats[i].equals(chat)) {
        return true;
      }
    }
    return false;
  }

  /// Adds every chat that has an unacknowledged entry to `to`.
  void addChatsTo(Set<ChatId> to) {
    for (int i = 0; i < entries; i++) {
      to.add(chats[i]);
    }
  }
}
