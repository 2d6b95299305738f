package io.tern.edge.session;

import io.tern.edge.metrics.Counters;
import io.tern.protocol.FrameType;
import java.net.InetAddress;
import org.jspecify.annotations.Nullable;

/// What a session asks of the shell that carries it: a socket, a timer, a thread. Called on the
/// session's event loop, except where stated.
public interface SessionHost {

  /// Appends one frame to what goes out at the end of this event-loop pass. `body` is not changed
  /// and may be kept. Dropped when the connection is gone.
  void write(FrameType type, int flags, int rid, long chat, long seq, byte[] body);

  /// The way in that the session came by, for what is counted.
  default Counters.Door door() {
    return Counters.Door.TCP;
  }

  /// Whether less than the high-water mark waits for the socket. When that turns true again after
  /// false, the shell calls [SessionLogic#onWritable].
  boolean isWritable();

  /// What carries the session: the door it came in by, the client's address, what waits for the
  /// client to take it.
  record Link(String door, @Nullable InetAddress peer, long waitingBytes) {
    static final Link UNKNOWN = new Link("", null, 0);

    @Override
    public String toString() {
      return "link of " + door;
    }
  }

  /// For operators to see. A host without a socket knows nothing of it.
  default Link link() {
    return Link.UNKNOWN;
  }

  /// Runs `task` on the session's event loop, after the current call. Any thread; never blocks.
  void execute(Runnable task);

  /// Calls [SessionLogic#onWake] once, in about `millis`.
  void wakeIn(long millis);

  /// The answer of [SessionLogic#isHeld] or [SessionLogic#wantsInput] may have changed. The shell
  /// looks at the end of this pass and offers held bytes again; never from inside this call.
  void onInputChanged();

  /// Ends the connection: what was written goes out, then its output is closed, and what still
  /// comes in is thrown away until the client closes or [#abort]. Only [Disconnector] calls this.
  /// Where nothing is said, it closes at once.
  void finish(CloseReason reason);

  /// Closes the connection hard, now.
  void abort();
}
