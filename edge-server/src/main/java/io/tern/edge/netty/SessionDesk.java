package io.tern.edge.netty;

import io.tern.accounts.Unavailable;
import io.tern.edge.session.CloseReason;
import io.tern.edge.session.EdgeContext;
import io.tern.edge.session.LiveSession;
import io.tern.edge.session.SessionLogic;
import io.tern.edge.session.SessionTable;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.router.Attachment;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/// The sessions of one user at this edge, for operators: looks at them, and ends them. Any thread
/// that may block; each session is touched on its own event loop.
///
/// @see EdgeNetwork#sessions
public final class SessionDesk {

  /// How long an event loop may take to answer.
  private static final Duration PATIENCE = Duration.ofSeconds(5);

  private final EdgeContext edge;
  private final EdgeLoop[] loops;

  SessionDesk(EdgeContext edge, EdgeLoop[] loops) {
    this.edge = edge;
    this.loops = loops;
  }

  /// In the order of the devices.
  ///
  /// @throws Unavailable when an event loop does not answer
  public List<LiveSession> of(UserId user) throws InterruptedException {
    long wall = edge.wallMillis().getAsLong();
    List<LiveSession> found = onSessions(user, 0, (session, now) -> session.look(now, wall));
    return found.stream().sorted(Comparator.comparingInt(one -> one.device().index())).toList();
  }

  /// Ends the session of a device, or of each; the client is told when to come back. Returns how
  /// many there were.
  ///
  /// @param device 0 = all
  /// @throws Unavailable when an event loop does not answer; then some may have ended
  public int end(UserId user, int device) throws InterruptedException {
    return onSessions(
            user,
            device,
            (session, now) -> {
              session.disconnect(CloseReason.OPERATOR, "", now);
              return session;
            })
        .size();
  }

  private <T> List<T> onSessions(
      UserId user, int device, BiFunction<SessionLogic, Long, @Nullable T> task)
      throws InterruptedException {
    var asked = new ArrayList<CompletableFuture<@Nullable T>>();
    for (Attachment route : edge.directory().lookup(List.of(user)).getFirst().sessions()) {
      boolean isMeant = device == 0 || route.device().index() == device;
      int loop = SessionTable.loopOf(route.session());
      if (isMeant && route.edge().equals(edge.edge()) && loop < loops.length) {
        asked.add(onSession(loops[loop], route, task));
      }
    }
    var results = new ArrayList<T>();
    long deadline = System.nanoTime() + PATIENCE.toNanos();
    for (CompletableFuture<@Nullable T> one : asked) {
      try {
        T result = one.get(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
        if (result != null) {
          results.add(result);
        }
      } catch (TimeoutException | ExecutionException e) {
        throw new Unavailable(ErrorCode.BUSY, 1_000, "an event loop does not answer");
      }
    }
    return results;
  }

  private <T> CompletableFuture<@Nullable T> onSession(
      EdgeLoop loop, Attachment route, BiFunction<SessionLogic, Long, @Nullable T> task) {
    try {
      return CompletableFuture.supplyAsync(
          () -> {
            SessionLogic session = loop.sessions().find(route.session());
            return session == null || !Objects.equals(session.device(), route.device())
                ? null
                : task.apply(session, edge.nanoTime().getAsLong());
          },
          loop.eventLoop());
    } catch (RejectedExecutionException e) {
      // The loop has shut down, and its sessions with it.
      return CompletableFuture.completedFuture(null);
    }
  }
}
