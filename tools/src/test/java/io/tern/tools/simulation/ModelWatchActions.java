package io.tern.tools.simulation;

import io.tern.client.ClientListener;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.tools.simulation.ReferenceModel.Room;
import java.util.List;

/// Who of a [ModelRun] watches whom, and sees them type.
final class ModelWatchActions {

  private final ModelRun run;

  ModelWatchActions(ModelRun run) {
    this.run = run;
  }

  boolean watch() {
    ModelDevice device = run.anyOnline();
    if (device == null) {
      return false;
    }
    device.watchedUsers.clear();
    device.watchedGroups.clear();
    device.present.clear();
    for (UserId user : run.users) {
      if (!user.equals(device.id.user()) && run.random.nextBoolean()) {
        device.watchedUsers.add(user);
      }
    }
    for (ChatId group : run.groups) {
      if (run.random.nextBoolean()) {
        device.watchedGroups.add(group);
      }
    }
    run.story.add(device.id + " watches " + device.watchedUsers + " " + device.watchedGroups);
    device
        .core()
        .watching()
        .watch(
            device.millis(), List.copyOf(device.watchedUsers), List.copyOf(device.watchedGroups));
    device.endPass();
    run.world.run(50_000);
    return true;
  }

  boolean type() {
    ModelDevice device = run.anyOnline();
    Room room = device == null ? null : run.anyRoomOf(device.id.user());
    if (device == null || room == null || room.id.isSelf()) {
      return false;
    }
    run.awaitUp();
    // Who watches has heard of changes of privacy and has asked again.
    run.world.run(6_000_000);
    run.devices.forEach(d -> d.typing.clear());
    device.core().watching().typing(room.id, ClientListener.Typing.TEXT);
    device.endPass();
    run.world.run(50_000);
    long me = device.id.user().value();
    run.story.add(device.id + " types in " + room.id);
    for (ModelDevice other : run.devices) {
      if (other.id.user().equals(device.id.user())) {
        continue;
      }
      boolean watches =
          room.id.isGroup()
              ? other.watchedGroups.contains(room.id)
                  && room.in(other.id.user().value()) != null
                  && room.in(me) != null
              : other.watchedUsers.contains(device.id.user())
                  && room.parts.containsKey(other.id.user().value())
                  && run.model.mayTalk(me, other.id.user().value());
      run.expect(
          other.id + " is told of typing: " + other.typing,
          other.typing.isEmpty(),
          !(watches && other.isOnline() && device.isInFront()));
    }
    return true;
  }
}
