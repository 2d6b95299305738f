package io.tern.client;

import com.google.protobuf.ByteString;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.Users;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Members, roles and what else a group is, with the rules that matter to a client: who may, who
/// sees what, and that an operation id has one effect.
public final class FakeGroup {

  /// The time of a member in the group, as seqs; `left` 0: still there.
  public record Stay(Role role, long joined, long left) {
    public boolean isHere() {
      return left == 0;
    }

    public boolean sees(long seq) {
      return seq >= joined && (left == 0 || seq <= left);
    }
  }

  public final Map<UserId, Stay> members = new LinkedHashMap<>();

  /// By user and operation id: where it had its effect.
  final Map<String, Long> operations = new HashMap<>();

  public String title;
  ByteString invite = ByteString.EMPTY;
  long version = 1;
  long allDelivered;
  long allRead;

  FakeGroup(UserId creator, GroupCreate create) {
    title = create.getTitle();
    members.put(creator, new Stay(Role.ROLE_OWNER, 1, 0));
    for (long member : create.getMembersList()) {
      members.putIfAbsent(new UserId(member), new Stay(Role.ROLE_MEMBER, 1, 0));
    }
  }

  static GroupEvent birth(GroupCreate create) {
    return GroupEvent.newBuilder()
        .setCreated(
            GroupBirth.newBuilder()
                .setTitle(create.getTitle())
                .addAllMembers(create.getMembersList()))
        .build();
  }

  /// What its link holds; empty when there is none.
  public ByteString link() {
    return invite;
  }

  public boolean isHere(UserId user) {
    Stay stay = members.get(user);
    return stay != null && stay.isHere();
  }

  private Role role(UserId user) {
    Stay stay = members.get(user);
    return stay == null || !stay.isHere() ? Role.ROLE_UNSPECIFIED : stay.role();
  }

  /// Makes the change whose entry will be at `seq`, and says what to write there; null when it is
  /// refused, with the reason in `refusal`.
  @Nullable GroupEvent change(UserId by, GroupEdit edit, long seq) {
    refusal = refusalOf(by, edit);
    if (refusal != null) {
      return null;
    }
    GroupEvent.Builder event = GroupEvent.newBuilder();
    switch (edit.getChangeCase()) {
      case ADD -> {
        Users.Builder added = Users.newBuilder();
        for (long user : edit.getAdd().getUsersList()) {
          if (!isHere(new UserId(user))) {
            members.put(new UserId(user), new Stay(Role.ROLE_MEMBER, seq, 0));
            added.addUsers(user);
          }
        }
        event.setAdded(added);
      }
      case REMOVE -> {
        leave(new UserId(edit.getRemove()), seq);
        event.setRemoved(edit.getRemove());
      }
      case LEAVE -> {
        boolean wasOwner = role(by) == Role.ROLE_OWNER;
        leave(by, seq);
        event.setLeft(true);
        if (wasOwner) {
          for (Map.Entry<UserId, Stay> member : members.entrySet()) {
            if (member.getValue().isHere()) {
              give(member.getKey(), Role.ROLE_OWNER);
              event.setNewOwner(member.getKey().value());
              break;
            }
          }
        }
      }
      case ROLE -> {
        give(new UserId(edit.getRole().getUser()), edit.getRole().getRole());
        if (edit.getRole().getRole() == Role.ROLE_OWNER) {
          give(by, Role.ROLE_ADMIN);
        }
        event.setRole(edit.getRole());
      }
      case TITLE -> {
        title = edit.getTitle();
        event.setTitle(title);
      }
      case PICTURE -> event.setPicture(edit.getPicture());
      case DESCRIPTION -> event.setDescription(edit.getDescription());
      case ADMIN_ONLY_SEND -> event.setAdminOnlySend(edit.getAdminOnlySend());
      case ADMIN_ONLY_EDIT -> event.setAdminOnlyEdit(edit.getAdminOnlyEdit());
      case INVITE -> {
        invite = edit.getInvite() ? ByteString.copyFromUtf8("link" + seq) : ByteString.EMPTY;
        event.setInvite(edit.getInvite());
      }
      case JOIN -> {
        members.put(by, new Stay(Role.ROLE_MEMBER, seq, 0));
        event.setJoined(true);
      }
      case CHANGE_NOT_SET -> throw new IllegalArgumentException("no change");
    }
    version++;
    return event.build();
  }

  @Nullable ErrorCode refusal;

  private @Nullable ErrorCode refusalOf(UserId by, GroupEdit edit) {
    if (edit.getChangeCase() == GroupEdit.ChangeCase.JOIN) {
      if (invite.isEmpty() || !invite.equals(edit.getJoin())) {
        return ErrorCode.NOT_ALLOWED;
      }
      return isHere(by) ? ErrorCode.CONFLICT : null;
    }
    if (!isHere(by)) {
      return ErrorCode.NOT_MEMBER;
    }
    boolean isMember = role(by) == Role.ROLE_MEMBER;
    return switch (edit.getChangeCase()) {
      case ADD ->
          isMember
              ? ErrorCode.NOT_ALLOWED
              : edit.getAdd().getUsersList().stream().allMatch(u -> isHere(new UserId(u)))
                  ? ErrorCode.CONFLICT
                  : null;
      case REMOVE ->
          isMember
              ? ErrorCode.NOT_ALLOWED
              : !isHere(new UserId(edit.getRemove())) ? ErrorCode.CONFLICT : null;
      case INVITE -> isMember ? ErrorCode.NOT_ALLOWED : null;
      case ROLE -> role(by) != Role.ROLE_OWNER ? ErrorCode.NOT_ALLOWED : null;
      case TITLE -> title.equals(edit.getTitle()) ? ErrorCode.CONFLICT : null;
      case CHANGE_NOT_SET -> ErrorCode.ARGUMENT;
      case LEAVE, PICTURE, DESCRIPTION, ADMIN_ONLY_SEND, ADMIN_ONLY_EDIT, JOIN -> null;
    };
  }

  private void leave(UserId user, long seq) {
    Stay stay = members.remove(user);
    if (stay != null) {
      members.put(user, new Stay(Role.ROLE_UNSPECIFIED, stay.joined(), seq));
    }
  }

  private void give(UserId user, Role role) {
    members.computeIfPresent(user, (u, stay) -> new Stay(role, stay.joined(), stay.left()));
  }
}
