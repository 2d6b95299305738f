package io.tern.tools.simulation;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.edge.session.CloseReason;
import io.tern.edge.session.SessionHost;
import io.tern.edge.session.SessionLogic;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import org.jspecify.annotations.Nullable;

/// One TCP connection: bytes arrive late, in order, in odd pieces, until it breaks. The server's
/// end carries a session, the client's end a device.
final class SimConnection implements SessionHost {

  /// The client's end.
  interface End {
    void onBytes(SimConnection from, byte[] bytes);

    void onConnectionLost(SimConnection which, String why);

    /// Whether the client closed it after all it had to say.
    boolean closedOrderly(SimConnection connection);
  }

  private static final int UNREAD_BYTES_MAX = 64 * 1024;

  private final World world;
  private final End device;
  private final SimServer.Life server;
  private final SessionLogic session;
  private final FrameHeader header = new FrameHeader();
  private final ByteBuf kept = Unpooled.buffer();

  private @Nullable ByteBuf out;
  private boolean passEnds;
  private boolean finishes;
  private boolean serverGone;
  private boolean clientGone;
  private long toServerAt;
  private long toClientAt;
  private int unread;

  SimConnection(World world, End device, SimServer.Life server) {
    this.world = world;
    this.device = device;
    this.server = server;
    session = server.accept(this);
  }

  // ---- the client's end

  void fromClient(byte[] bytes) {
    toServerAt = Math.max(toServerAt, world.micros() + world.some(50, 60_000));
    int cut = bytes.length > 1 && world.oneIn(4) ? 1 + world.random.nextInt(bytes.length - 1) : 0;
    world.in(
        toServerAt - world.micros(),
        () -> {
          if (cut > 0) {
            arrive(bytes, 0, cut);
          }
          arrive(bytes, cut, bytes.length);
        });
  }

  /// The client has closed; the server notices when what was sent has arrived.
  void clientClosed() {
    clientGone = true;
    toServerAt = Math.max(toServerAt, world.micros() + world.some(50, 60_000));
    world.in(toServerAt - world.micros(), this::serverNotices);
  }

  /// The network is gone: what is under way is lost, and each end notices in its own time.
  void cut() {
    if (clientGone || serverGone) {
      return;
    }
    clientGone = true;
    world.in(world.some(100, 2_000_000), () -> device.onConnectionLost(this, "cut"));
    // Sometimes the server takes long to notice, and meets the device's next session first.
    world.in(world.some(100, world.oneIn(3) ? 40_000_000 : 1_000_000), this::serverNotices);
  }

  private void arrive(byte[] bytes, int from, int to) {
    if (serverGone || !server.isAlive() || (clientGone && cutOff())) {
      return;
    }
    kept.writeBytes(bytes, from, to - from);
    offerKept();
    touch();
  }

  /// Bytes behind a cut never arrive; those before an orderly close do.
  private boolean cutOff() {
    return !device.closedOrderly(this);
  }

  private void serverNotices() {
    if (!serverGone) {
      serverGone = true;
      if (server.isAlive()) {
        server.remove(this, session);
      }
      release();
    }
  }

  void serverDied() {
    serverGone = true;
    release();
    world.in(world.some(100, 50_000), () -> device.onConnectionLost(this, "server died"));
  }

  private void release() {
    if (out != null) {
      out.release();
      out = null;
    }
  }

  // ---- the server's end

  private void offerKept() {
    if (!session.isHeld()) {
      session.onInput(kept, header, world.nanos());
      kept.discardReadBytes();
    }
  }

  @Override
  public void write(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {
    if (serverGone) {
      return;
    }
    if (out == null) {
      out = Unpooled.buffer();
    }
    FrameWriter.write(out, type, flags, rid, chat, seq, body);
    touch();
  }

  @Override
  public boolean isWritable() {
    return unread < UNREAD_BYTES_MAX;
  }

  @Override
  public void execute(Runnable task) {
    world.in(
        0,
        () -> {
          if (server.isAlive() && !serverGone) {
            task.run();
          }
        });
  }

  @Override
  public void wakeIn(long millis) {
    world.in(
        millis * 1_000,
        () -> {
          if (server.isAlive() && !serverGone) {
            session.onWake(world.nanos());
          }
        });
  }

  @Override
  public void onInputChanged() {
    touch();
  }

  @Override
  public void finish(CloseReason reason) {
    finishes = true;
    touch();
  }

  @Override
  public void abort() {
    finishes = true;
    touch();
  }

  private void touch() {
    if (!passEnds) {
      passEnds = true;
      world.in(world.some(1, 200), this::endOfPass);
    }
  }

  private void endOfPass() {
    passEnds = false;
    if (serverGone || !server.isAlive()) {
      return;
    }
    offerKept();
    ByteBuf frames = out;
    out = null;
    if (frames != null) {
      byte[] bytes = new byte[frames.readableBytes()];
      frames.readBytes(bytes).release();
      unread += bytes.length;
      toClientAt = Math.max(toClientAt, world.micros() + world.some(50, 60_000));
      world.in(toClientAt - world.micros(), () -> reachClient(bytes));
    }
    if (finishes) {
      finishes = false;
      toClientAt = Math.max(toClientAt, world.micros() + 50);
      world.in(toClientAt - world.micros() + 1, () -> device.onConnectionLost(this, "closed"));
      world.in(toClientAt - world.micros() + 100, this::serverNotices);
    }
  }

  private void reachClient(byte[] bytes) {
    boolean was = isWritable();
    unread -= bytes.length;
    if (!clientGone) {
      device.onBytes(this, bytes);
    }
    if (!was && isWritable() && !serverGone && server.isAlive()) {
      session.onWritable(world.nanos());
      touch();
    }
  }
}
