package io.tern.client;

import io.tern.client.netty.NettyLink;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/// What a client hands out for an answer that its event loop brings. Thread-safe.
///
/// Who waits for it on that loop would wait for ever, and every client of the loop with them: that
/// throws instead. The same holds for what [#thenApply] and its like make of it.
final class Answer<T> extends CompletableFuture<T> {

  private final NettyLink link;

  Answer(NettyLink link) {
    this.link = link;
  }

  @Override
  public <U> CompletableFuture<U> newIncompleteFuture() {
    return new Answer<>(link);
  }

  @Override
  public T join() {
    checkMayWait();
    return super.join();
  }

  @Override
  public T get() throws InterruptedException, ExecutionException {
    checkMayWait();
    return super.get();
  }

  @Override
  public T get(long timeout, TimeUnit unit)
      throws InterruptedException, ExecutionException, TimeoutException {
    checkMayWait();
    return super.get(timeout, unit);
  }

  private void checkMayWait() {
    if (!isDone() && link.isOnLoop()) {
      throw new IllegalStateException(
          "waiting for an answer on the client's event loop, which brings it: use thenApply,"
              + " thenCompose… or another thread");
    }
  }
}
