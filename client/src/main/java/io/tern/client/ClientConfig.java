package io.tern.client;

import io.tern.protocol.DeviceId;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ClientActivity;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// What a client needs to know. `token` is asked for at each HELLO that cannot resume, on the event
/// loop, and must not block.
///
/// @param user whose device this is, as in the token
/// @param device index of this device, as in the token
/// @param edges addresses to try, in this order; the server may name others
/// @param ping silence after which a PING goes out; from 210 s on the client tries longer ones, up
///   to 600 s
/// @param pendingSendsMax sends kept while there is no answer; one more is refused with QUOTA
/// @param pendingSendBytesMax bytes of these together; a send that goes over is refused with QUOTA.
///   What an earlier process has left is sent all the same, however much it is
/// @param tls whom to trust; null for plain TCP, which servers have on loopback only
/// @param activity whether a person is looking at the app when it starts
public record ClientConfig(
    UserId user,
    int device,
    List<SocketAddress> edges,
    Supplier<byte[]> token,
    ClientStore store,
    String app,
    Duration ping,
    int pendingSendsMax,
    int pendingSendBytesMax,
    @Nullable ClientTls tls,
    ClientActivity activity) {

  public static final Duration PING = Duration.ofMinutes(4);
  public static final int PENDING_SENDS_MAX = 10_000;
  public static final int PENDING_SEND_BYTES_MAX = 16 * 1024 * 1024;

  public ClientConfig {
    edges = List.copyOf(edges);
    if (edges.isEmpty()) {
      throw new IllegalArgumentException("edges: at least one address is needed");
    }
    if (!DeviceId.isValid(device)) {
      throw new IllegalArgumentException("device: 1 to " + Limits.DEVICE_INDEX_MAX);
    }
    if (app.getBytes(StandardCharsets.UTF_8).length > 64) {
      throw new IllegalArgumentException("app: at most 64 bytes");
    }
    if (ping.compareTo(Duration.ofSeconds(1)) < 0 || ping.compareTo(Duration.ofHours(1)) > 0) {
      throw new IllegalArgumentException("ping: 1 s to 1 h");
    }
    if (pendingSendsMax < 1) {
      throw new IllegalArgumentException("pendingSendsMax: at least 1");
    }
    if (pendingSendBytesMax < Limits.FRAME_BYTES_MAX) {
      throw new IllegalArgumentException(
          "pendingSendBytesMax: at least " + Limits.FRAME_BYTES_MAX + ", so that each send fits");
    }
  }

  /// With the defaults for everything that has one.
  public static ClientConfig of(
      UserId user,
      int device,
      List<SocketAddress> edges,
      Supplier<byte[]> token,
      ClientStore store) {
    return new ClientConfig(
        user,
        device,
        edges,
        token,
        store,
        "tern-java",
        PING,
        PENDING_SENDS_MAX,
        PENDING_SEND_BYTES_MAX,
        null,
        ClientActivity.CLIENT_ACTIVITY_ACTIVE);
  }

  public ClientConfig withApp(String name) {
    return new ClientConfig(
        user,
        device,
        edges,
        token,
        store,
        name,
        ping,
        pendingSendsMax,
        pendingSendBytesMax,
        tls,
        activity);
  }

  public ClientConfig withPing(Duration interval) {
    return new ClientConfig(
        user,
        device,
        edges,
        token,
        store,
        app,
        interval,
        pendingSendsMax,
        pendingSendBytesMax,
        tls,
        activity);
  }

  public ClientConfig withPendingSendsMax(int max) {
    return new ClientConfig(
        user, device, edges, token, store, app, ping, max, pendingSendBytesMax, tls, activity);
  }

  public ClientConfig withPendingSendBytesMax(int max) {
    return new ClientConfig(
        user, device, edges, token, store, app, ping, pendingSendsMax, max, tls, activity);
  }

  /// Every connection goes over TLS and to a server that `trusted` trusts.
  public ClientConfig withTls(ClientTls trusted) {
    return new ClientConfig(
        user,
        device,
        edges,
        token,
        store,
        app,
        ping,
        pendingSendsMax,
        pendingSendBytesMax,
        trusted,
        activity);
  }

  /// An app that a push starts is PASSIVE until somebody opens it ([TernClient#setActivity]): so
  /// its user is not online for others.
  public ClientConfig withActivity(ClientActivity atStart) {
    return new ClientConfig(
        user,
        device,
        edges,
        token,
        store,
        app,
        ping,
        pendingSendsMax,
        pendingSendBytesMax,
        tls,
        atStart);
  }
}
