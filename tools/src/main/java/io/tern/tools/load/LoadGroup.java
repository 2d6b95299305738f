package io.tern.tools.load;

import com.google.protobuf.ByteString;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Users;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// A group of a run. Its first member creates it and adds the others, as many at a time as the
/// server takes; it is ready when every member has got the entries about that. Then its first
/// members write, and all of them check what comes.
///
/// Confined to the load's event loop.
final class LoadGroup {

  private final LoadRun run;
  final int ordinal;
  private final List<LoadUser> members;
  private final int senders;

  /// How many are in it or asked for; 0 before it is created.
  private int asked;

  /// The entry of the last change; 0 as long as it is not known.
  private long lastChange;

  private int ready;

  /// @param members in the order of their places; each is in this group only
  LoadGroup(LoadRun run, int ordinal, List<LoadUser> members, int senders) {
    this.run = run;
    this.ordinal = ordinal;
    this.members = List.copyOf(members);
    this.senders = senders;
    for (int place = 0; place < members.size(); place++) {
      members.get(place).join(this, place);
    }
  }

  int size() {
    return members.size();
  }

  List<LoadUser> senders() {
    return members.subList(0, senders);
  }

  boolean isSender(LoadUser member) {
    return member.place() < senders;
  }

  /// Which of the sender's recipients this member is.
  int recipient(LoadUser member, LoadUser sender) {
    return member.place() < sender.place() ? member.place() : member.place() - 1;
  }

  private LoadUser founder() {
    return members.getFirst();
  }

  /// Creates it, once everybody has logged in.
  void create() {
    int added = Math.min(members.size() - 1, Limits.GROUP_ADD_MAX);
    asked = 1 + added;
    founder()
        .create(
            GroupCreate.newBuilder()
                .setTitle("load " + ordinal)
                .setOpId(opId())
                .addAllMembers(ids(1, asked))
                .build());
  }

  /// A change was made, as the entry `seq`.
  void onChanged(Conversation foundersSeat, long seq, int refused) {
    if (refused > 0) {
      run.fail("the server does not let user " + founder().index + " add " + refused + " others");
      return;
    }
    foundersSeat.enterOwn(seq);
    if (asked < members.size()) {
      int from = asked;
      asked = Math.min(members.size(), from + Limits.GROUP_ADD_MAX);
      add(foundersSeat, from);
    } else {
      lastChange = seq;
      members.forEach(this::onEntry);
    }
  }

  private void add(Conversation foundersSeat, int from) {
    founder()
        .edit(
            foundersSeat,
            GroupEdit.newBuilder()
                .setOpId(opId())
                .setAdd(Users.newBuilder().addAllUsers(ids(from, asked)))
                .build());
  }

  /// The server did not make the change that was asked for.
  void onRefused(Error error, Runnable again) {
    switch (ErrorCode.classOf(error.getCode())) {
      case LATER, SERVER ->
          run.loop().schedule(again, Math.max(1, error.getRetryMs()), TimeUnit.MILLISECONDS);
      case REQUEST, PROTOCOL, IDENTITY ->
          run.fail(
              error.getCode() == ErrorCode.GROUP_FULL.number()
                  ? "the server has no groups of "
                      + members.size()
                      + ": start it with --set limits.group-members-max="
                      + members.size()
                  : "the server does not make a group: " + LoadUser.name(error));
    }
  }

  /// A member has one entry more.
  void onEntry(LoadUser member) {
    if (lastChange == 0 || ready == members.size() || !member.isReady(lastChange)) {
      return;
    }
    if (++ready == members.size()) {
      run.onGroupReady();
    }
  }

  /// Of the change that asks for everybody up to `asked`: no other change of the run has it.
  private ByteString opId() {
    return ByteString.copyFrom(
        ByteBuffer.allocate(Limits.OP_ID_BYTES)
            .putLong(run.number())
            .putInt(ordinal)
            .putInt(asked)
            .flip());
  }

  private List<Long> ids(int from, int to) {
    return members.subList(from, to).stream().map(member -> member.id.value()).toList();
  }
}
