package io.tern.tools;

import io.tern.protocol.Limits;
import io.tern.protocol.v1.ChatItem;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// Reads a user's whole chat list, page by page.
public final class ChatLists {

  private ChatLists() {}

  /// Every chat, the one with the newest message first.
  ///
  /// @param timeout for each page
  public static List<ChatItem> all(CommandClient client, Duration timeout) {
    var chats = new ArrayList<ChatItem>();
    byte[] token = null;
    do {
      var page = client.await(client.client().chats(token, Limits.PAGE_ENTRIES_MAX), timeout);
      chats.addAll(page.getChatsList());
      token = page.getNextPageToken().toByteArray();
    } while (token.length > 0);
    chats.sort(
        Comparator.comparingLong((ChatItem chat) -> chat.getLast().getEntry().getTsMs())
            .reversed());
    return chats;
  }
}
