package io.tern.tools.history;

import io.tern.protocol.DeviceId;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongSupplier;

/// What all devices of a run did and saw. Any thread may ask for recorders while a run is on; read
/// it when the run is over.
///
/// Costs 24 to 56 bytes an event, so ten million events take about 400 MB. Nothing bounds it but
/// the length of the run: histories are for tests and measured runs.
public final class History {

  /// Devices that can be told apart, recording or only named as senders.
  static final int DEVICES_MAX = 1 << 24;

  private final LongSupplier clock;
  private final ConcurrentHashMap<DeviceId, DeviceRecorder> byId = new ConcurrentHashMap<>();
  private final ArrayList<DeviceRecorder> byRef = new ArrayList<>();

  /// A history whose events are stamped by `clock`: it must not go back, and must rise between what
  /// causes and what is caused. Stamps decide "before" between devices.
  public History(LongSupplier clock) {
    this.clock = clock;
  }

  /// A history of devices in this process, stamped in nanoseconds.
  public static History inRealTime() {
    return new History(System::nanoTime);
  }

  /// The recorder of a device, the same one for all its lives.
  public DeviceRecorder device(DeviceId id) {
    var recorder = byId.get(id);
    return recorder != null ? recorder : byId.computeIfAbsent(id, this::register);
  }

  /// Every recorder, in order of creation; also those of devices that were only named as senders.
  public List<DeviceRecorder> devices() {
    synchronized (byRef) {
      return List.copyOf(byRef);
    }
  }

  private DeviceRecorder register(DeviceId id) {
    synchronized (byRef) {
      if (byRef.size() == DEVICES_MAX) {
        throw new IllegalStateException("more than " + DEVICES_MAX + " devices in one history");
      }
      var recorder = new DeviceRecorder(this, id, byRef.size(), clock);
      byRef.add(recorder);
      return recorder;
    }
  }
}
