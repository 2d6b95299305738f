package io.tern.tools.simulation;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ClientStore;
import io.tern.client.core.ClientCore;
import io.tern.client.core.ClientIo;
import io.tern.protocol.DeviceId;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// One life of a device's app: the real SDK logic, on the time and the connections of the
/// simulation. Whose app it is says how well it connects, and hears what the SDK tells.
abstract class SimApp implements ClientIo, ClientListener {

  private static final SocketAddress SERVER = InetSocketAddress.createUnresolved("server", 1);

  final ClientCore core;
  private final World world;
  private final SimServer server;
  private final SimConnection.End device;
  private final ByteBuf in = Unpooled.buffer();
  private @Nullable SimConnection connection;
  private boolean dead;
  private int attempt;
  private long timerAt = Long.MAX_VALUE;

  /// @param device the end of the connections, which passes on to the app what comes
  /// @param store what the device keeps from life to life
  SimApp(
      World world,
      SimServer server,
      SimConnection.End device,
      DeviceId id,
      ClientStore store,
      Duration ping) {
    this.world = world;
    this.server = server;
    this.device = device;
    var config =
        ClientConfig.of(id.user(), id.index(), List.of(SERVER), () -> SimServer.token(id), store)
            .withPing(ping);
    core = new ClientCore(config, this, this, world.random);
  }

  // ---- how well it connects

  abstract long connectMicros();

  /// Without a network nothing comes of an attempt, not even a failure.
  abstract boolean hasNetwork();

  /// Whether an attempt fails although there is a server.
  abstract boolean fails();

  /// What the network does with the connection of an app that is killed.
  abstract void abandon(SimConnection left);

  /// The app is about to close its connection.
  abstract void closing(SimConnection closed);

  // ---- its life

  void start() {
    core.start(world.millis());
    endPass();
  }

  void die() {
    dead = true;
    if (connection != null) {
      abandon(connection);
      connection = null;
    }
  }

  /// Its network is gone.
  void cut() {
    if (connection != null) {
      connection.cut();
    }
  }

  void onBytes(SimConnection from, byte[] bytes) {
    if (connection == from) {
      in.writeBytes(bytes);
      core.onBytes(world.millis(), in);
      in.discardReadBytes();
      endPass();
    }
  }

  void onConnectionLost(SimConnection which, String why) {
    if (connection == which) {
      connection = null;
      core.onDisconnected(world.millis(), why);
      endPass();
    }
  }

  void endPass() {
    if (dead) {
      return;
    }
    core.endPass(world.millis());
    long deadline = core.deadlineMillis();
    if (deadline < timerAt) {
      timerAt = deadline;
      world.in((deadline - world.millis()) * 1_000, () -> onTimer(deadline));
    }
  }

  private void onTimer(long planned) {
    if (dead || timerAt != planned) {
      return;
    }
    timerAt = Long.MAX_VALUE;
    // The core may have moved its deadline; a call too early does nothing.
    core.onTimer(world.millis());
    endPass();
  }

  // ---- what the SDK wants

  @Override
  public void connect(SocketAddress address) {
    int mine = ++attempt;
    world.in(
        connectMicros(),
        () -> {
          if (dead || attempt != mine || !hasNetwork()) {
            return;
          }
          SimServer.Life life = server.life();
          if (life == null || fails()) {
            core.onDisconnected(world.millis(), "refused");
          } else {
            in.clear();
            connection = new SimConnection(world, device, life);
            core.onConnected(world.millis());
          }
          endPass();
        });
  }

  @Override
  public ByteBuf allocate() {
    return Unpooled.buffer();
  }

  @Override
  public void write(ByteBuf frames) {
    byte[] bytes = new byte[frames.readableBytes()];
    frames.readBytes(bytes).release();
    if (connection != null) {
      connection.fromClient(bytes);
    }
  }

  @Override
  public void disconnect() {
    attempt++;
    if (connection != null) {
      closing(connection);
      connection.clientClosed();
      connection = null;
    }
  }

  @Override
  public void onState(ConnectionState state) {}
}
