package io.tern.edge.netty;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.tern.edge.config.ProxyConfig;
import io.tern.edge.config.WebSocketConfig;
import io.tern.edge.session.CloseReason;
import java.util.Locale;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// A way in: what a listener expects before frames, and how a connection of it ends. Immutable,
/// shared by all connections of its listener.
///
/// @param listener which kind of listener it is
/// @param tls gives the context for the next connection; null for none
/// @param webSocket null when frames come without WebSocket
/// @param proxies who must send a PROXY header first; null when nobody does
record Door(
    ProxyConfig.Listener listener,
    @Nullable Supplier<SslContext> tls,
    @Nullable WebSocketConfig webSocket,
    @Nullable ProxyConfig proxies) {

  /// Plain TCP with no one in between.
  static final Door PLAIN = new Door(ProxyConfig.Listener.PLAIN, null, null, null);

  /// Close code of WebSocket for a connection that ends without a fault.
  static final int NORMAL = 1000;

  /// What is added to a code of Tern to make a close code of WebSocket: its private range.
  static final int TERN_CODES = 4000;

  /// Whether frames come from the first byte on.
  boolean isOpen() {
    return tls == null && webSocket == null && proxies == null;
  }

  /// As operators call it.
  static String word(ProxyConfig.Listener listener) {
    return listener.name().toLowerCase(Locale.ROOT);
  }

  /// What a WebSocket client is told besides the farewell.
  static int closeCode(CloseReason reason) {
    var code = reason.code();
    return code == null ? NORMAL : TERN_CODES + code.number();
  }

  /// Writes `last` (ownership passes to the channel) and ends this side of the connection. The
  /// client sees the end of the stream behind the farewell. What it still sends is read and
  /// dropped: closing over unread bytes would reset the connection and lose the farewell.
  void end(Channel channel, ByteBuf last, CloseReason reason) {
    if (webSocket != null) {
      channel.write(last);
      channel
          .writeAndFlush(new WebSocketFraming.Close(closeCode(reason)))
          .addListener((ChannelFutureListener) written -> endStream(channel));
    } else {
      channel
          .writeAndFlush(last)
          .addListener((ChannelFutureListener) written -> endStream(channel));
    }
  }

  private void endStream(Channel channel) {
    if (tls == null) {
      shutdownOutput(channel);
      return;
    }
    SslHandler handler = channel.pipeline().get(SslHandler.class);
    if (handler == null) {
      shutdownOutput(channel);
    } else {
      handler
          .closeOutbound()
          .addListener((ChannelFutureListener) written -> shutdownOutput(channel));
    }
  }

  private static void shutdownOutput(Channel channel) {
    if (channel instanceof DuplexChannel duplex) {
      duplex.shutdownOutput();
    } else {
      channel.close();
    }
  }
}
