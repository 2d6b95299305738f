package io.tern.router;

import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.store.Entry;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// What users have deleted for themselves: whoever reads entries for a user gives them out through
/// here. Pure functions of the snapshots; readers only. One look into the user's settings a page,
/// and one for each edit in it of a message that is not in it.
public final class Hides {

  private static final byte[] TOMBSTONE =
      Content.newBuilder().setKind(Kind.KIND_TOMBSTONE).build().toByteArray();

  /// What is left of an edit when there is nothing more to say of its message.
  private static final byte[] VOID_EDIT =
      Content.newBuilder().setKind(Kind.KIND_EDIT).build().toByteArray();

  private Hides() {}

  /// `entries` of one chat, ascending, as `viewer` is to get them: in place of what they have
  /// deleted there is a tombstone, and edits of it say nothing.
  public static List<Entry> applied(Readers.Shards shards, UserId viewer, List<Entry> entries) {
    if (entries.isEmpty()) {
      return entries;
    }
    var settings = shards.of(Slots.of(viewer));
    ChatId chat = entries.getFirst().chat();
    long first = entries.getFirst().seq();
    long last = entries.getLast().seq();
    Set<Long> hidden = Reads.hidden(settings, viewer, chat, first, last);
    List<Entry> shown = null;
    for (int i = 0; i < entries.size(); i++) {
      Entry entry = entries.get(i);
      byte[] instead = null;
      if (hidden.contains(entry.seq())) {
        instead = TOMBSTONE;
      } else if (entry.kind() == Kind.KIND_EDIT_VALUE) {
        long target = targetOf(entry);
        boolean isHere = target >= first && target <= last;
        if (isHere ? hidden.contains(target) : Reads.isHidden(settings, viewer, chat, target)) {
          instead = VOID_EDIT;
        }
      }
      if (instead != null) {
        shown = shown == null ? new ArrayList<>(entries) : shown;
        shown.set(i, with(entry, instead));
      }
    }
    return shown == null ? entries : shown;
  }

  private static long targetOf(Entry event) {
    try {
      return Content.parseFrom(event.content()).getTarget();
    } catch (InvalidProtocolBufferException e) {
      // It was scanned before it was stored.
      throw new IllegalStateException("stored content: " + event.chat() + " " + event.seq(), e);
    }
  }

  private static Entry with(Entry entry, byte[] content) {
    return new Entry(
        entry.chat(),
        entry.seq(),
        entry.sender(),
        entry.csn(),
        entry.tsMillis(),
        entry.ordinal(),
        content);
  }
}
