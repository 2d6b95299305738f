package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// Who is connected where, and the news of devices that are not. Soft state: all of it may vanish
/// at any moment, which costs latency, never a message.
///
/// *News* of a device are the chats that may hold something it has not acknowledged. They are known
/// from the moment it detached and said what was still due; a device that the directory has never
/// seen, or has forgotten, has no known news, and a scan of the user's chat list takes their place.
public interface Directory {

  /// What [#attach] did.
  ///
  /// @param replaced the session that was there before, to be closed by whoever holds it
  /// @param news the chats that may hold something new for the device; null when unknown: then
  ///   every chat of the user may. Handed over, no longer kept here.
  record Attached(Attachment now, @Nullable Attachment replaced, @Nullable Set<ChatId> news) {}

  /// A user's devices as the directory knows them.
  ///
  /// @param sessions of those that are connected
  /// @param active those of them that a person looks at
  /// @param absentDevices whether news are kept for a device that is not: see [#addNews]
  record Routes(List<Attachment> sessions, List<Attachment> active, boolean absentDevices) {
    public static final Routes NONE = new Routes(List.of(), List.of(), false);

    /// Whether the user is there, for others to see; messages go to all `sessions`.
    public boolean isOnline() {
      return !active.isEmpty();
    }
  }

  /// One piece of news.
  record News(UserId user, ChatId chat) {}

  /// Makes `session` the device's route, with the next epoch. Any thread; the future completes on
  /// the directory's thread, or at once.
  ///
  /// @param active whether a person looks at it
  CompletableFuture<Attached> attach(DeviceId device, EdgeId edge, long session, boolean active);

  /// Says whether a person looks at the session, if its route is still this one. Any thread; never
  /// blocks. Nothing of it concerns entries and news.
  void setActive(Attachment attachment, boolean active);

  /// Removes the route if it is still this one, and from then on keeps news for the device. Any
  /// thread, never blocks.
  ///
  /// An entry or a nudge that reaches the edge for the session after this call must be given to
  /// [#missed].
  ///
  /// @param due the chats that hold something the device has not acknowledged, as far as the
  ///   session knew; null when it does not know, then the device's news are unknown
  void detach(Attachment attachment, @Nullable Set<ChatId> due);

  /// The routes of each of `users`, in the same order, in one round trip. May block: dispatch
  /// threads and readers, or an event loop if the directory is in memory.
  List<Routes> lookup(List<UserId> users);

  /// Adds each chat to the news of every absent device of its user, in one round trip. Does nothing
  /// for devices that are connected or unknown.
  ///
  /// All news of a user are added at one instant, and the routes of that instant are the answer: so
  /// each of the user's devices has the news or is among the sessions. Whoever finds
  /// [Routes#absentDevices] adds the news and from then on goes by this answer: a device may have
  /// attached since the lookup, and may have left again when a second lookup would be made.
  ///
  /// Bounds: so many chats a device (beyond, its news are unknown) and so many absent devices (the
  /// one that has been absent longest is forgotten).
  ///
  /// @return by user, [Routes#NONE] for one the directory does not know
  Map<UserId, Routes> addNews(Collection<News> news);

  /// An entry of `chat`, or a nudge, has come to its edge too late: the session it was meant for is
  /// gone. Adds the news and nudges a session that the device has begun meanwhile, because neither
  /// its news nor a lookup named the chat. Threads: as [#lookup].
  ///
  /// @param nudge hands a nudge to the edge named
  default void missed(Attachment gone, ChatId chat, BiConsumer<EdgeId, Delivery.Nudge> nudge) {
    var user = gone.device().user();
    var routes = addNews(List.of(new News(user, chat))).getOrDefault(user, Routes.NONE);
    for (var session : routes.sessions()) {
      if (session.device().equals(gone.device()) && session.epoch() > gone.epoch()) {
        nudge.accept(session.edge(), new Delivery.Nudge(chat, session));
      }
    }
  }
}
