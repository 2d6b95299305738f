package io.tern.store.memory;

import io.tern.store.Batch;
import io.tern.store.KeyValues;
import io.tern.store.Storage;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.NavigableMap;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// [Storage] in memory with a disk that behaves like a real one: what was written without sync is
/// there to read, survives the process, and may be lost with the power. For simulation and tests;
/// it keeps everything in the heap and bounds nothing.
///
/// Any thread may read; one lock guards all. A snapshot costs nothing, unless there is a write
/// before it is closed, which then copies the map.
public final class MemoryStorage implements Storage {

  /// What puts one batch back.
  private record Undo(List<Change> changes) {}

  private record Change(byte[] key, byte @Nullable [] before) {}

  private NavigableMap<byte[], byte[]> map = new TreeMap<>(Arrays::compareUnsigned);
  private final Deque<Undo> unsynced = new ArrayDeque<>();
  private long mapNumber;
  private int snapshotsOfMap;
  private boolean broken;
  private boolean closed;
  private long syncs;

  // ---- the simulated disk ---------------------------------------------------------------------

  /// The power goes: of the batches not yet synced a prefix survives, as many as `choice` says.
  /// Returns how many were lost. The storage is then as a restarted process finds it, open and with
  /// a sound disk; snapshots from before must not be used.
  public synchronized int crash(RandomGenerator choice) {
    return crash(choice.nextInt(unsynced.size() + 1));
  }

  /// As [#crash(RandomGenerator)], keeping exactly `kept` of the unsynced batches (all, if fewer).
  public synchronized int crash(int kept) {
    int lost = 0;
    while (unsynced.size() > kept) {
      List<Change> changes = unsynced.removeLast().changes;
      unshare();
      for (int i = changes.size() - 1; i >= 0; i--) {
        Change change = changes.get(i);
        if (change.before == null) {
          map.remove(change.key);
        } else {
          map.put(change.key, change.before);
        }
      }
      lost++;
    }
    restart();
    return lost;
  }

  /// The process ends and starts again, the machine does not: everything written is still there.
  public synchronized void restart() {
    unsynced.clear();
    broken = false;
    closed = false;
  }

  /// From now on every write fails, as after an I/O error; whether the failing batch is on the disk
  /// is open until [#crash].
  public synchronized void breakDisk() {
    broken = true;
  }

  /// Batches that a power cut may take.
  public synchronized int unsyncedBatches() {
    return unsynced.size();
  }

  /// How often the disk was made to keep what it had.
  public synchronized long syncs() {
    return syncs;
  }

  // ---- Storage --------------------------------------------------------------------------------

  @Override
  public synchronized void write(Batch batch, boolean sync) {
    requireOpen();
    if (broken) {
      apply(batch.encoded());
      throw new LostDurability("simulated disk is broken", new IOException("simulated"));
    }
    apply(batch.encoded());
    if (sync) {
      unsynced.clear();
      syncs++;
    }
  }

  private void apply(byte[] encoded) {
    unshare();
    var changes = new ArrayList<Change>();
    Batch.decode(
        encoded,
        new Batch.Visitor() {
          @Override
          public void put(byte[] key, byte[] value) {
            changes.add(new Change(key, map.put(key, value)));
          }

          @Override
          public void delete(byte[] key) {
            changes.add(new Change(key, map.remove(key)));
          }

          @Override
          public void deleteRange(byte[] from, byte[] to) {
            if (Arrays.compareUnsigned(from, to) < 0) {
              NavigableMap<byte[], byte[]> range = map.subMap(from, true, to, false);
              range.forEach((key, value) -> changes.add(new Change(key, value)));
              range.clear();
            }
          }
        });
    unsynced.addLast(new Undo(changes));
  }

  private void unshare() {
    if (snapshotsOfMap > 0) {
      map = new TreeMap<>(map);
      mapNumber++;
      snapshotsOfMap = 0;
    }
  }

  @Override
  public synchronized byte @Nullable [] get(byte[] key) {
    requireOpen();
    return get(map, key);
  }

  @Override
  public synchronized void scan(byte[] from, byte[] to, Visitor visitor) {
    requireOpen();
    visit(map, from, to, false, visitor);
  }

  @Override
  public synchronized void scanDown(byte[] from, byte[] to, Visitor visitor) {
    requireOpen();
    visit(map, from, to, true, visitor);
  }

  /// Everything.
  @Override
  public KeyValues inMemory() {
    return this;
  }

  @Override
  public synchronized Snapshot snapshot() {
    requireOpen();
    NavigableMap<byte[], byte[]> frozen = map;
    snapshotsOfMap++;
    return new Snapshot() {
      private final long of = mapNumber;
      private boolean open = true;

      @Override
      public byte @Nullable [] get(byte[] key) {
        return MemoryStorage.get(frozen, key);
      }

      @Override
      public void scan(byte[] from, byte[] to, Visitor visitor) {
        visit(frozen, from, to, false, visitor);
      }

      @Override
      public void scanDown(byte[] from, byte[] to, Visitor visitor) {
        visit(frozen, from, to, true, visitor);
      }

      @Override
      public void close() {
        synchronized (MemoryStorage.this) {
          if (open && of == mapNumber) {
            snapshotsOfMap--;
          }
          open = false;
        }
      }
    };
  }

  @Override
  public synchronized void close() {
    closed = true;
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("storage is closed");
    }
  }

  private static byte @Nullable [] get(NavigableMap<byte[], byte[]> map, byte[] key) {
    byte[] value = map.get(key);
    return value == null ? null : value.clone();
  }

  private static void visit(
      NavigableMap<byte[], byte[]> map, byte[] from, byte[] to, boolean down, Visitor visitor) {
    if (Arrays.compareUnsigned(from, to) >= 0) {
      return;
    }
    NavigableMap<byte[], byte[]> range = map.subMap(from, true, to, false);
    for (var pair : (down ? range.descendingMap() : range).entrySet()) {
      if (!visitor.visit(pair.getKey().clone(), pair.getValue().clone())) {
        return;
      }
    }
  }
}
