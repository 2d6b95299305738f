package io.tern.edge.session;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import java.util.Arrays;

/// Receipts for a session whose socket is full: watermarks merged by max, one place per chat and
/// member, until the socket takes them. At most [#PLACES_MAX] places. Confined to its session.
final class HeldReceipts {

  static final int PLACES_MAX = 256;

  /// Sees one merged receipt.
  interface Visitor {
    void visit(ChatId chat, UserId member, long delivered, long read);
  }

  private ChatId[] chats = new ChatId[4];
  private UserId[] members = new UserId[4];
  private long[] marks = new long[8];
  private int places;

  /// Merges one receipt; false when there is no place.
  boolean merge(ChatId chat, UserId member, long delivered, long read) {
    for (int i = 0; i < places; i++) {
      if (chats[i].equals(chat) && members[i].equals(member)) {
        marks[2 * i] = Math.max(marks[2 * i], delivered);
        marks[2 * i + 1] = Math.max(marks[2 * i + 1], read);
        return true;
      }
    }
    if (places == PLACES_MAX) {
      return false;
    }
    if (places == chats.length) {
      chats = Arrays.copyOf(chats, places * 2);
      members = Arrays.copyOf(members, places * 2);
      marks = Arrays.copyOf(marks, places * 4);
    }
    chats[places] = chat;
    members[places] = member;
    marks[2 * places] = delivered;
    marks[2 * places + 1] = read;
    places++;
    return true;
  }

  void drainTo(Visitor visitor) {
    for (int i = 0; i < places; i++) {
      visitor.visit(chats[i], members[i], marks[2 * i], marks[2 * i + 1]);
    }
    places = 0;
  }
}
