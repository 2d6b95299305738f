package io.tern.store;

import io.tern.protocol.UserId;
import io.tern.protocol.v1.Role;
import java.util.List;

/// One change of a group, asked for by a member (or, [Join], by one who becomes a member). A change
/// that would change nothing is refused with CONFLICT. Immutable.
public sealed interface GroupChange {

  /// A user in a list, about.
  int USER_BYTES = 24;

  /// About how much memory it holds, where a client decides that.
  default int bodyBytes() {
    return switch (this) {
      case Add(List<UserId> users) -> USER_BYTES * users.size();
      case Title(String title) -> title.length();
      case Picture(String picture) -> picture.length();
      case Description(String description) -> description.length();
      case Invite(byte[] token) -> token.length;
      case Join(byte[] token) -> token.length;
      case Remove r -> 0;
      case Leave l -> 0;
      case SetRole r -> 0;
      case AdminOnlySend a -> 0;
      case AdminOnlyEdit a -> 0;
    };
  }

  /// Those who are members already are passed over; if all are, nothing changes.
  ///
  /// @param users whom the asking user may add: whoever sends the command has seen to that
  record Add(List<UserId> users) implements GroupChange {}

  record Remove(UserId user) implements GroupChange {}

  /// An owner who leaves is succeeded by the eldest admin, else by the eldest member.
  record Leave() implements GroupChange {}

  /// OWNER hands the group over: the owner before becomes an admin.
  record SetRole(UserId user, Role role) implements GroupChange {}

  record Title(String title) implements GroupChange {
    @Override
    public String toString() {
      return "Title[]";
    }
  }

  record Picture(String picture) implements GroupChange {
    @Override
    public String toString() {
      return "Picture[]";
    }
  }

  record Description(String description) implements GroupChange {
    @Override
    public String toString() {
      return "Description[]";
    }
  }

  record AdminOnlySend(boolean on) implements GroupChange {}

  record AdminOnlyEdit(boolean on) implements GroupChange {}

  /// A new link makes the one before void.
  ///
  /// @param token what the link holds; empty = from now on there is none
  record Invite(byte[] token) implements GroupChange {}

  /// Whoever has the link becomes a member.
  ///
  /// @param token what the link holds
  record Join(byte[] token) implements GroupChange {}
}
