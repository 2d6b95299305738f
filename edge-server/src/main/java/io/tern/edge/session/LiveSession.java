package io.tern.edge.session;

import io.tern.protocol.DeviceId;
import java.net.InetAddress;
import org.jspecify.annotations.Nullable;

/// A session as an operator sees it. Its text is without the address: that is for the operator's
/// eyes and not for logs.
///
/// @param session its number at this edge
/// @param door where it came in: `plain`, `tls` or `websocket`; empty when that is not known
/// @param peer the client's address, behind a proxy as that says; null when it is not known
/// @param active whether the app is in front, as far as the client has said
/// @param sinceMillis wall clock: since when it is connected
/// @param lastInputMillis wall clock: when something last came from the client
/// @param waitingBytes what waits to be taken by the client
public record LiveSession(
    DeviceId device,
    long session,
    String door,
    @Nullable InetAddress peer,
    boolean active,
    long sinceMillis,
    long lastInputMillis,
    long waitingBytes) {

  @Override
  public String toString() {
    return "session " + session + " of " + device;
  }
}
