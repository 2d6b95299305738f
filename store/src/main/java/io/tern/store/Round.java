package io.tern.store;

import io.tern.protocol.ChatId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// The open batch of a shard, and what it will add at the commit: the storage as it will be, to
/// read. What goes to [#batch] directly (appended entries, watermarks) is not seen by [#get] and
/// the scans; what is read again before the commit is written by [#put] and [#delete].
///
/// Confined to its shard; reused after [#clear]. Bounded with the batch.
final class Round implements KeyValues {

  /// A member in a snapshot, about.
  static final int MEMBER_BYTES = 48;

  final Batch batch = new Batch();
  final Erasures erasures;

  /// What other shards are to do.
  final List<Command> duties = new ArrayList<>();

  /// Somebody will be told that something in the batch is safe.
  boolean sync;

  /// Bytes that the commit will add, estimated: watermarks and snapshots.
  int pendingBytes;

  private final KeyValues storage;

  /// Null for what is deleted.
  private final NavigableMap<byte[], byte @Nullable []> rewritten =
      new TreeMap<>(Arrays::compareUnsigned);

  Round(KeyValues storage) {
    this.storage = storage;
    erasures = new Erasures(storage);
  }

  void put(byte[] key, byte[] value) {
    batch.put(key, value);
    rewritten.put(key, value);
  }

  void delete(byte[] key) {
    batch.delete(key);
    rewritten.put(key, null);
  }

  @Override
  public byte @Nullable [] get(byte[] key) {
    return rewritten.containsKey(key) ? rewritten.get(key) : storage.get(key);
  }

  /// The value of an entry that exists, be it in the open batch.
  byte[] entry(ChatState chat, long seq) {
    boolean open = chat.openFromSeq != 0 && seq >= chat.openFromSeq;
    byte[] value = entry(chat.id, seq, open);
    if (value == null) {
      throw new IllegalStateException(chat.id + ": entry " + seq + " is missing");
    }
    return value;
  }

  /// @param open whether it was appended by the open batch
  byte @Nullable [] entry(ChatId chat, long seq, boolean open) {
    byte[] key = Keys.entry(chat, seq);
    byte[] value = rewritten.get(key);
    if (value == null) {
      value = open ? batch.find(key) : storage.get(key);
    }
    return value;
  }

  @Override
  public void scan(byte[] from, byte[] to, Visitor visitor) {
    if (rewritten.isEmpty() || rewritten.subMap(from, to).isEmpty()) {
      storage.scan(from, to, visitor);
    } else {
      visit(merged(from, to), visitor);
    }
  }

  @Override
  public void scanDown(byte[] from, byte[] to, Visitor visitor) {
    if (rewritten.isEmpty() || rewritten.subMap(from, to).isEmpty()) {
      storage.scanDown(from, to, visitor);
    } else {
      visit(merged(from, to).descendingMap(), visitor);
    }
  }

  /// All of the range: for ranges that are small.
  private NavigableMap<byte[], byte[]> merged(byte[] from, byte[] to) {
    var all = new TreeMap<byte[], byte[]>(Arrays::compareUnsigned);
    storage.scan(
        from,
        to,
        (key, value) -> {
          all.put(key, value);
          return true;
        });
    rewritten
        .subMap(from, to)
        .forEach((key, value) -> {
          if (value == null) {
            all.remove(key);
          } else {
            all.put(key, value);
          }
        });
    return all;
  }

  private static void visit(NavigableMap<byte[], byte[]> all, Visitor visitor) {
    for (var pair : all.entrySet()) {
      if (!visitor.visit(pair.getKey(), pair.getValue())) {
        return;
      }
    }
  }

  /// Notes what other shards are to do; returns it.
  List<Command> owe(List<Command> more) {
    duties.addAll(more);
    return more;
  }

  /// The commit is to write the chat down.
  void snapshot(ChatState chat) {
    if (!chat.snapshotDue) {
      chat.snapshotDue = true;
      pendingBytes += MEMBER_BYTES * chat.weight();
    }
  }

  void clear() {
    pendingBytes = 0;
    batch.clear();
    erasures.clear();
    duties.clear();
    rewritten.clear();
    sync = false;
  }
}
