package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;

/// Takes over the duty to wake a user's devices. A repeat of the same (user, chat, seq) is dropped.
public interface PushQueue {

  /// Returns whether the intent is now the queue's to keep; if not, it is offered again later.
  /// Dispatch threads only; may block shortly.
  boolean offer(UserId user, ChatId chat, long seq);
}
