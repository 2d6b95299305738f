package io.tern.tools.simulation;

import com.google.protobuf.ByteString;
import io.tern.client.Groups.Changed;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.RoleChange;
import io.tern.tools.simulation.ReferenceModel.Room;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/// Groups of a [ModelRun]: made, changed, joined and left.
final class ModelGroupActions {

  private final ModelRun run;

  ModelGroupActions(ModelRun run) {
    this.run = run;
  }

  boolean createGroup() {
    ModelDevice device = run.anyOnline();
    if (device == null || run.groups.size() >= 3) {
      return false;
    }
    GroupCreate.Builder create = GroupCreate.newBuilder().setTitle("g" + run.groups.size());
    List<Long> refused = new ArrayList<>();
    GroupBirth.Builder birth = GroupBirth.newBuilder().setTitle(create.getTitle());
    long me = device.id.user().value();
    for (UserId user : run.users) {
      if (user.value() != me && run.random.nextInt(4) > 0) {
        create.addMembers(user.value());
        if (run.model.mayAdd(me, user.value())) {
          birth.addMembers(user.value());
        } else {
          refused.add(user.value());
        }
      }
    }
    var answer = new ModelAnswer();
    device.core().changes().createGroup(create, answer::done, answer::refused);
    device.endPass();
    run.await("GROUP_CREATE is answered", () -> answer.came);
    run.story.add(device.id + " creates a group with " + create.getMembersList());
    if (birth.getMembersCount() == 0 && !refused.isEmpty()) {
      run.expect(answer.code, ErrorCode.NOT_ALLOWED);
      return true;
    }
    run.expect(answer.code, null);
    Changed changed = Objects.requireNonNull(answer.changed);
    run.groups.add(changed.group());
    run.model.create(device.id, changed.group(), birth.build(), run.world.wallMillis());
    run.expect(changed.seq(), 1L);
    run.expect(changed.refused().stream().map(UserId::value).sorted().toList(), refused);
    return true;
  }

  boolean editGroup(GroupEdit.Builder edit) {
    ModelDevice device = run.anyOnline();
    if (device == null || run.groups.isEmpty()) {
      return false;
    }
    ChatId group = run.groups.get(run.random.nextInt(run.groups.size()));
    Room room = run.room(group);
    // Who may is more interesting than who may not.
    if (run.random.nextInt(3) > 0 && !room.isAdmin(device.id.user().value())) {
      return false;
    }
    return editGroup(device, group, edit);
  }

  boolean editGroup(ModelDevice device, ChatId group, GroupEdit.Builder edit) {
    long user = device.id.user().value();
    Room room = run.room(group);
    if (edit.getRemove() == user || edit.getRole().getUser() == user) {
      return false;
    }
    // For whoever leaves, and the marks of who stays.
    run.noteDelivered();
    run.story.add(
        device.id + " edits " + group + ": " + edit.build().toString().replace('\n', ' '));
    var answer = new ModelAnswer();
    device.core().changes().editGroup(group, edit.clone(), answer::done, answer::refused);
    device.endPass();
    run.await("GROUP_EDIT is answered", () -> answer.came);
    ByteString invite = ByteString.EMPTY;
    if (answer.code == null && edit.getInvite()) {
      invite = inviteOf(device, group);
    }
    ErrorCode expected =
        run.model.edit(device.id, group, edit.build(), invite, run.world.wallMillis());
    run.expect(answer.code, expected);
    if (expected == null) {
      run.expect(answer.seq, room.head());
    }
    return true;
  }

  private ByteString inviteOf(ModelDevice device, ChatId group) {
    var info = new ChatInfoPage[1];
    device
        .core()
        .queries()
        .chatInfo(
            group,
            0,
            page -> info[0] = page,
            refusal -> {
              throw new AssertionError(refusal);
            });
    device.endPass();
    run.await("CHAT_INFO is answered", () -> info[0] != null);
    return info[0].getInvite();
  }

  boolean join() {
    ModelDevice device = run.anyOnline();
    if (device == null || run.groups.isEmpty()) {
      return false;
    }
    ChatId group = run.groups.get(run.random.nextInt(run.groups.size()));
    Room room = run.room(group);
    if (room.invite.isEmpty() && run.random.nextInt(4) > 0) {
      return false;
    }
    // Also one that is void.
    ByteString token =
        room.invite.isEmpty() || run.random.nextInt(5) == 0
            ? ByteString.copyFromUtf8("0123456789abcdef")
            : room.invite;
    return editGroup(device, group, GroupEdit.newBuilder().setJoin(token));
  }

  boolean giveRole(Role role) {
    return editGroup(
        GroupEdit.newBuilder()
            .setRole(RoleChange.newBuilder().setUser(run.anyUser().value()).setRole(role)));
  }

  boolean describe() {
    String text = "t" + run.random.nextInt(5);
    return editGroup(
        switch (run.random.nextInt(3)) {
          case 0 -> GroupEdit.newBuilder().setTitle(text);
          case 1 -> GroupEdit.newBuilder().setPicture(text);
          default -> GroupEdit.newBuilder().setDescription(text);
        });
  }
}
