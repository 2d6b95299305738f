package io.tern.edge;

import io.tern.accounts.Shards;
import io.tern.accounts.Unavailable;
import io.tern.edge.session.KnownUsers;
import io.tern.protocol.ErrorCode;
import io.tern.router.Bus;
import io.tern.router.Commands;
import io.tern.router.Delivery;
import io.tern.router.EdgeId;
import io.tern.router.Origin;
import io.tern.router.Readers;
import io.tern.store.Command;
import io.tern.store.Outcome;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;

/// The shards as the user service needs them: commands through the rings, questions to the readers,
/// each waited for by the calling thread.
///
/// Any thread, virtual ones above all: waiting holds no lock. Bounds: as many commands and
/// questions are under way as there are callers (`http.requests-max`), each for at most
/// [#WAIT_SECONDS].
final class RouterShards implements Shards, AutoCloseable {

  private static final int WAIT_SECONDS = 10;
  private static final long RETRY_MILLIS = 1_000;

  private final Commands commands;
  private final Readers readers;
  private final Bus bus;
  private final KnownUsers knownUsers;

  /// Where answers come.
  private final EdgeId address;

  private final AtomicLong numbers = new AtomicLong();
  private final ConcurrentHashMap<Long, CompletableFuture<Outcome>> waiting =
      new ConcurrentHashMap<>();

  /// @param address its own, where answers come; not the edge's
  RouterShards(Commands commands, Readers readers, Bus bus, KnownUsers knownUsers, EdgeId address) {
    this.commands = commands;
    this.readers = readers;
    this.bus = bus;
    this.knownUsers = knownUsers;
    this.address = address;
    bus.register(address, this::deliver);
  }

  @Override
  public Outcome execute(Command command) {
    var answer = new CompletableFuture<Outcome>();
    long number = numbers.incrementAndGet();
    waiting.put(number, answer);
    try {
      if (!commands.submit(command, new Origin(address, number, 1))) {
        throw new Unavailable(ErrorCode.BUSY, RETRY_MILLIS, "ring full");
      }
      Outcome outcome = await(answer);
      if (outcome instanceof Outcome.UserErased erased) {
        knownUsers.remove(erased.user().value());
      }
      return outcome;
    } finally {
      waiting.remove(number);
    }
  }

  @Override
  public <T> T read(Function<Snapshots, T> question) {
    var answer = new CompletableFuture<T>();
    if (!readers.ask(
        shards -> question.apply(shards::of), answer::complete, answer::completeExceptionally)) {
      throw new Unavailable(ErrorCode.BUSY, RETRY_MILLIS, "readers full");
    }
    return await(answer);
  }

  private static <T> T await(CompletableFuture<T> answer) {
    try {
      return answer.get(WAIT_SECONDS, TimeUnit.SECONDS);
    } catch (TimeoutException e) {
      throw new Unavailable(ErrorCode.TIMEOUT, RETRY_MILLIS, "no answer from a shard");
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Unavailable(ErrorCode.TIMEOUT, RETRY_MILLIS, "interrupted");
    } catch (ExecutionException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    }
  }

  private void deliver(List<Delivery> deliveries) {
    for (int i = 0; i < deliveries.size(); i++) {
      if (deliveries.get(i) instanceof Delivery.Answer answer) {
        CompletableFuture<Outcome> waits = waiting.get(answer.to().session());
        if (waits != null) {
          waits.complete(answer.outcome());
        }
      }
    }
  }

  @Override
  public void close() {
    bus.unregister(address);
  }
}
