package io.tern.tools.history;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// A chat's log; index is the seq. Compared by identity.
final class ChatLog {
  private static final int NOBODY = -1;

  final ChatId chat;
  final Membership membership;
  final Map<UserId, Member> members = new HashMap<>(2);
  final List<Summary> summaries = new ArrayList<>();
  boolean isRead;
  int head;
  int[] sender = {NOBODY};
  long[] hash = {0};
  long[] tsMillis = {0};

  /// Which send each entry is; [Sends#NONE] for none.
  int[] send = {};

  /// The entries that change a group, by seq.
  final TreeMap<Long, GroupEntry> groupEntries = new TreeMap<>();

  /// Edits and revokes that were sent, by the seq of their message.
  final Map<Long, List<Amendment>> amendments = new HashMap<>(2);

  /// Who read a tombstone where, be it the message's or for the reader alone.
  final List<Tombstone> tombstones = new ArrayList<>();

  /// Highest seq that anyone has seen so far, in the pass through time.
  long seenMax;

  /// What anyone has been told that all members have got and read.
  final Watermarks toldOfAll = new Watermarks();

  ChatLog(ChatId chat) {
    this.chat = chat;
    membership = new Membership(chat);
  }

  boolean has(long seq) {
    return seq > 0 && seq <= head && sender[(int) seq] != NOBODY;
  }

  /// Whether `device` has sent it. What the server wrote on behalf of it, it must be told.
  boolean isFrom(long seq, int device) {
    return has(seq) && sender[(int) seq] == device && !isOfGroup(seq);
  }

  boolean isOfGroup(long seq) {
    return !groupEntries.isEmpty() && groupEntries.containsKey(seq);
  }

  /// The highest seq up to `seq` that `device` has not sent itself; 0 when there is none.
  long lastNotFrom(long seq, int device) {
    long last = seq;
    while (last > 0 && isFrom(last, device)) {
      last--;
    }
    return last;
  }

  void put(long seq, int senderRef, long contentHash, long ts) {
    int at = Math.toIntExact(seq);
    if (at >= sender.length) {
      int old = sender.length;
      int capacity = Math.max(at + 1, old + (old >> 1) + 16);
      sender = Arrays.copyOf(sender, capacity);
      Arrays.fill(sender, old, capacity, NOBODY);
      hash = Arrays.copyOf(hash, capacity);
      tsMillis = Arrays.copyOf(tsMillis, capacity);
    }
    head = Math.max(head, at);
    sender[at] = senderRef;
    hash[at] = contentHash;
    tsMillis[at] = ts;
  }

  Member member(UserId user) {
    return members.computeIfAbsent(user, u -> new Member());
  }

  List<Amendment> amendmentsOf(long seq) {
    return amendments.isEmpty() ? List.of() : amendments.getOrDefault(seq, List.of());
  }

  /// One member of one chat.
  static final class Member {
    long readMax;

    /// The highest place of what their devices have begun to send, in the pass through time.
    long ownMax;

    final Watermarks told = new Watermarks();
  }

  static final class Watermarks {
    long delivered;
    long read;

    void rise(long toDelivered, long toRead) {
      delivered = Math.max(delivered, toDelivered);
      read = Math.max(read, toRead);
    }
  }

  record Tombstone(DeviceState reader, long seq) {}

  record Summary(DeviceState device, UserId user, long delivered, long read) {}

  /// A send that changes an earlier message.
  ///
  /// @param result hash of what the message says then
  record Amendment(int send, long result) {
    boolean isEdit() {
      return result != ContentHash.TOMBSTONE;
    }
  }

  /// An entry that changes the group.
  static final class GroupEntry {
    final long fingerprint;

    /// Everyone who sees the entry notes the same.
    final Set<GroupFacts.Fact> facts = new LinkedHashSet<>(2);

    /// What was asked for; null when nobody did.
    GroupChanges.@Nullable Op op;

    GroupEntry(long fingerprint) {
      this.fingerprint = fingerprint;
    }
  }
}
