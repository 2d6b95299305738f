package io.tern.client.core;

import com.google.protobuf.ByteString;
import io.tern.client.TernException;
import io.tern.protocol.ChatId;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.v1.ChatInfo;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.Chats;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.DeviceItem;
import io.tern.protocol.v1.Devices;
import io.tern.protocol.v1.DevicesPage;
import io.tern.protocol.v1.EntryInfo;
import io.tern.protocol.v1.EntryInfoPage;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Settings;
import io.tern.protocol.v1.SettingsSet;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// What an app may ask the server; nothing changes by it. Answers come to exactly one of two
/// consumers. For [ClientCore]'s thread; see [Questions] for bounds and repeats.
public final class Queries {

  private final ClientCore core;

  Queries(ClientCore core) {
    this.core = core;
  }

  /// The newest entries below `before` (0: the newest of all).
  public void historyBefore(
      ChatId chat,
      long before,
      int limit,
      Consumer<HistoryPage> onPage,
      Consumer<TernException> onRefused) {
    askHistory(
        chat,
        History.newBuilder().setBefore(before).setLimit(pageLimit(limit)).build(),
        onPage,
        onRefused);
  }

  /// The entries on both sides of `seq`.
  public void historyAround(
      ChatId chat,
      long seq,
      int limit,
      Consumer<HistoryPage> onPage,
      Consumer<TernException> onRefused) {
    askHistory(
        chat,
        History.newBuilder().setAround(seq).setLimit(pageLimit(limit)).build(),
        onPage,
        onRefused);
  }

  /// The entries from `after` + 1 on.
  public void historyAfter(
      ChatId chat,
      long after,
      int limit,
      Consumer<HistoryPage> onPage,
      Consumer<TernException> onRefused) {
    int entries = pageLimit(limit);
    askHistory(
        chat,
        historyAfter(after, entries, Long.MAX_VALUE),
        page -> {
          if (after == 0 && page.getFirst() > 1 && page.getEntriesCount() == 0) {
            // What is below was before this membership: it begins there.
            historyAfter(chat, page.getFirst() - 1, limit, onPage, onRefused);
          } else if (after == 0) {
            // It was asked for from above: `more` means the other direction.
            int n = page.getEntriesCount();
            boolean more = n > 0 && page.getEntries(n - 1).getSeq() < page.getHead();
            onPage.accept(page.toBuilder().setMore(more).build());
          } else {
            onPage.accept(page);
          }
        },
        onRefused);
  }

  private void askHistory(
      ChatId chatId,
      History question,
      Consumer<HistoryPage> onPage,
      Consumer<TernException> onRefused) {
    Chat chat = core.chat(chatId);
    core.questions.ask(
        new Request(
            FrameType.HISTORY,
            chat.wireFlags,
            chat.wireId,
            question.toByteArray(),
            bytes -> onPage.accept(HistoryPage.parseFrom(bytes)),
            onRefused::accept));
  }

  /// `after` 0 would be "none" on the wire: the first entries are those below the next ones.
  static History historyAfter(long after, int limit, long until) {
    History.Builder question = History.newBuilder().setLimit(limit);
    return after > 0
        ? question.setAfter(after).build()
        : question.setBefore(Math.min(until, limit) + 1).build();
  }

  /// A page of the chat list.
  public void chats(
      byte @Nullable [] pageToken,
      int limit,
      Consumer<ChatsPage> onPage,
      Consumer<TernException> onRefused) {
    Chats.Builder question = Chats.newBuilder().setLimit(pageLimit(limit));
    if (pageToken != null) {
      question.setPageToken(ByteString.copyFrom(pageToken));
    }
    core.questions.ask(
        new Request(
            FrameType.CHATS,
            0,
            0,
            question.build().toByteArray(),
            bytes -> {
              ChatsPage page = ChatsPage.parseFrom(bytes);
              page.getChatsList().forEach(core::learnFrom);
              onPage.accept(page);
            },
            onRefused::accept));
  }

  /// What the chat is now, and its members.
  ///
  /// @param membersVersion of the members that the app knows; 0 for none
  public void chatInfo(
      ChatId chatId,
      long membersVersion,
      Consumer<ChatInfoPage> onInfo,
      Consumer<TernException> onRefused) {
    Chat chat = core.chat(chatId);
    core.questions.ask(
        new Request(
            FrameType.CHAT_INFO,
            chat.wireFlags,
            chat.wireId,
            ChatInfo.newBuilder().setMembersVersion(membersVersion).build().toByteArray(),
            bytes -> onInfo.accept(ChatInfoPage.parseFrom(bytes)),
            onRefused::accept));
  }

  /// Who got and read an entry of one's own, a page of members.
  public void entryInfo(
      ChatId chatId,
      long seq,
      byte @Nullable [] pageToken,
      int limit,
      Consumer<EntryInfoPage> onPage,
      Consumer<TernException> onRefused) {
    Chat chat = core.chat(chatId);
    EntryInfo.Builder question = EntryInfo.newBuilder().setLimit(pageLimit(limit));
    if (pageToken != null) {
      question.setPageToken(ByteString.copyFrom(pageToken));
    }
    core.questions.ask(
        new Request(
                FrameType.ENTRY_INFO,
                chat.wireFlags,
                chat.wireId,
                question.build().toByteArray(),
                bytes -> onPage.accept(EntryInfoPage.parseFrom(bytes)),
                onRefused::accept)
            .at(seq));
  }

  /// A page of the user's settings.
  public void settings(
      byte @Nullable [] pageToken,
      Consumer<SettingsSet> onPage,
      Consumer<TernException> onRefused) {
    Settings.Builder question = Settings.newBuilder();
    if (pageToken != null) {
      question.setPageToken(ByteString.copyFrom(pageToken));
    }
    core.questions.ask(
        new Request(
            FrameType.SETTINGS,
            0,
            0,
            question.build().toByteArray(),
            bytes -> onPage.accept(SettingsSet.parseFrom(bytes)),
            onRefused::accept));
  }

  /// The user's devices.
  public void devices(Consumer<List<DeviceItem>> onDevices, Consumer<TernException> onRefused) {
    core.questions.ask(
        new Request(
            FrameType.DEVICES,
            0,
            0,
            Devices.getDefaultInstance().toByteArray(),
            bytes -> onDevices.accept(DevicesPage.parseFrom(bytes).getDevicesList()),
            onRefused::accept));
  }

  private static int pageLimit(int limit) {
    return Math.max(1, Math.min(limit, Limits.PAGE_ENTRIES_MAX));
  }
}
