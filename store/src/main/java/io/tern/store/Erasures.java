package io.tern.store;

import io.tern.protocol.ChatId;
import java.util.HashMap;
import java.util.Map;

/// Which entries of a chat were erased: bitmaps of 256 entries, the `E` keys. They correct the
/// unread count, which otherwise is a difference of two ordinals.
final class Erasures {

  private static final int BITMAP_BYTES = Keys.BLOCK_ENTRIES / 8;

  private record Block(ChatId chat, long index) {}

  private final KeyValues storage;
  private final Map<Block, byte[]> changed = new HashMap<>();

  /// Gathers the erasures of one batch at a time on top of what `storage` has.
  Erasures(KeyValues storage) {
    this.storage = storage;
  }

  void add(ChatId chat, long seq) {
    byte[] bitmap =
        changed.computeIfAbsent(
            new Block(chat, Keys.block(seq)),
            block -> {
              byte[] stored = storage.get(Keys.erased(chat, block.index));
              return stored == null ? new byte[BITMAP_BYTES] : stored;
            });
    int bit = bit(seq);
    bitmap[bit >>> 3] |= (byte) (1 << (bit & 7));
  }

  void forget(ChatId chat) {
    changed.keySet().removeIf(block -> block.chat.equals(chat));
  }

  void putTo(Batch batch) {
    changed.forEach((block, bitmap) -> batch.put(Keys.erased(block.chat, block.index), bitmap));
  }

  void clear() {
    changed.clear();
  }

  /// How many entries in (above, upTo] were erased: one step for each 256 of them.
  static long count(KeyValues storage, ChatId chat, long above, long upTo) {
    if (above >= upTo) {
      return 0;
    }
    long first = Keys.block(above + 1);
    long last = Keys.block(upTo);
    long[] count = {0};
    storage.scan(
        Keys.erased(chat, first),
        Keys.erased(chat, last + 1),
        (key, bitmap) -> {
          long block = Keys.erasedBlock(key);
          int from = block == first ? bit(above + 1) : 0;
          int to = block == last ? bit(upTo) : Keys.BLOCK_ENTRIES - 1;
          for (int bit = from; bit <= to; bit++) {
            count[0] += bitmap[bit >>> 3] >>> (bit & 7) & 1;
          }
          return true;
        });
    return count[0];
  }

  private static int bit(long seq) {
    return (int) ((seq - 1) % Keys.BLOCK_ENTRIES);
  }
}
