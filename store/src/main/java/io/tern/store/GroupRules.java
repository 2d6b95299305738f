package io.tern.store;

import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.RoleChange;
import io.tern.protocol.v1.Users;
import io.tern.store.ChatState.Member;
import io.tern.store.Outcome.Refused;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Who may change what of a group, and what the change does to it: [#refusal] first, then [#apply].
/// Pure functions of the chat's state.
///
/// The owner may everything. Admins add members, remove those who are neither admin nor owner, make
/// links and say what only admins may. Members leave, and edit title, picture, description (and the
/// timer of disappearing messages) unless only admins may. Roles are the owner's to give.
final class GroupRules {

  private static final Refused NO_CHANGE = new Refused(ErrorCode.CONFLICT, "changes nothing");
  private static final Refused FULL = new Refused(ErrorCode.GROUP_FULL, "");
  private static final Refused NO_SUCH_MEMBER = new Refused(ErrorCode.NOT_FOUND, "user");
  private static final Refused TOO_LONG = new Refused(ErrorCode.ARGUMENT, "too long");
  private static final Refused NOBODY = new Refused(ErrorCode.ARGUMENT, "users");
  private static final Refused WRONG_ROLE = new Refused(ErrorCode.ARGUMENT, "role");

  private GroupRules() {}

  /// Why a group cannot be made like that; null when it can.
  static @Nullable Outcome refusal(UserId creator, GroupBirth birth, int membersMax) {
    if (isTooLong(birth.getTitle(), Limits.GROUP_TITLE_BYTES_MAX)
        || isTooLong(birth.getPicture(), Limits.PICTURE_BYTES_MAX)
        || isTooLong(birth.getDescription(), Limits.GROUP_DESCRIPTION_BYTES_MAX)) {
      return TOO_LONG;
    }
    if (!birth.getMembersList().stream().allMatch(UserId::isValid)) {
      return NOBODY;
    }
    return membersOf(creator, birth).size() + 1 > membersMax ? FULL : null;
  }

  /// Fills the empty group; returns what its first entry says.
  static GroupEvent create(ChatState chat, GroupState group, GroupBirth birth) {
    group.title = birth.getTitle();
    group.picture = birth.getPicture();
    group.description = birth.getDescription();
    chat.join(group.creator, Role.ROLE_OWNER, 1);
    var members = membersOf(group.creator, birth);
    for (UserId member : members) {
      chat.join(member, Role.ROLE_MEMBER, 1);
    }
    return GroupEvent.newBuilder()
        .setCreated(
            birth.toBuilder()
                .clearMembers()
                .addAllMembers(members.stream().map(UserId::value).toList()))
        .build();
  }

  /// Each once, without the creator.
  private static Set<UserId> membersOf(UserId creator, GroupBirth birth) {
    var members = new LinkedHashSet<UserId>();
    for (long member : birth.getMembersList()) {
      if (member != creator.value()) {
        members.add(new UserId(member));
      }
    }
    return members;
  }

  /// Whether a member may edit title, picture, description and timer.
  static boolean mayEdit(GroupState group, Member by) {
    return by.isAdmin() || !group.adminOnlyEdit;
  }

  /// Whether a member may send messages.
  static boolean maySend(GroupState group, Member by) {
    return by.isAdmin() || !group.adminOnlySend;
  }

  /// Why `by` cannot make this change; null when they can.
  ///
  /// @param by null for one who is not in the group
  static @Nullable Outcome refusal(
      ChatState chat, GroupState group, @Nullable Member by, GroupChange change, int membersMax) {
    if (change instanceof GroupChange.Join(byte[] token)) {
      if (by != null) {
        return NO_CHANGE;
      }
      if (group.invite.length == 0 || !MessageDigest.isEqual(group.invite, token)) {
        return Refusals.NOT_ALLOWED;
      }
      return chat.membersIn() >= membersMax ? FULL : null;
    }
    if (by == null) {
      return Refusals.NOT_MEMBER;
    }
    if (!isAllowed(group, by, change)) {
      return Refusals.NOT_ALLOWED;
    }
    return switch (change) {
      case GroupChange.Add(List<UserId> users) -> {
        int added = newcomers(chat, users).size();
        if (users.isEmpty() || users.size() > Limits.GROUP_ADD_MAX) {
          yield NOBODY;
        }
        if (added == 0) {
          yield NO_CHANGE;
        }
        yield chat.membersIn() + added > membersMax ? FULL : null;
      }
      case GroupChange.Remove(UserId user) -> {
        Member member = chat.member(user);
        if (member == null || !member.isIn()) {
          yield NO_CHANGE;
        }
        boolean may = member != by && (by.role == Role.ROLE_OWNER || !member.isAdmin());
        yield may ? null : Refusals.NOT_ALLOWED;
      }
      case GroupChange.SetRole(UserId user, Role role) -> {
        Member member = chat.member(user);
        if (role != Role.ROLE_MEMBER && role != Role.ROLE_ADMIN && role != Role.ROLE_OWNER) {
          yield WRONG_ROLE;
        }
        if (member == null || !member.isIn()) {
          yield NO_SUCH_MEMBER;
        }
        if (member.role == role) {
          yield NO_CHANGE;
        }
        // An owner steps down by handing over.
        yield member == by ? Refusals.NOT_ALLOWED : null;
      }
      case GroupChange.Title(String title) ->
          text(title, group.title, Limits.GROUP_TITLE_BYTES_MAX);
      case GroupChange.Picture(String picture) ->
          text(picture, group.picture, Limits.PICTURE_BYTES_MAX);
      case GroupChange.Description(String description) ->
          text(description, group.description, Limits.GROUP_DESCRIPTION_BYTES_MAX);
      case GroupChange.AdminOnlySend(boolean on) -> on == group.adminOnlySend ? NO_CHANGE : null;
      case GroupChange.AdminOnlyEdit(boolean on) -> on == group.adminOnlyEdit ? NO_CHANGE : null;
      case GroupChange.Invite(byte[] token) -> {
        if (token.length > Limits.INVITE_BYTES_MAX) {
          yield TOO_LONG;
        }
        yield MessageDigest.isEqual(token, group.invite) ? NO_CHANGE : null;
      }
      case GroupChange.Leave l -> null;
      case GroupChange.Join j -> null;
    };
  }

  private static boolean isAllowed(GroupState group, Member by, GroupChange change) {
    return switch (change) {
      case GroupChange.Add c -> by.isAdmin();
      case GroupChange.Remove c -> by.isAdmin();
      case GroupChange.AdminOnlySend c -> by.isAdmin();
      case GroupChange.AdminOnlyEdit c -> by.isAdmin();
      case GroupChange.Invite c -> by.isAdmin();
      case GroupChange.SetRole c -> by.role == Role.ROLE_OWNER;
      case GroupChange.Title c -> mayEdit(group, by);
      case GroupChange.Picture c -> mayEdit(group, by);
      case GroupChange.Description c -> mayEdit(group, by);
      case GroupChange.Leave c -> true;
      case GroupChange.Join c -> true;
    };
  }

  private static @Nullable Outcome text(String to, String from, int bytesMax) {
    if (isTooLong(to, bytesMax)) {
      return TOO_LONG;
    }
    return to.equals(from) ? NO_CHANGE : null;
  }

  private static boolean isTooLong(String text, int bytesMax) {
    return text.length() > bytesMax || text.getBytes(StandardCharsets.UTF_8).length > bytesMax;
  }

  /// Those of `users` who are not in the group, each once.
  static List<UserId> newcomers(ChatState chat, List<UserId> users) {
    var newcomers = new ArrayList<UserId>();
    for (UserId user : new LinkedHashSet<>(users)) {
      Member member = chat.member(user);
      if (member == null || !member.isIn()) {
        newcomers.add(user);
      }
    }
    return newcomers;
  }

  /// Does what [#refusal] had nothing against, as entry `seq`; returns what the entry says.
  ///
  /// @param user who makes the change
  static GroupEvent apply(
      ChatState chat, GroupState group, UserId user, GroupChange change, long seq) {
    var event = GroupEvent.newBuilder();
    switch (change) {
      case GroupChange.Add(List<UserId> users) -> {
        var added = Users.newBuilder();
        for (UserId newcomer : newcomers(chat, users)) {
          chat.join(newcomer, Role.ROLE_MEMBER, seq);
          added.addUsers(newcomer.value());
        }
        event.setAdded(added);
      }
      case GroupChange.Remove(UserId removed) -> {
        chat.leave(in(chat, removed), seq);
        event.setRemoved(removed.value());
      }
      case GroupChange.Leave l -> {
        event.setLeft(true);
        leave(chat, group, in(chat, user), seq, event);
      }
      case GroupChange.SetRole(UserId of, Role role) -> {
        in(chat, of).role = role;
        if (role == Role.ROLE_OWNER) {
          in(chat, user).role = Role.ROLE_ADMIN;
        }
        event.setRole(RoleChange.newBuilder().setUser(of.value()).setRole(role));
      }
      case GroupChange.Title(String title) -> {
        group.title = title;
        event.setTitle(title);
      }
      case GroupChange.Picture(String picture) -> {
        group.picture = picture;
        event.setPicture(picture);
      }
      case GroupChange.Description(String description) -> {
        group.description = description;
        event.setDescription(description);
      }
      case GroupChange.AdminOnlySend(boolean on) -> {
        group.adminOnlySend = on;
        event.setAdminOnlySend(on);
      }
      case GroupChange.AdminOnlyEdit(boolean on) -> {
        group.adminOnlyEdit = on;
        event.setAdminOnlyEdit(on);
      }
      case GroupChange.Invite(byte[] token) -> {
        group.invite = token.clone();
        event.setInvite(token.length > 0);
      }
      case GroupChange.Join j -> {
        chat.join(user, Role.ROLE_MEMBER, seq);
        event.setJoined(true);
      }
    }
    return event.build();
  }

  private static void leave(
      ChatState chat, GroupState group, Member member, long seq, GroupEvent.Builder event) {
    boolean wasOwner = member.role == Role.ROLE_OWNER;
    chat.leave(member, seq);
    if (wasOwner) {
      Member successor = chat.successor();
      if (successor == null) {
        // Nobody is left, and nobody comes back: a group has an owner.
        group.invite = new byte[0];
      } else {
        successor.role = Role.ROLE_OWNER;
        event.setNewOwner(successor.user.value());
      }
    }
  }

  private static Member in(ChatState chat, UserId user) {
    Member member = chat.member(user);
    if (member == null) {
      throw new IllegalStateException(chat.id + ": " + user + " is not in it");
    }
    return member;
  }
}
