package io.tern.store;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.store.v1.BlockSnapshot;
import io.tern.store.v1.ChatSnapshot;
import io.tern.store.v1.GroupSnapshot;
import io.tern.store.v1.MemberSnapshot;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/// A chat's snapshot as one viewer needs it: the other members are passed over unread. A group's
/// snapshot has up to some hundred kilobytes, and most questions are about one member of it.
final class SnapshotView {

  private static final int MEMBER_TAG =
      tag(ChatSnapshot.MEMBERS_FIELD_NUMBER, WireFormat.WIRETYPE_LENGTH_DELIMITED);
  private static final int SEQ_TAG = tag(ChatSnapshot.SEQ_FIELD_NUMBER, WireFormat.WIRETYPE_VARINT);
  private static final int TTL_TAG =
      tag(ChatSnapshot.TTL_S_FIELD_NUMBER, WireFormat.WIRETYPE_VARINT);
  private static final int GROUP_TAG =
      tag(ChatSnapshot.GROUP_FIELD_NUMBER, WireFormat.WIRETYPE_LENGTH_DELIMITED);
  private static final int BLOCK_TAG =
      tag(ChatSnapshot.BLOCKS_FIELD_NUMBER, WireFormat.WIRETYPE_LENGTH_DELIMITED);

  /// What it covers.
  long seq;

  int ttlSeconds;
  GroupSnapshot group = GroupSnapshot.getDefaultInstance();

  /// One of the two has blocked the other.
  boolean blocked;

  /// The default instance when the viewer never was a member.
  MemberSnapshot member = MemberSnapshot.getDefaultInstance();

  private SnapshotView() {}

  /// Of a chat that has no snapshot: one in which nothing is.
  static SnapshotView of(KeyValues shard, ChatId chat, UserId viewer) {
    var view = new SnapshotView();
    byte @Nullable [] value = shard.get(Keys.chat(chat));
    if (value != null) {
      try {
        view.read(CodedInputStream.newInstance(value), viewer.value());
      } catch (IOException e) {
        throw new IllegalStateException("damaged snapshot of " + chat, e);
      }
    }
    return view;
  }

  private void read(CodedInputStream in, long viewer) throws IOException {
    for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
      if (tag == MEMBER_TAG) {
        readMember(in, viewer);
      } else if (tag == SEQ_TAG) {
        seq = in.readUInt64();
      } else if (tag == TTL_TAG) {
        ttlSeconds = in.readUInt32();
      } else if (tag == GROUP_TAG) {
        group = GroupSnapshot.parseFrom(in.readByteArray());
      } else if (tag == BLOCK_TAG) {
        blocked |= BlockSnapshot.parseFrom(in.readByteArray()).getOn();
      } else {
        in.skipField(tag);
      }
    }
  }

  /// The user comes first: whoever writes fields in the order of their numbers has put them so.
  private void readMember(CodedInputStream in, long viewer) throws IOException {
    int bytes = in.readRawVarint32();
    int end = in.getTotalBytesRead() + bytes;
    in.readTag();
    boolean isViewer = in.readUInt64() == viewer;
    byte[] rest = isViewer ? in.readRawBytes(end - in.getTotalBytesRead()) : null;
    if (rest == null) {
      in.skipRawBytes(end - in.getTotalBytesRead());
    } else {
      member = MemberSnapshot.newBuilder().mergeFrom(rest).setUser(viewer).build();
    }
  }

  private static int tag(int field, int wireType) {
    return field << 3 | wireType;
  }
}
