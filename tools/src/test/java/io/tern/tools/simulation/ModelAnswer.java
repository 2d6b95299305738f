package io.tern.tools.simulation;

import io.tern.client.Groups.Changed;
import io.tern.client.SendCallback;
import io.tern.client.TernException;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import org.jspecify.annotations.Nullable;

/// What a device was answered, when the answer has come.
final class ModelAnswer {

  boolean came;
  @Nullable ErrorCode code;
  long seq;
  long tsMillis;
  @Nullable Changed changed;

  void done() {
    came = true;
  }

  void done(Changed value) {
    changed = value;
    seq = value.seq();
    came = true;
  }

  void refused(TernException refusal) {
    code = refusal.code();
    came = true;
  }

  /// Hears the answer to a send.
  SendCallback callback() {
    return new SendCallback() {
      @Override
      public void onSent(ChatId chat, long seq, long csn, long tsMillis, boolean repeat) {
        ModelAnswer.this.seq = seq;
        ModelAnswer.this.tsMillis = tsMillis;
        done();
      }

      @Override
      public void onRefused(ChatId chat, TernException refusal) {
        refused(refusal);
      }
    };
  }
}
