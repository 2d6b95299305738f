package io.tern.client;

import io.tern.protocol.UserId;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Role;
import java.util.ArrayList;
import java.util.List;

/// What changed in a group; who did it is the sender of its entry.
public sealed interface GroupChange {

  /// The sender is the owner.
  record Created(String title, List<UserId> members, String description, String picture)
      implements GroupChange {}

  record Added(List<UserId> users) implements GroupChange {}

  record Removed(UserId user) implements GroupChange {}

  record Left() implements GroupChange {}

  /// By the group's link.
  record Joined() implements GroupChange {}

  /// With OWNER the group was handed over, and the sender is an admin now.
  record RoleGiven(UserId user, Role role) implements GroupChange {}

  record Titled(String title) implements GroupChange {}

  record Pictured(String picture) implements GroupChange {}

  record Described(String description) implements GroupChange {}

  record AdminOnlySend(boolean on) implements GroupChange {}

  record AdminOnlyEdit(boolean on) implements GroupChange {}

  /// There is a new link and the old one is void; or there is none any more.
  record Linked(boolean on) implements GroupChange {}

  /// Something that this version does not know.
  record Unknown() implements GroupChange {}

  static GroupChange of(GroupEvent event) {
    return switch (event.getChangeCase()) {
      case CREATED -> created(event.getCreated());
      case ADDED -> new Added(users(event.getAdded().getUsersList()));
      case REMOVED ->
          UserId.isValid(event.getRemoved())
              ? new Removed(new UserId(event.getRemoved()))
              : new Unknown();
      case LEFT -> new Left();
      case JOINED -> new Joined();
      case ROLE ->
          UserId.isValid(event.getRole().getUser())
              ? new RoleGiven(new UserId(event.getRole().getUser()), event.getRole().getRole())
              : new Unknown();
      case TITLE -> new Titled(event.getTitle());
      case PICTURE -> new Pictured(event.getPicture());
      case DESCRIPTION -> new Described(event.getDescription());
      case ADMIN_ONLY_SEND -> new AdminOnlySend(event.getAdminOnlySend());
      case ADMIN_ONLY_EDIT -> new AdminOnlyEdit(event.getAdminOnlyEdit());
      case INVITE -> new Linked(event.getInvite());
      case CHANGE_NOT_SET -> new Unknown();
    };
  }

  private static GroupChange created(GroupBirth birth) {
    return new Created(
        birth.getTitle(),
        users(birth.getMembersList()),
        birth.getDescription(),
        birth.getPicture());
  }

  /// Those that are users' ids.
  static List<UserId> users(List<Long> ids) {
    var users = new ArrayList<UserId>(ids.size());
    for (long id : ids) {
      if (UserId.isValid(id)) {
        users.add(new UserId(id));
      }
    }
    return users;
  }
}
