package io.tern.client.core;

import io.netty.buffer.ByteBuf;
import io.tern.client.ClientStore;
import io.tern.protocol.FrameType;
import org.jspecify.annotations.Nullable;

/// What one pass wants to write, in one buffer. Before it leaves, the store makes safe what it
/// tells the server.
final class Output {

  private final ClientIo io;
  private final ClientStore store;
  private @Nullable ByteBuf frames;
  private boolean hasNewSend;
  private boolean hasAck;

  Output(ClientIo io, ClientStore store) {
    this.io = io;
    this.store = store;
  }

  boolean isEmpty() {
    return frames == null;
  }

  /// The buffer to write frames to; it stays ours.
  ByteBuf buffer() {
    ByteBuf open = frames;
    if (open == null) {
      open = io.allocate();
      frames = open;
    }
    return open;
  }

  /// A frame about nothing but the session.
  void write(FrameType type, byte[] body) {
    ByteBuf open = buffer();
    FrameOut.header(open, type, 0, 0, 0, 0, body.length);
    open.writeBytes(body);
  }

  /// There is a send among the frames that goes out for the first time.
  void noteNewSend() {
    hasNewSend = true;
  }

  void noteAck() {
    hasAck = true;
  }

  /// Lets it go. Returns whether there was anything.
  boolean flush() {
    ByteBuf ready = frames;
    if (ready == null) {
      return false;
    }
    if (hasNewSend || hasAck) {
      store.sync(hasNewSend);
      hasNewSend = false;
      hasAck = false;
    }
    frames = null;
    io.write(ready);
    return true;
  }

  /// The connection is gone.
  void discard() {
    if (frames != null) {
      frames.release();
      frames = null;
    }
    hasNewSend = false;
    hasAck = false;
  }
}
