package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Reaction;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// The reactions to messages as they are kept, one a user and message, and as a page tells them.
/// Any thread.
///
/// ```
/// FF 1 byte    seq of the reaction's event 8 bytes    its text, UTF-8
/// ```
///
/// FF begins no UTF-8: a value without it is the text alone, as earlier versions kept it, and
/// counts as older than any entry.
public final class Reactions {

  private static final byte WITH_SEQ = (byte) 0xFF;

  private static final int TEXT_AT = 1 + Long.BYTES;

  private Reactions() {}

  /// The value of a reaction whose event is entry `seq`: `length` bytes of text from `from`.
  static byte[] value(long seq, byte[] body, int from, int length) {
    return ByteBuffer.allocate(TEXT_AT + length)
        .put(WITH_SEQ)
        .putLong(seq)
        .put(body, from, length)
        .array();
  }

  private static boolean hasSeq(byte[] value) {
    return value[0] == WITH_SEQ;
  }

  private static long seq(byte[] value) {
    return hasSeq(value) ? ByteBuffer.wrap(value).getLong(1) : 0;
  }

  private static String text(byte[] value) {
    int from = hasSeq(value) ? TEXT_AT : 0;
    return new String(value, from, value.length - from, StandardCharsets.UTF_8);
  }

  /// The reactions to the entries `first` to `last`, by seq: of each entry the texts that are most
  /// frequent. A page of entries at a time: every member may have reacted to each.
  ///
  /// @param head newest seq that the viewer may see. Of a reaction only the newest is kept: who
  ///   left before it was changed is told neither
  public static Map<Long, List<Reaction>> to(
      KeyValues shard, ChatId chat, long first, long last, long head, UserId viewer) {
    var found = new HashMap<Long, Map<String, Reaction.Builder>>();
    shard.scan(
        Keys.reactionsFrom(chat, first),
        Keys.reactionsFrom(chat, last + 1),
        (key, value) -> {
          if (seq(value) <= head) {
            Reaction.Builder reaction =
                found
                    .computeIfAbsent(Keys.reactionSeq(key), seq -> new TreeMap<>())
                    .computeIfAbsent(text(value), text -> Reaction.newBuilder().setText(text));
            reaction.setCount(reaction.getCount() + 1);
            if (Keys.reactionUser(key) == viewer.value()) {
              reaction.setOwn(true);
            }
          }
          return true;
        });
    var reactions = new HashMap<Long, List<Reaction>>();
    found.forEach((seq, texts) ->
        reactions.put(
            seq,
            texts.values().stream()
                .sorted(Comparator.comparingInt(Reaction.Builder::getCount).reversed())
                .limit(Limits.PAGE_REACTIONS_MAX)
                .map(Reaction.Builder::build)
                .toList()));
    return reactions;
  }
}
