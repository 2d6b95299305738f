package io.tern.router.catchup;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.router.Directory;
import io.tern.router.Readers;
import java.util.List;
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
/// Bounds: at most `CHATS_MAX` chats are told apart; with more, every chat counts as behind.
public final class CatchUp {

  /// A page of entries to push, in order, and whether this was the last of the pass.
  public record Page(List<Item> items, Cursor next, boolean done) {}

  /// One entry to push: `body` is its DELIVER body.
  public record Item(ChatId chat, long seq, boolean own, byte[] body) {}

  /// Where the next page starts. Opaque to the session.
  public record Cursor(@Nullable ChatId chat, long fromSeq) {}

  public CatchUp(DeviceId device, Directory directory) {
    throw new UnsupportedOperationException();
  }

  /// Everything is behind: after HELLO, after BEHIND, on CATCH_UP without a chat.
  public void startAll() {
    throw new UnsupportedOperationException();
  }

  /// One chat is behind: on a nudge, or CATCH_UP of a chat.
  public void start(ChatId chat) {
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

  /// What the reader found: the session pushes the items of the page, in order.
  public void onPage(Page page) {
    throw new UnsupportedOperationException();
  }

  /// The reader had no place or failed: [#next] will offer the same page again.
  public void onPageFailed() {
    throw new UnsupportedOperationException();
  }
}
