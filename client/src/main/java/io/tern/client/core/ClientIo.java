package io.tern.client.core;

import io.netty.buffer.ByteBuf;
import io.tern.client.ClientListener.ConnectionState;
import java.net.SocketAddress;

/// What [ClientCore] does to the world. Called on the core's thread, from within the core's
/// methods; an implementation must not call back into the core.
public interface ClientIo {

  /// Opens a connection: [ClientCore#onConnected] or [ClientCore#onDisconnected] follows. There is
  /// at most one connection.
  void connect(SocketAddress address);

  /// A buffer for frames, growing as needed. Ownership passes to the core, which gives it back by
  /// [#write] or releases it.
  ByteBuf allocate();

  /// Sends these bytes now. Ownership passes to the implementation.
  void write(ByteBuf frames);

  /// Closes the connection, or gives up opening it, behind the bytes written so far. Nothing more
  /// comes from it, also no [ClientCore#onDisconnected].
  void disconnect();

  /// Told before the listener is.
  void onState(ConnectionState state);
}
