package io.tern.tools.history;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Role;
import io.tern.tools.history.GroupFacts.Effect;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Who was in a chat from which entry to which: for ever in a direct chat, by its own entries in a
/// group. Of a group whose entries nobody noted, everyone counts as a member.
final class Membership {

  /// One stay in a chat: sees the entries `from` to `to`.
  record Span(long from, long to) {
    private static final long OPEN = Long.MAX_VALUE;

    boolean isOpen() {
      return to == OPEN;
    }

    boolean has(long seq) {
      return from <= seq && seq <= to;
    }
  }

  private static final Span ALWAYS = new Span(1, Span.OPEN);

  private final ChatId chat;

  // Of groups: each user's stays by their first seq, and the roles of those who are in it.
  private final Map<UserId, TreeMap<Long, Span>> spans = new LinkedHashMap<>();
  private final Map<UserId, Role> roles = new HashMap<>();

  Membership(ChatId chat) {
    this.chat = chat;
  }

  /// The entry at `seq`, in the order of seqs, does this to `user`. Returns what is wrong with
  /// that, null when nothing is.
  @Nullable String apply(long seq, UserId user, Effect effect) {
    var last = last(user);
    boolean isIn = !spans.isEmpty() && last != null && last.isOpen();
    switch (effect) {
      case NONE -> {}
      case JOINS -> {
        if (isIn) {
          return "seq %d brings %s in, who is in it since seq %d"
              .formatted(seq, user, last == null ? 0 : last.from);
        }
        spans.computeIfAbsent(user, u -> new TreeMap<>()).put(seq, new Span(seq, Span.OPEN));
        roles.put(user, Role.ROLE_MEMBER);
      }
      case LEAVES -> {
        if (!isIn || last == null) {
          return "seq %d takes %s out, who is not in it".formatted(seq, user);
        }
        spans.computeIfAbsent(user, u -> new TreeMap<>()).put(last.from, new Span(last.from, seq));
        roles.remove(user);
      }
      case MEMBER, ADMIN, OWNER -> {
        if (!isIn) {
          return "seq %d makes %s %s, who is not in it".formatted(seq, user, effect.role());
        }
        roles.put(user, effect.role());
      }
    }
    return null;
  }

  /// Whether the entries say who is in it.
  boolean isKnown() {
    return !chat.isGroup() || !spans.isEmpty();
  }

  /// Whether the entry at `seq` is theirs to see.
  boolean saw(UserId user, long seq) {
    var span = spanAt(user, seq);
    return span != null && span.has(seq);
  }

  /// Whether they are or were in it.
  boolean wasEver(UserId user) {
    return last(user) != null;
  }

  /// Their newest stay; null for who never was in it.
  @Nullable Span last(UserId user) {
    if (!chat.isGroup()) {
      return user.value() == chat.low() || user.value() == chat.high() ? ALWAYS : null;
    }
    if (spans.isEmpty()) {
      return ALWAYS;
    }
    var theirs = spans.get(user);
    return theirs == null ? null : theirs.lastEntry().getValue();
  }

  /// Their newest stay that began at `seq` or before; null when there is none.
  @Nullable Span spanAt(UserId user, long seq) {
    if (!chat.isGroup() || spans.isEmpty()) {
      return last(user);
    }
    var theirs = spans.get(user);
    var entry = theirs == null ? null : theirs.floorEntry(seq);
    return entry == null ? null : entry.getValue();
  }

  /// Everyone who is or was in a group, or both sides of a direct chat; nobody of a group that is
  /// not known.
  Collection<UserId> users() {
    if (chat.isGroup()) {
      return spans.keySet();
    }
    var low = new UserId(chat.low());
    return chat.isSelf() ? List.of(low) : List.of(low, new UserId(chat.high()));
  }

  /// Those who are in a group in the end.
  Map<UserId, Role> roles() {
    return roles;
  }
}
