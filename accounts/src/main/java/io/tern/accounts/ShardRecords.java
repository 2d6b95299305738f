package io.tern.accounts;

import io.tern.protocol.ErrorCode;
import io.tern.store.Command;
import io.tern.store.Outcome;
import io.tern.store.Reads;
import io.tern.store.RecordKey;
import java.time.InstantSource;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// [Records] in the shards: durable before a change returns.
public final class ShardRecords implements Records {

  private final Shards shards;
  private final InstantSource clock;

  /// @param clock the shards'
  public ShardRecords(Shards shards, InstantSource clock) {
    this.shards = shards;
    this.clock = clock;
  }

  @Override
  public @Nullable Versioned get(RecordKey key) {
    long now = clock.millis();
    // The holder: `read` answers no nulls.
    Versioned[] found =
        shards.read(snapshots -> {
          Reads.Recorded record = Reads.record(snapshots.of(key.slot()), key, now);
          return record == null
              ? new Versioned[0]
              : new Versioned[] {new Versioned(record.version(), record.value())};
        });
    return found.length == 0 ? null : found[0];
  }

  @Override
  public boolean put(RecordKey key, long expected, byte[] value, long expiresMillis) {
    return change(new Command.PutRecord(key, expected, value, expiresMillis));
  }

  @Override
  public boolean delete(RecordKey key, long expected) {
    return change(new Command.PutRecord(key, expected, null, 0));
  }

  @Override
  public List<RecordKey> keys(int slot, char kind, @Nullable RecordKey after, int keysMax) {
    long now = clock.millis();
    return shards.read(snapshots ->
        Reads.records(snapshots.of(slot), slot, kind, after, now, keysMax).stream()
            .map(Reads.Recorded::key)
            .toList());
  }

  private boolean change(Command.PutRecord command) {
    Outcome outcome = shards.execute(command);
    if (outcome instanceof Outcome.Recorded(boolean stored, long version)) {
      return stored;
    }
    if (outcome instanceof Outcome.Refused(ErrorCode code, long csn, String detail)
        && code.errorClass() == ErrorCode.ErrorClass.LATER) {
      throw new Unavailable(code, 1_000, detail);
    }
    throw new IllegalStateException(command.key() + " answered " + outcome);
  }
}
