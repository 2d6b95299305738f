package io.tern.edge.http;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Flags;
import io.netty.handler.codec.http2.Http2FrameListener;
import io.netty.handler.codec.http2.Http2FrameListenerDecorator;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;

/// Tells of every frame of an HTTP/2 connection that has been read whole, before Armeria hears of
/// it. The frames of a request's head follow each other without others between them, and count as
/// one here: so at each of these moments no head is half read.
///
/// A stream's own frames that come after its end are not told of: Netty passes them over.
///
/// Confined to the connection's event loop.
final class WholeFrames extends Http2FrameListenerDecorator {

  private final Runnable onWhole;

  private WholeFrames(Http2FrameListener listener, Runnable onWhole) {
    super(listener);
    this.onWhole = onWhole;
  }

  /// Listens from now on, if the connection speaks HTTP/2 by now.
  ///
  /// @return whether it does
  static boolean listen(ChannelPipeline pipeline, Runnable onWhole) {
    Http2ConnectionHandler http2 = pipeline.get(Http2ConnectionHandler.class);
    if (http2 == null) {
      return false;
    }
    var decoder = http2.decoder();
    decoder.frameListener(new WholeFrames(decoder.frameListener(), onWhole));
    return true;
  }

  @Override
  public int onDataRead(
      ChannelHandlerContext ctx, int stream, ByteBuf data, int padding, boolean last)
      throws Http2Exception {
    onWhole.run();
    return super.onDataRead(ctx, stream, data, padding, last);
  }

  @Override
  public void onHeadersRead(
      ChannelHandlerContext ctx, int stream, Http2Headers headers, int padding, boolean last)
      throws Http2Exception {
    onWhole.run();
    super.onHeadersRead(ctx, stream, headers, padding, last);
  }

  @Override
  public void onHeadersRead(
      ChannelHandlerContext ctx,
      int stream,
      Http2Headers headers,
      int dependency,
      short weight,
      boolean exclusive,
      int padding,
      boolean last)
      throws Http2Exception {
    onWhole.run();
    super.onHeadersRead(ctx, stream, headers, dependency, weight, exclusive, padding, last);
  }

  @Override
  public void onPriorityRead(
      ChannelHandlerContext ctx, int stream, int dependency, short weight, boolean exclusive)
      throws Http2Exception {
    onWhole.run();
    super.onPriorityRead(ctx, stream, dependency, weight, exclusive);
  }

  @Override
  public void onRstStreamRead(ChannelHandlerContext ctx, int stream, long error)
      throws Http2Exception {
    onWhole.run();
    super.onRstStreamRead(ctx, stream, error);
  }

  @Override
  public void onSettingsRead(ChannelHandlerContext ctx, Http2Settings settings)
      throws Http2Exception {
    onWhole.run();
    super.onSettingsRead(ctx, settings);
  }

  @Override
  public void onSettingsAckRead(ChannelHandlerContext ctx) throws Http2Exception {
    onWhole.run();
    super.onSettingsAckRead(ctx);
  }

  @Override
  public void onPingRead(ChannelHandlerContext ctx, long data) throws Http2Exception {
    onWhole.run();
    super.onPingRead(ctx, data);
  }

  @Override
  public void onPingAckRead(ChannelHandlerContext ctx, long data) throws Http2Exception {
    onWhole.run();
    super.onPingAckRead(ctx, data);
  }

  @Override
  public void onGoAwayRead(ChannelHandlerContext ctx, int lastStream, long error, ByteBuf debug)
      throws Http2Exception {
    onWhole.run();
    super.onGoAwayRead(ctx, lastStream, error, debug);
  }

  @Override
  public void onWindowUpdateRead(ChannelHandlerContext ctx, int stream, int increment)
      throws Http2Exception {
    onWhole.run();
    super.onWindowUpdateRead(ctx, stream, increment);
  }

  @Override
  public void onUnknownFrame(
      ChannelHandlerContext ctx, byte type, int stream, Http2Flags flags, ByteBuf payload)
      throws Http2Exception {
    onWhole.run();
    super.onUnknownFrame(ctx, type, stream, flags, payload);
  }
}
