package io.tern.store;

import com.google.protobuf.ByteString;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.store.v1.ChatSnapshot;
import io.tern.store.v1.GroupOp;
import io.tern.store.v1.GroupSnapshot;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/// What a group is besides its members and its log. Confined to its shard.
final class GroupState {

  /// A change that was made: the same again gets the same answer.
  private record Op(UserId user, byte[] opId, long seq) {}

  /// Who made it.
  final UserId creator;

  String title = "";
  String picture = "";
  String description = "";
  boolean adminOnlySend;
  boolean adminOnlyEdit;

  /// What the link holds; empty = there is none.
  byte[] invite = {};

  /// Seq of the newest change.
  long version;

  /// Eldest first; at most [Limits#GROUP_OPS_MAX].
  private final Deque<Op> ops = new ArrayDeque<>();

  GroupState(UserId creator) {
    this.creator = creator;
  }

  static GroupState of(ChatSnapshot chat) {
    GroupSnapshot snapshot = chat.getGroup();
    var group = new GroupState(new UserId(snapshot.getCreator()));
    group.title = snapshot.getTitle();
    group.picture = snapshot.getPicture();
    group.description = snapshot.getDescription();
    group.adminOnlySend = snapshot.getAdminOnlySend();
    group.adminOnlyEdit = snapshot.getAdminOnlyEdit();
    group.invite = snapshot.getInvite().toByteArray();
    group.version = snapshot.getVersion();
    for (GroupOp op : chat.getOpsList()) {
      group.ops.add(new Op(new UserId(op.getUser()), op.getOpId().toByteArray(), op.getSeq()));
    }
    return group;
  }

  void writeTo(ChatSnapshot.Builder chat, int memberCount) {
    chat.setGroup(
        GroupSnapshot.newBuilder()
            .setTitle(title)
            .setPicture(picture)
            .setDescription(description)
            .setAdminOnlySend(adminOnlySend)
            .setAdminOnlyEdit(adminOnlyEdit)
            .setInvite(ByteString.copyFrom(invite))
            .setVersion(version)
            .setCreator(creator.value())
            .setMemberCount(memberCount));
    for (Op op : ops) {
      chat.addOpsBuilder()
          .setUser(op.user.value())
          .setOpId(ByteString.copyFrom(op.opId))
          .setSeq(op.seq);
    }
  }

  /// Where the user's change of this op id is; 0 when it is not among the newest.
  long seqOf(UserId user, byte[] opId) {
    for (Op op : ops) {
      if (op.user.equals(user) && Arrays.equals(op.opId, opId)) {
        return op.seq;
      }
    }
    return 0;
  }

  /// Notes that the user's change of this op id is at `seq`.
  void changed(UserId user, byte[] opId, long seq) {
    version = seq;
    ops.add(new Op(user, opId, seq));
    if (ops.size() > Limits.GROUP_OPS_MAX) {
      ops.remove();
    }
  }
}
