package io.tern.router.presence;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.router.Attachment;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// Which sessions watch which users and groups. Soft state: all of it may vanish at any moment, and
/// a watch ends by itself; then its session is told nothing until it watches again.
///
/// The hub knows nothing of privacy: a session that watches says itself what it may show its user.
///
/// Bounds: so many watches altogether; beyond, those of the session that renewed longest ago end.
public interface PresenceHub {

  /// What can be watched: whether a user is there (and types), or who types in a group.
  record Topic(boolean group, long id) {

    public static Topic of(UserId user) {
      return new Topic(false, user.value());
    }

    public static Topic ofGroup(ChatId group) {
      assert group.isGroup();
      return new Topic(true, group.high());
    }
  }

  /// From now on `session` watches `topics` and nothing else, for as long as `lease`. Any thread;
  /// never blocks. What happens after this call is told, what was before is the caller's to look up
  /// afterwards.
  ///
  /// @param topics each once; none ends what was watched
  void watch(Attachment session, List<Topic> topics, Duration lease);

  /// The session watches nothing any more: it has ended. Any thread; never blocks.
  default void drop(Attachment session) {
    watch(session, List.of(), Duration.ZERO);
  }

  /// Who watches each of `topics`, in the same order, in one round trip. May block: readers, or an
  /// event loop if the hub is in memory.
  List<List<Attachment>> watchers(List<Topic> topics);

  /// Ends the watches of `topic` by the sessions of one user, or by all: what they may see has
  /// changed. Completes with those sessions when no later [#watchers] has them. Any thread; never
  /// blocks.
  ///
  /// @param by null = everyone
  CompletableFuture<List<Attachment>> lapse(Topic topic, @Nullable UserId by);
}
