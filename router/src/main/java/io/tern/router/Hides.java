package io.tern.router;

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
/// here. Pure functions of the snapshots; readers only. One look into the user's settings a page.
public final class Hides {

  private static final byte[] TOMBSTONE =
      Content.newBuilder().setKind(Kind.KIND_TOMBSTONE).build().toByteArray();

  private Hides() {}

  /// `entries` of one chat, ascending, as `viewer` is to get them: in place of what they have
  /// deleted there is a tombstone.
  public static List<Entry> applied(Readers.Shards shards, UserId viewer, List<Entry> entries) {
    if (entries.isEmpty()) {
      return entries;
    }
    Set<Long> hidden =
        Reads.hidden(
            shards.of(Slots.of(viewer)),
            viewer,
            entries.getFirst().chat(),
            entries.getFirst().seq(),
            entries.getLast().seq());
    if (hidden.isEmpty()) {
      return entries;
    }
    var shown = new ArrayList<Entry>(entries.size());
    for (Entry entry : entries) {
      shown.add(hidden.contains(entry.seq()) ? tombstone(entry) : entry);
    }
    return shown;
  }

  private static Entry tombstone(Entry entry) {
    return new Entry(
        entry.chat(),
        entry.seq(),
        entry.sender(),
        entry.csn(),
        entry.tsMillis(),
        entry.ordinal(),
        TOMBSTONE,
        0);
  }
}
