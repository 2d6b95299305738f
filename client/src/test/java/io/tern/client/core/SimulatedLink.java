package io.tern.client.core;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.client.FakeSession;
import org.jspecify.annotations.Nullable;

/// A connection: two pipes that keep order, split at will, and may break.
final class SimulatedLink {

  private final Simulation simulation;
  private final SimulatedDevice device;
  private @Nullable FakeSession session;
  private boolean broken;
  private boolean halfOpen;
  private long serverAt;
  private long clientAt;
  private final ByteBuf clientIn = Unpooled.buffer();

  SimulatedLink(Simulation simulation, SimulatedDevice device) {
    this.simulation = simulation;
    this.device = device;
  }

  void open() {
    simulation.links.add(this);
    session = simulation.server.open(this::toClient, this::closeByServer);
  }

  void toServer(byte[] bytes) {
    split(
        bytes,
        piece -> {
          serverAt = Math.max(serverAt, simulation.now) + simulation.random.nextInt(8);
          simulation.at(
              serverAt,
              () -> {
                if (!broken && session != null) {
                  session.onBytes(piece);
                }
              });
        });
  }

  private void toClient(byte[] bytes) {
    split(
        bytes,
        piece -> {
          clientAt = Math.max(clientAt, simulation.now) + simulation.random.nextInt(8);
          simulation.at(clientAt, () -> arrive(piece));
        });
  }

  private void arrive(byte[] piece) {
    if (broken || device.link != this || device.core == null) {
      return;
    }
    clientIn.writeBytes(piece);
    device.core.onBytes(simulation.now, clientIn);
    clientIn.discardReadBytes();
    if (device.core != null && simulation.random.nextInt(4) != 0) {
      device.core.endPass(simulation.now);
    } else {
      // Several reads make a pass.
      simulation.at(
          simulation.now,
          () -> {
            if (device.core != null) {
              device.core.endPass(simulation.now);
            }
          });
    }
  }

  private void split(byte[] bytes, java.util.function.Consumer<byte[]> piece) {
    int from = 0;
    while (from < bytes.length) {
      int most = bytes.length - from;
      int n = simulation.random.nextInt(3) == 0 ? 1 + simulation.random.nextInt(most) : most;
      piece.accept(java.util.Arrays.copyOfRange(bytes, from, from + n));
      from += n;
    }
  }

  void cut() {
    if (broken) {
      return;
    }
    broken = true;
    halfOpen = simulation.random.nextDouble() < simulation.world.halfOpen();
    simulation.links.remove(this);
    simulation.at(
        simulation.now + simulation.random.nextInt(2_000),
        () -> {
          if (session != null) {
            session.onClosed();
          }
        });
    if (!halfOpen) {
      simulation.at(simulation.now + simulation.random.nextInt(500), this::tellClient);
    }
  }

  private void tellClient() {
    if (device.link == this && device.core != null) {
      device.link = null;
      device.core.onDisconnected(simulation.now, "connection reset");
      if (device.core != null) {
        device.core.endPass(simulation.now);
      }
    }
  }

  void closeByClient() {
    if (!broken) {
      // Behind the bytes on their way.
      simulation.at(
          serverAt + 1,
          () -> {
            broken = true;
            simulation.links.remove(this);
            if (session != null) {
              session.onClosed();
            }
          });
    }
  }

  private void closeByServer() {
    simulation.at(
        Math.max(clientAt, simulation.now) + 1,
        () -> {
          broken = true;
          simulation.links.remove(this);
          tellClient();
        });
  }
}
