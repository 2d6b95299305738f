package io.tern.client;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.Hello;
import org.jspecify.annotations.Nullable;

/// What may go wrong in a [FakeServer], one question per decision. By default nothing does.
public interface FakeFaults {

  /// Answer this SEND with an error instead; null to take it.
  default @Nullable Error refuseSend(Content content) {
    return null;
  }

  /// The same, but after the SEND was taken: its outcome is unknown to the client.
  default @Nullable Error forgetSent(Content content) {
    return null;
  }

  /// Lose this live DELIVER on its way through the server.
  default boolean loseDelivery(DeviceId device, ChatId chat) {
    return false;
  }

  /// Push this DELIVER twice.
  default boolean repeatDelivery() {
    return false;
  }

  /// Answer a question with an error.
  default @Nullable Error refuseQuestion() {
    return null;
  }

  /// The same, but after what it asked for has been done: the outcome is unknown to the client.
  default @Nullable Error forgetChange() {
    return null;
  }

  /// Say RESET instead of pushing a backlog.
  default boolean dropBacklog() {
    return false;
  }

  /// Refuse HELLO.
  default @Nullable Error refuseHello(Hello hello) {
    return null;
  }

  /// Lose an ACK or READ.
  default boolean loseMark() {
    return false;
  }
}
