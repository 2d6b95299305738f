package io.tern.router;

import io.tern.store.Command;
import io.tern.store.OutboxRecord;
import io.tern.store.Outcome;
import java.util.List;
import java.util.function.LongConsumer;

/// What happens after the commit, as a plain object: acknowledges to the sender, finds the
/// recipients, hands each edge its deliveries as one message, keeps news and the ack watch, and
/// settles outbox records. One per shard; confined to its dispatch handler; touches no state of the
/// shard.
///
/// A round is [#on] for each command of a committed batch, then [#endOfBatch].
///
/// It has an address on the [Bus], where it hears what became of the commands it sent to other
/// shards: whoever owns it registers it there.
public final class Dispatcher implements Deliveries {

  /// A dispatcher without anything under way.
  ///
  /// @param address this dispatcher's own, with an incarnation that differs after each start
  /// @param commands where other shards' halves (chat list entries) go
  /// @param settle told, on the dispatch thread, the number of each outbox record that is done
  public Dispatcher(
      EdgeId address,
      Directory directory,
      Bus bus,
      PushQueue pushQueue,
      Commands commands,
      DispatchConfig config,
      RouterMetrics metrics,
      LongConsumer settle) {
    throw new UnsupportedOperationException();
  }

  /// Answers from other shards. Any thread: they are kept until the next [#endOfBatch] or [#tick].
  @Override
  public void deliver(List<Delivery> answers) {
    throw new UnsupportedOperationException();
  }

  /// Takes up what a former life of the shard still owed. Before any round.
  public void recover(List<OutboxRecord> outbox, long nowMillis) {
    throw new UnsupportedOperationException();
  }

  /// Takes one outcome of a committed batch.
  public void on(Command command, Origin origin, Outcome outcome, long nowMillis) {
    throw new UnsupportedOperationException();
  }

  /// Closes a round: hands over what it gathered.
  ///
  /// @param n number of the committed batch, 0 when it wrote nothing
  public void endOfBatch(long n, long nowMillis) {
    throw new UnsupportedOperationException();
  }

  /// Looks after the ack watch and whatever could not be handed over; about once a second.
  public void tick(long nowMillis) {
    throw new UnsupportedOperationException();
  }
}
