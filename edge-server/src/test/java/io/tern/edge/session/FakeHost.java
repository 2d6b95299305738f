package io.tern.edge.session;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.Error;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A session's shell in a test: a list of what the session writes, a socket that takes as much as
/// the test says, no timer. The test itself wakes the session and offers it its input. Confined to
/// one thread.
abstract class FakeHost implements SessionHost {

  /// A frame that was written.
  record Out(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {

    @SuppressWarnings("unchecked")
    <T extends MessageLite> T as(T prototype) {
      try {
        return (T) prototype.getParserForType().parseFrom(body);
      } catch (InvalidProtocolBufferException e) {
        throw new AssertionError(e);
      }
    }

    /// The code of an ERROR; null when it is none.
    @Nullable ErrorCode error() {
      return type == FrameType.ERROR
          ? ErrorCode.of(as(Error.getDefaultInstance()).getCode())
          : null;
    }
  }

  final List<Out> out = new ArrayList<>();
  boolean writable = true;

  @Override
  public void write(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {
    if (!type.isFromServer() || !type.acceptsFlags(flags)) {
      throw new AssertionError(type + " with flags " + flags);
    }
    out.add(new Out(type, flags, rid, chat, seq, body));
  }

  @Override
  public boolean isWritable() {
    return writable;
  }

  @Override
  public void wakeIn(long millis) {
    // The test wakes the session.
  }

  @Override
  public void onInputChanged() {
    // The test looks after each step.
  }

  @Override
  public void abort() {
    // Nothing holds the connection open here.
  }
}
