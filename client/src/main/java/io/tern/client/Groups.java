package io.tern.client;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.RoleChange;
import io.tern.protocol.v1.Users;
import java.security.SecureRandom;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/// Groups, as their members change them: see [TernClient#groups]. Messages to a group are sent like
/// all others, to its [ChatId].
///
/// Each change has exactly one effect: it goes out again, with the same operation id, until it is
/// answered, over lost connections. Over restarts of the app too, when the app keeps the operation
/// id and asks again: [#withOpId]. It fails with NOT_ALLOWED for who lacks the right, with CONFLICT
/// when it would change nothing, with NOT_MEMBER also for a group that does not exist. Changes
/// under way at the same time may be carried out in any order: wait for one where the next depends
/// on it.
///
/// Every change is an entry of the group ([Body.Group]), which every member gets in order, on all
/// devices, this one included.
///
/// Thread-safe; nothing blocks.
public final class Groups {

  private static final SecureRandom RANDOM = new SecureRandom();

  private final TernClient client;

  /// Of the next change; empty: each has a random one.
  private final ByteString opId;

  Groups(TernClient client) {
    this(client, ByteString.EMPTY);
  }

  private Groups(TernClient client, ByteString opId) {
    this.client = client;
    this.opId = opId;
  }

  /// A new operation id: 16 random bytes, for an app that keeps it with what it is about to change.
  public static byte[] newOpId() {
    var id = new byte[Limits.OP_ID_BYTES];
    RANDOM.nextBytes(id);
    return id;
  }

  /// For one change that may have to be asked again after a restart of the app:
  ///
  /// ```java
  /// keep(opId, "add bob");                      // before it is asked for
  /// groups.withOpId(opId).add(group, List.of(bob)).thenRun(() -> forget(opId));
  /// ```
  ///
  /// What is asked with the same id, from whichever of this user's devices, has the place of the
  /// first and no second effect, also when it is something else: one id for one change. Who was
  /// refused then is not told again. A group remembers the ids of its last 128 changes: asked again
  /// later than that, it is a new change. A creation is remembered for as long as its group is.
  ///
  /// @param opId 16 bytes, from [#newOpId]
  public Groups withOpId(byte[] opId) {
    if (opId.length != Limits.OP_ID_BYTES) {
      throw new IllegalArgumentException("opId: " + Limits.OP_ID_BYTES + " bytes");
    }
    return new Groups(client, ByteString.copyFrom(opId));
  }

  /// A change that was made.
  ///
  /// @param seq place of its entry
  /// @param refused those who do not want to be added by this user: they are not in the group
  public record Changed(ChatId group, long seq, long membersVersion, List<UserId> refused) {}

  /// This user becomes the owner. Who does not want to be added is left out and named in
  /// [Changed#refused]; when that is everybody named, the answer is NOT_ALLOWED and there is no
  /// group.
  public CompletableFuture<Changed> create(String title, Collection<UserId> members) {
    return create(title, members, "", "");
  }

  /// With everything that a group can have from its start.
  ///
  /// @param picture where its picture is, to the app
  public CompletableFuture<Changed> create(
      String title, Collection<UserId> members, String description, String picture) {
    GroupCreate.Builder group =
        GroupCreate.newBuilder()
            .setOpId(opId)
            .setTitle(title)
            .setDescription(description)
            .setPicture(picture);
    members.forEach(user -> group.addMembers(user.value()));
    return client.ask((core, done, refused) -> core.changes().createGroup(group, done, refused));
  }

  /// Admins, at most 100 at a time. Who does not want to be added is left out and named in
  /// [Changed#refused].
  public CompletableFuture<Changed> add(ChatId group, Collection<UserId> users) {
    Users.Builder added = Users.newBuilder();
    users.forEach(user -> added.addUsers(user.value()));
    return edit(group, GroupEdit.newBuilder().setAdd(added));
  }

  /// Admins, members; the owner, everybody else.
  public CompletableFuture<Changed> remove(ChatId group, UserId user) {
    return edit(group, GroupEdit.newBuilder().setRemove(user.value()));
  }

  /// When the owner leaves, the eldest admin becomes the owner, else the eldest member.
  public CompletableFuture<Changed> leave(ChatId group) {
    return edit(group, GroupEdit.newBuilder().setLeave(true));
  }

  /// The owner. OWNER hands the group over.
  public CompletableFuture<Changed> setRole(ChatId group, UserId user, Role role) {
    return edit(
        group,
        GroupEdit.newBuilder()
            .setRole(RoleChange.newBuilder().setUser(user.value()).setRole(role)));
  }

  public CompletableFuture<Changed> setTitle(ChatId group, String title) {
    return edit(group, GroupEdit.newBuilder().setTitle(title));
  }

  public CompletableFuture<Changed> setPicture(ChatId group, String picture) {
    return edit(group, GroupEdit.newBuilder().setPicture(picture));
  }

  public CompletableFuture<Changed> setDescription(ChatId group, String description) {
    return edit(group, GroupEdit.newBuilder().setDescription(description));
  }

  /// Whether only admins may send.
  public CompletableFuture<Changed> setAdminOnlySend(ChatId group, boolean on) {
    return edit(group, GroupEdit.newBuilder().setAdminOnlySend(on));
  }

  /// Whether only admins may change title, picture, description and timer.
  public CompletableFuture<Changed> setAdminOnlyEdit(ChatId group, boolean on) {
    return edit(group, GroupEdit.newBuilder().setAdminOnlyEdit(on));
  }

  /// Admins: a new link; an older one is void.
  public CompletableFuture<Invite> invite(ChatId group) {
    return edit(group, GroupEdit.newBuilder().setInvite(true))
        .thenCompose(changed -> invitation(group));
  }

  /// Admins: the link that there is. Fails with NOT_FOUND when there is none, or this user is no
  /// admin.
  public CompletableFuture<Invite> invitation(ChatId group) {
    return client
        .chatInfo(group)
        .thenApply(info -> {
          ByteString token = info.getInvite();
          if (token.isEmpty()) {
            throw new TernException(ErrorCode.NOT_FOUND, 0, "no link, or not yours to see");
          }
          return new Invite(group, token.toByteArray());
        });
  }

  /// Admins: the link is void.
  public CompletableFuture<Changed> revokeInvite(ChatId group) {
    return edit(group, GroupEdit.newBuilder().setInvite(false));
  }

  public CompletableFuture<Changed> join(Invite invite) {
    return edit(
        invite.group(), GroupEdit.newBuilder().setJoin(ByteString.copyFrom(invite.token())));
  }

  /// Title, members, roles and flags.
  public CompletableFuture<ChatInfoPage> info(ChatId group) {
    return client.chatInfo(group);
  }

  private CompletableFuture<Changed> edit(ChatId group, GroupEdit.Builder change) {
    if (!group.isGroup()) {
      throw new IllegalArgumentException("not a group: " + group);
    }
    return client.ask((core, done, refused) ->
        core.changes().editGroup(group, change.setOpId(opId), done, refused));
  }
}
