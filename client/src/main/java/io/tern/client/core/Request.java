package io.tern.client.core;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.client.TernException;
import io.tern.protocol.FrameType;
import java.util.function.BooleanSupplier;

/// A request that may be asked again: after a lost connection, and when the server says "later". It
/// has no effect, or one that a repeat does not double.
final class Request {

  /// Reads the answer. What it throws for a malformed body ends the connection.
  interface Reply {
    void onPage(ByteString body) throws InvalidProtocolBufferException;
  }

  interface Failure {
    void onRefused(TernException refusal);
  }

  static final BooleanSupplier NEVER_GIVEN_UP = () -> false;

  final FrameType type;
  final int flags;
  final long chat;
  final byte[] body;
  final Reply reply;
  final Failure failure;

  /// The header's SEQ; 0 for none.
  long seq;

  /// The app waits for an effect: "later" is not taken for an answer, however often it comes.
  boolean isUntilAnswered;

  /// Whoever asked does not wait any more: there is no need to ask again.
  BooleanSupplier isGivenUp = NEVER_GIVEN_UP;

  /// Names the latest write; 0 while it waits to be written.
  int rid;

  long writtenAtMillis;
  long notBeforeMillis;
  int refusals;

  Request(FrameType type, int flags, long chat, byte[] body, Reply reply, Failure failure) {
    this.type = type;
    this.flags = flags;
    this.chat = chat;
    this.body = body;
    this.reply = reply;
    this.failure = failure;
  }

  /// About this place of the chat.
  Request at(long place) {
    seq = place;
    return this;
  }

  Request untilAnswered() {
    isUntilAnswered = true;
    return this;
  }
}
