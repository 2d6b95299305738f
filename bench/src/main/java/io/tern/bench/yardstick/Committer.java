package io.tern.bench.yardstick;

import io.netty.channel.EventLoop;
import io.tern.protocol.v1.Sent;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;

/// The one thread that writes. Takes what has gathered, makes it durable with one synced write, and
/// hands it back to the event loop, which answers with one flush a connection.
///
/// Bounded by the clients: what waits is what they have in flight.
final class Committer implements AutoCloseable {

  // As Tern's ring batches.
  private static final int BATCH_MAX = 1024;

  private final EventLoop loop;
  private final BareLog log;
  private final Queue<Arrival> arrivals = new ConcurrentLinkedQueue<>();
  private final Thread thread = new Thread(this::run, "committer");
  private volatile boolean parked;
  private volatile boolean closed;

  Committer(EventLoop loop, BareLog log) {
    this.loop = loop;
    this.log = log;
  }

  void start() {
    thread.start();
  }

  /// Returns when the thread has ended; what it has not taken by then stays unanswered.
  @Override
  public void close() throws InterruptedException {
    closed = true;
    LockSupport.unpark(thread);
    thread.join();
  }

  /// Event loop only.
  void add(Arrival arrival) {
    arrivals.add(arrival);
  }

  /// Starts the committer if it has nothing to do. Event loop only, after a round of [#add].
  void wake() {
    if (parked) {
      LockSupport.unpark(thread);
    }
  }

  private void run() {
    while (!closed) {
      List<Arrival> batch = gather();
      if (batch.isEmpty()) {
        continue;
      }
      for (Arrival arrival : batch) {
        arrival.seq = ++arrival.from().seq;
        log.add(arrival.chat(), arrival.seq, arrival.body());
      }
      log.commit();
      byte[] body = Sent.newBuilder().setTsMs(System.currentTimeMillis()).build().toByteArray();
      loop.execute(() -> answer(batch, body));
    }
  }

  /// What is there; waits for something to be there, or for [#close].
  private List<Arrival> gather() {
    var batch = new ArrayList<Arrival>();
    while (true) {
      Arrival arrival = arrivals.poll();
      if (arrival != null) {
        batch.add(arrival);
        if (batch.size() == BATCH_MAX) {
          return batch;
        }
      } else if (!batch.isEmpty() || closed) {
        return batch;
      } else {
        parked = true;
        if (arrivals.isEmpty() && !closed) {
          LockSupport.park(this);
        }
        parked = false;
      }
    }
  }

  private static void answer(List<Arrival> batch, byte[] body) {
    var answered = new ArrayList<BareConnection>();
    for (Arrival arrival : batch) {
      if (arrival.from().answer(arrival, body)) {
        answered.add(arrival.from());
      }
    }
    for (BareConnection connection : answered) {
      connection.flush();
    }
  }
}
