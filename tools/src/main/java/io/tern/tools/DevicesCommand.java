package io.tern.tools;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `tern devices`: the devices of a user.
@Command(name = "devices", description = "List your devices, or remove one.")
final class DevicesCommand extends ClientCommand {

  @Option(
      names = "--remove",
      paramLabel = "N",
      description = "This device is yours no more: it is logged out and cannot come back.")
  private @Nullable Integer remove;

  @Override
  void run(Session session) {
    if (remove != null) {
      session.await(session.tern().removeDevice(remove));
    }
    for (var device : session.await(session.tern().devices())) {
      session.print(
          Json.object()
              .put("device", device.getDevice())
              .put("created", EntryView.time(device.getCreatedMs()))
              .put(
                  "last_seen",
                  device.getLastSeenMs() > 0 ? EntryView.time(device.getLastSeenMs()) : null)
              .put("online", device.getOnline())
              .put("current", device.getCurrent()),
          device.getDevice()
              + "\t"
              + (device.getOnline()
                  ? "online"
                  : device.getLastSeenMs() > 0
                      ? "last seen " + EntryView.time(device.getLastSeenMs())
                      : "")
              + (device.getCurrent() ? "\tthis one" : ""));
    }
  }
}
