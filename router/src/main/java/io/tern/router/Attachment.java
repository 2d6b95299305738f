package io.tern.router;

import io.tern.protocol.DeviceId;

/// A device's route: the edge that holds its session.
///
/// @param session the edge's own number of the session
/// @param epoch rises with every session of the device; an older one never overwrites or removes a
///   newer one
public record Attachment(DeviceId device, EdgeId edge, long session, long epoch) {}
