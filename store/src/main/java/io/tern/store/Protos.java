package io.tern.store;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Parser;
import io.tern.protocol.v1.Content;
import io.tern.store.v1.ChatSnapshot;
import io.tern.store.v1.Outbox;
import io.tern.store.v1.Position;

/// Parses values that this code has written: what does not parse is damage, not input.
final class Protos {

  private Protos() {}

  static ChatSnapshot chatSnapshot(byte[] bytes) {
    return parse(ChatSnapshot.parser(), bytes);
  }

  static Outbox outbox(byte[] bytes) {
    return parse(Outbox.parser(), bytes);
  }

  static Position position(byte[] bytes) {
    return parse(Position.parser(), bytes);
  }

  /// Of a content that was scanned before it was stored.
  static Content content(byte[] bytes) {
    return parse(Content.parser(), bytes);
  }

  static <T> T parse(Parser<T> parser, byte[] bytes) {
    try {
      return parser.parseFrom(bytes);
    } catch (InvalidProtocolBufferException e) {
      throw new IllegalStateException("damaged value of " + bytes.length + " bytes", e);
    }
  }
}
