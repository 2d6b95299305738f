package io.tern.router.catchup;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.router.Readers;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// One session's way from what its device has acknowledged to the present, as a plain object that
/// owns no thread and waits in no queue: it says which page to read next, and is told what came.
/// Confined to the session's event loop.
///
/// While a chat is being caught up, live entries of it are held back from the session (not queued:
/// the store has them) and the chat is looked at again before it counts as caught up. So nothing is
/// lost between "read from the store" and "live".
///
/// Bounds: at most `chatsMax` chats are told apart; with more, every chat counts as behind.
public final class CatchUp {

  /// What a reader found. Immutable.
  public static final class Page {
    /// Chats whose due entries have been counted in this page, the newest first: for CATCH_UP_PAGE,
    /// RESET and the RECEIPT snapshot, before any entry.
    public List<Due> due() {
      throw new UnsupportedOperationException();
    }

    /// Entries to push, in order.
    public List<Item> items() {
      throw new UnsupportedOperationException();
    }
  }

  /// One entry to push: `body` is its DELIVER body.
  public record Item(ChatId chat, long seq, boolean own, byte[] body) {}

  /// What is due of one chat.
  ///
  /// @param due entries that will be pushed
  /// @param resetTo 0, or the seq after which pushing starts because the backlog is too long: to be
  ///   announced with RESET
  /// @param peerDelivered direct chats: the other user's watermarks; else 0
  public record Due(
      ChatId chat, long head, long due, long resetTo, long peerDelivered, long peerRead) {}

  public CatchUp(DeviceId device, CatchUpConfig config) {
    throw new UnsupportedOperationException();
  }

  /// Everything may be behind: after HELLO with what [io.tern.router.Directory#attach] said, on
  /// CATCH_UP without a chat with null. What was under way is forgotten.
  ///
  /// @param news the chats that may hold something, or null when every chat may
  public void startAll(@Nullable Set<ChatId> news) {
    throw new UnsupportedOperationException();
  }

  /// One chat may be behind, from what its device has acknowledged: on a nudge, or on CATCH_UP of a
  /// chat.
  public void start(ChatId chat) {
    throw new UnsupportedOperationException();
  }

  /// One chat is behind from `seq` on: a live entry that the session's window had no place for, or
  /// CATCH_UP with `from`. Entries below have been pushed.
  public void startAt(ChatId chat, long seq) {
    throw new UnsupportedOperationException();
  }

  /// Whether a live entry of `chat` must be held back. Notes that it was.
  public boolean holdsBack(ChatId chat) {
    throw new UnsupportedOperationException();
  }

  /// Whether the session is live in every chat.
  public boolean isLive() {
    throw new UnsupportedOperationException();
  }

  /// The chats that are behind, for [io.tern.router.Directory#detach] (together with the chats that
  /// have unacknowledged entries in flight); null when not all of them are known.
  public @Nullable Set<ChatId> behind() {
    throw new UnsupportedOperationException();
  }

  /// The question to ask a reader now, or null when there is nothing to do until a page arrives,
  /// the window opens, or a new start.
  ///
  /// @param windowEntries free places in the session's window
  /// @param windowBytes free bytes in it
  /// @param inFlight entries pushed and not acknowledged
  public @Nullable Function<Readers.Shards, Page> next(
      int windowEntries, int windowBytes, int inFlight) {
    throw new UnsupportedOperationException();
  }

  /// Takes what the reader found and returns what the session pushes now: the page's summaries,
  /// then its items, in order. What has been overtaken by a new start since the question was asked
  /// is left out. Ask [#isLive] afterwards.
  public Page onPage(Page page) {
    throw new UnsupportedOperationException();
  }

  /// The reader had no place or failed: [#next] will offer the same page again.
  public void onPageFailed() {
    throw new UnsupportedOperationException();
  }
}
