package io.tern.edge.session;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ReceiptCount;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Receipts for a session whose socket is full: watermarks merged by max, one place per chat and
/// member (or per group as a whole, with its newest count), until the socket takes them. At most
/// [#PLACES_MAX] places. Confined to its session.
final class HeldReceipts {

  static final int PLACES_MAX = 256;

  /// Sees one merged receipt.
  interface Visitor {
    void visit(
        ChatId chat,
        @Nullable UserId member,
        long delivered,
        long read,
        @Nullable ReceiptCount count);
  }

  private ChatId[] chats = new ChatId[4];
  private @Nullable UserId[] members = new @Nullable UserId[4];
  private @Nullable ReceiptCount[] counts = new @Nullable ReceiptCount[4];
  private long[] marks = new long[8];
  private int places;

  /// Merges one receipt; false when there is no place.
  ///
  /// @param member null = everyone in a group
  boolean merge(
      ChatId chat,
      @Nullable UserId member,
      long delivered,
      long read,
      @Nullable ReceiptCount count) {
    for (int i = 0; i < places; i++) {
      if (chats[i].equals(chat) && Objects.equals(members[i], member)) {
        marks[2 * i] = Math.max(marks[2 * i], delivered);
        marks[2 * i + 1] = Math.max(marks[2 * i + 1], read);
        counts[i] = count == null ? counts[i] : count;
        return true;
      }
    }
    if (places == PLACES_MAX) {
      return false;
    }
    if (places == chats.length) {
      chats = Arrays.copyOf(chats, places * 2);
      members = Arrays.copyOf(members, places * 2);
      counts = Arrays.copyOf(counts, places * 2);
      marks = Arrays.copyOf(marks, places * 4);
    }
    chats[places] = chat;
    members[places] = member;
    counts[places] = count;
    marks[2 * places] = delivered;
    marks[2 * places + 1] = read;
    places++;
    return true;
  }

  void drainTo(Visitor visitor) {
    for (int i = 0; i < places; i++) {
      visitor.visit(chats[i], members[i], marks[2 * i], marks[2 * i + 1], counts[i]);
    }
    places = 0;
  }
}
