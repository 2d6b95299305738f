package io.tern.tools.simulation;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.Content;
import io.tern.tools.simulation.ReferenceModel.Room;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/// Devices of a [ModelRun] that come, go, sleep and are removed.
final class ModelDeviceActions {

  private static final int DEVICES_MAX = 3;

  private record Queued(ModelDevice device, ChatId chat, Content content) {}

  private final ModelRun run;
  private final ModelMessageActions messages;
  private final List<Queued> queued = new ArrayList<>();

  ModelDeviceActions(ModelRun run, ModelMessageActions messages) {
    this.run = run;
    this.messages = messages;
  }

  boolean addDevice(UserId user) {
    int index = run.model.person(user).devices.size() + 1;
    long there = run.devices.stream().filter(d -> d.id.user().equals(user) && !d.removed).count();
    if (there >= DEVICES_MAX) {
      return false;
    }
    run.model.person(user).devices.add(index);
    var device = new ModelDevice(run.world, run.server, new DeviceId(user, index));
    run.story.add(device.id + " is new");
    if (index > 1) {
      for (Room room : run.model.rooms.values()) {
        device.start(room.id, room.headFor(user.value()));
      }
    }
    run.devices.add(device);
    run.awaitUp();
    return true;
  }

  boolean removeDevice() {
    ModelDevice device = run.anyOnline();
    if (device == null) {
      return false;
    }
    for (ModelDevice other : run.devices) {
      if (other != device && other.id.user().equals(device.id.user()) && !other.removed) {
        run.noteDelivered();
        run.story.add(device.id + " removes " + other.id);
        var answer = new ModelAnswer();
        device
            .core()
            .changes()
            .removeDevice(other.id.index(), nothing -> answer.done(), answer::refused);
        device.endPass();
        run.await("DEVICE_REMOVE is answered", () -> answer.came);
        run.expect(answer.code, null);
        boolean wasOnline = other.isOnline();
        other.removed = true;
        queued.removeIf(each -> each.device == other);
        run.world.run(100_000);
        if (!wasOnline) {
          other.goOnline();
        }
        run.await("a removed device is refused: " + other.id, other::isRefused);
        return true;
      }
    }
    return false;
  }

  /// As the user service has it when a device comes in by a registration; that the others are put
  /// out is [#removeDevice].
  boolean registerAnew() {
    ModelDevice device = run.any(d -> !d.removed);
    if (device == null) {
      return false;
    }
    run.story.add(device.id + " registers anew");
    long at = run.world.wallMillis();
    run.server.registeredAnew(device.id, at);
    run.world.run(100_000);
    run.model.registeredAnew(device.id, at);
    return true;
  }

  boolean goOffline() {
    ModelDevice device = run.anyOnline();
    if (device == null) {
      return false;
    }
    run.noteDelivered();
    run.story.add(device.id + " goes offline");
    device.goOffline();
    return true;
  }

  boolean become(Predicate<ModelDevice> which, ClientActivity activity) {
    ModelDevice device = run.any(which);
    if (device == null) {
      return false;
    }
    run.story.add(device.id + " becomes " + activity);
    device.setActivity(activity);
    return true;
  }

  boolean sendOffline() {
    ModelDevice device = run.any(d -> !d.isOnline() && !d.removed);
    if (device == null) {
      return false;
    }
    ChatId chat =
        run.groups.isEmpty() || run.random.nextBoolean()
            ? ChatId.direct(device.id.user(), run.anyUser())
            : run.groups.get(run.random.nextInt(run.groups.size()));
    Content content = messages.text().build();
    run.story.add(device.id + " sends offline to " + chat);
    queued.add(new Queued(device, chat, content));
    return true;
  }

  boolean goOnline() {
    ModelDevice device = run.any(d -> !d.isOnline() && !d.removed);
    if (device == null) {
      return false;
    }
    run.story.add(device.id + " comes online");
    List<Queued> mine = queued.stream().filter(each -> each.device == device).toList();
    List<ModelAnswer> answers = new ArrayList<>();
    for (Queued each : mine) {
      var answer = new ModelAnswer();
      answers.add(answer);
      device.send(each.chat, each.content, answer.callback());
    }
    queued.removeAll(mine);
    device.goOnline();
    run.awaitUp();
    run.await("what was sent offline is answered", () -> answers.stream().allMatch(a -> a.came));
    for (int i = 0; i < mine.size(); i++) {
      messages.took(device, mine.get(i).chat, mine.get(i).content, answers.get(i));
    }
    return true;
  }

  boolean restart() {
    ModelDevice device = run.anyOnline();
    if (device == null) {
      return false;
    }
    run.noteDelivered();
    run.story.add(device.id + " restarts");
    device.restart();
    run.awaitUp();
    return true;
  }
}
