package io.tern.client;

import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;

/// What a client needs to know. `token` is asked for at each HELLO that cannot resume, on the event
/// loop, and must not block.
///
/// @param edges addresses to try, in this order; the server may name others
/// @param device index of this device, as in the token
/// @param pendingSendsMax sends kept while there is no answer; one more is refused with QUOTA
public record ClientConfig(
    List<SocketAddress> edges,
    int device,
    Supplier<byte[]> token,
    ClientStore store,
    String app,
    Duration ping,
    int pendingSendsMax) {

  public ClientConfig {
    edges = List.copyOf(edges);
  }
}
