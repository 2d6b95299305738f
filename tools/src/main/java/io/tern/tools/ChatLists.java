package io.tern.tools;

import io.tern.protocol.Limits;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.Role;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// Reads a user's whole chat list, page by page.
public final class ChatLists {

  private ChatLists() {}

  /// Every chat: those that are pinned, then the others, each the one with the newest message
  /// first; what is archived comes last.
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
        Comparator.comparing((ChatItem chat) -> chat.getSettings().getArchive())
            .thenComparing(chat -> !chat.getSettings().getPin())
            .thenComparing(chat -> chat.getLast().getEntry().getTsMs(), Comparator.reverseOrder()));
    return chats;
  }

  /// What a person calls a chat: a group by its title.
  ///
  /// @param name the chat's name, by its id
  public static String name(ChatItem chat, String name) {
    return chat.getGroup() && !chat.getTitle().isBlank()
        ? Names.GROUP_MARK + TerminalText.line(chat.getTitle())
        : name;
  }

  /// What waits in a chat, and what is settled for it.
  public static String marks(ChatItem chat) {
    var marks = new StringBuilder().append(chat.getUnread()).append(" unread");
    if (chat.getUnreadMentions() > 0) {
      marks.append(", ").append(chat.getUnreadMentions()).append(" for you");
    }
    long mute = chat.getSettings().getMuteUntilMs();
    if (mute > System.currentTimeMillis()) {
      marks.append(", ").append(EntryView.mute(mute));
    }
    if (chat.getSettings().getPin()) {
      marks.append(", pinned");
    }
    if (chat.getSettings().getArchive()) {
      marks.append(", archived");
    }
    if (chat.getGroup() && chat.getRole() == Role.ROLE_UNSPECIFIED) {
      marks.append(", you left");
    }
    return marks.toString();
  }
}
