package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// Who is connected where, and the news of those who are not. Soft state: all of it may vanish at
/// any moment, which costs latency, never a message.
public interface Directory {

  /// What [#attach] did.
  ///
  /// @param replaced the session that was there before, to be closed by whoever holds it
  record Attached(Attachment now, @Nullable Attachment replaced) {}

  /// Makes `session` the device's route, with the next epoch. Any thread; the future completes on
  /// the directory's thread, or at once.
  CompletableFuture<Attached> attach(DeviceId device, EdgeId edge, long session);

  /// Removes the route if it is still this one. Any thread, never blocks.
  void detach(Attachment attachment);

  /// The sessions of each of `users`, in the same order, in one round trip. Dispatch threads and
  /// readers only: may block.
  List<List<Attachment>> lookup(List<UserId> users);

  /// Notes that `chat` holds something that an absent device of `user` has not seen. At most
  /// `newsMax` chats a user are kept; beyond, the user's news are unknown and a scan finds them.
  /// Dispatch threads only.
  void addNews(UserId user, ChatId chat);

  /// The chats noted for `user`, or null when unknown (lost, too many, never asked before): then
  /// every chat of theirs may hold news. Readers only: may block.
  @Nullable Set<ChatId> news(UserId user);

  /// Says that the news of `user` were complete when a reader had looked at every chat, so that
  /// from now on [#news] can answer. Readers only.
  void newsKnown(UserId user, Set<ChatId> chats);
}
