package io.tern.client.core;

import static io.tern.client.core.Simulation.text;

import io.tern.client.FakeFaults;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.Hello;
import org.jspecify.annotations.Nullable;

/// What goes wrong in the server of a [Simulation], as often as its world says.
final class SimulatedFaults implements FakeFaults {

  private final Simulation simulation;

  SimulatedFaults(Simulation simulation) {
    this.simulation = simulation;
  }

  @Override
  public @Nullable Error refuseSend(Content content) {
    if (text(content).endsWith("refuse")) {
      return error(simulation.random.nextBoolean() ? 403 : 499);
    }
    return simulation.random.nextDouble() < simulation.world.refuseSend() ? error(later()) : null;
  }

  @Override
  public @Nullable Error forgetSent(Content content) {
    return simulation.random.nextDouble() < simulation.world.forgetSent() ? error(later()) : null;
  }

  @Override
  public @Nullable Error forgetChange() {
    return simulation.random.nextDouble() < simulation.world.forgetChange() ? error(later()) : null;
  }

  @Override
  public boolean dropBacklog() {
    return simulation.random.nextDouble() < simulation.world.dropBacklog();
  }

  private int later() {
    int[] codes = {300, 301, 302, 303, 377, 300, 301, 302, 303, 377, 500, 555};
    return codes[simulation.random.nextInt(codes.length)];
  }

  private Error error(int code) {
    Error.Builder error = Error.newBuilder().setCode(code);
    if (simulation.random.nextBoolean()) {
      error.setRetryMs(1 + simulation.random.nextInt(2_000));
    }
    return error.build();
  }

  @Override
  public boolean loseDelivery(DeviceId id, ChatId chat) {
    return simulation.random.nextDouble() < simulation.world.loseDelivery();
  }

  @Override
  public boolean repeatDelivery() {
    return simulation.random.nextDouble() < simulation.world.repeatDelivery();
  }

  @Override
  public @Nullable Error refuseQuestion() {
    return simulation.random.nextDouble() < simulation.world.refuseQuestion()
        ? error(later())
        : null;
  }

  @Override
  public @Nullable Error refuseHello(Hello hello) {
    if (simulation.random.nextDouble() >= simulation.world.refuseHello()) {
      return null;
    }
    int[] codes = {300, 303, 377, 500};
    return hello.getResume().isEmpty() || simulation.random.nextBoolean()
        ? error(codes[simulation.random.nextInt(codes.length)])
        : error(205);
  }

  @Override
  public boolean loseMark() {
    return simulation.random.nextDouble() < simulation.world.loseMark();
  }
}
