package io.tern.edge.admin;

import io.tern.router.Router;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import java.util.function.IntSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Finds out whether this server can keep what it promises: makes every shard commit a synced batch
/// through its ring and waits for it. Any thread that may wait; callers at the same time share one
/// probe.
public final class HealthCheck {

  /// What was found: `body` is JSON.
  public record Report(boolean healthy, String body) {}

  private final Supplier<CompletableFuture<Void>> probe;
  private final Supplier<List<Router.Health>> shards;
  private final BooleanSupplier diskHasRoom;
  private final BooleanSupplier draining;
  private final IntSupplier connections;
  private final Duration timeout;
  private final AtomicReference<@Nullable CompletableFuture<Void>> underWay =
      new AtomicReference<>();

  /// @param probe starts a synced commit on every shard
  /// @param draining whether the server is about to end
  public HealthCheck(
      Supplier<CompletableFuture<Void>> probe,
      Supplier<List<Router.Health>> shards,
      BooleanSupplier diskHasRoom,
      BooleanSupplier draining,
      IntSupplier connections,
      Duration timeout) {
    this.probe = probe;
    this.shards = shards;
    this.diskHasRoom = diskHasRoom;
    this.draining = draining;
    this.connections = connections;
    this.timeout = timeout;
  }

  /// Looks now; takes at most the time-out.
  public Report check() {
    var problems = new ArrayList<String>();
    if (draining.getAsBoolean()) {
      problems.add("shutting down");
    }
    long began = System.nanoTime();
    String probed = probe();
    if (!probed.isEmpty()) {
      problems.add(probed);
    }
    long probeMicros = (System.nanoTime() - began) / 1000;
    boolean room = diskHasRoom.getAsBoolean();
    if (!room) {
      problems.add("the disk has less room than the reserve: new messages are refused");
    }
    var json = new StringBuilder(512);
    json.append("{\"status\":\"").append(problems.isEmpty() ? "ok" : "failing").append('"');
    json.append(",\"problems\":[");
    for (int i = 0; i < problems.size(); i++) {
      json.append(i == 0 ? "" : ",").append(quoted(problems.get(i)));
    }
    json.append("],\"probe_ms\":").append(probeMicros / 1000).append('.');
    json.append(String.format("%03d", probeMicros % 1000));
    json.append(",\"disk_has_room\":").append(room);
    json.append(",\"connections\":").append(connections.getAsInt());
    json.append(",\"shards\":[");
    String comma = "";
    for (Router.Health shard : shards.get()) {
      json.append(comma)
          .append("{\"shard\":")
          .append(shard.shard())
          .append(",\"ring_depth\":")
          .append(shard.ringDepth())
          .append(",\"ring_bytes\":")
          .append(shard.ringBytes())
          .append(",\"idle\":")
          .append(shard.idle())
          .append(",\"since_commit_ms\":")
          .append(shard.sinceCommitMillis())
          .append(",\"failed\":")
          .append(shard.failed())
          .append('}');
      comma = ",";
    }
    json.append("]}\n");
    return new Report(problems.isEmpty(), json.toString());
  }

  /// What is wrong with the log; empty when nothing is.
  private String probe() {
    try {
      shared().get(timeout.toMillis(), TimeUnit.MILLISECONDS);
      return "";
    } catch (TimeoutException e) {
      return "no commit within " + timeout.toMillis() + " ms";
    } catch (ExecutionException e) {
      Throwable cause = e.getCause();
      return "no commit: " + (cause == null ? e : cause).getMessage();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return "interrupted";
    }
  }

  private CompletableFuture<Void> shared() {
    CompletableFuture<Void> running = underWay.get();
    if (running != null && !running.isDone()) {
      return running;
    }
    CompletableFuture<Void> fresh = probe.get();
    return underWay.compareAndSet(running, fresh)
        ? fresh
        : java.util.Objects.requireNonNullElse(underWay.get(), fresh);
  }

  private static String quoted(String text) {
    var quoted = new StringBuilder("\"");
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') {
        quoted.append('\\').append(c);
      } else if (c < 0x20) {
        quoted.append(String.format("\\u%04x", (int) c));
      } else {
        quoted.append(c);
      }
    }
    return quoted.append('"').toString();
  }
}
