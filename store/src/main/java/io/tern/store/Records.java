package io.tern.store;

import com.google.protobuf.ByteString;
import io.tern.protocol.ErrorCode;
import io.tern.store.Outcome.Refused;
import io.tern.store.v1.Record;
import java.util.function.BooleanSupplier;

/// Records of the user service: bytes with a version, put only on top of the version that was read.
/// Those that end are taken away by [Expiries]. Confined to its shard.
final class Records {

  private static final long VERSIONS_PER_BATCH = 1 << 20;

  private static final Refused TOO_LARGE = new Refused(ErrorCode.BODY_TOO_LARGE, "record");

  private final Round round;
  private final Expiries expiries;
  private final BooleanSupplier hasRoom;

  Records(Round round, Expiries expiries, BooleanSupplier hasRoom) {
    this.round = round;
    this.expiries = expiries;
    this.hasRoom = hasRoom;
  }

  /// @param batchNumber what the open batch will have, if it is written
  Outcome put(Command.PutRecord command, long batchNumber, long nowMillis) {
    byte[] value = command.value();
    if (value != null && value.length > Command.PutRecord.VALUE_BYTES_MAX) {
      return TOO_LARGE;
    }
    byte[] key = Keys.record(command.key());
    byte[] stored = round.get(key);
    Record before = stored == null ? null : Protos.parse(Record.parser(), stored);
    boolean ended =
        before != null && before.getExpiresMs() != 0 && before.getExpiresMs() <= nowMillis;
    long found = before == null || ended ? 0 : before.getVersion();
    if (found != command.expected()) {
      return new Outcome.Recorded(false, found);
    }
    if (value != null && !hasRoom.getAsBoolean()) {
      return Refusals.DISK_FULL;
    }
    if (before != null && before.getExpiresMs() != 0) {
      round.batch.delete(Keys.recordEnd(command.key(), before.getExpiresMs()));
    }
    round.sync = true;
    if (value == null) {
      if (before != null) {
        round.delete(key);
      }
      return new Outcome.Recorded(true, 0);
    }
    // Rises over deletions and restarts too: a batch has fewer records than that.
    long version = batchNumber * VERSIONS_PER_BATCH + round.batch.count() + 1;
    long expiresMillis = Math.max(0, command.expiresMillis());
    round.put(
        key,
        Record.newBuilder()
            .setVersion(version)
            .setExpiresMs(expiresMillis)
            .setValue(ByteString.copyFrom(value))
            .build()
            .toByteArray());
    if (expiresMillis > 0) {
      expiries.add(command.key(), expiresMillis);
    }
    return new Outcome.Recorded(true, version);
  }
}
