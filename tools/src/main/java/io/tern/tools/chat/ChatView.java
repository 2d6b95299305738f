package io.tern.tools.chat;

import io.tern.client.ClientListener;
import io.tern.client.TernClient.Receipted;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.HistoryPage;
import io.tern.tools.EntryView;
import io.tern.tools.Names;
import java.util.TreeMap;
import java.util.concurrent.Executor;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// What a person sees of one open chat: its entries in order, the ticks of their own messages, who
/// is typing, and how the connection does.
///
/// Ticks are watermarks, not marks on each line: `✓ #12` says that the server has everything up to
/// 12 on disk, `✓✓ #12` that the other one has, `read #12` that they have read it. On the line that
/// stays where the terminal has one, else printed when they move. (Lines that have scrolled cannot
/// be changed on every terminal; these can be trusted on all.)
///
/// Guarded by `this`: the client's event loop and the thread that reads the keyboard both call.
/// Entries that arrive while the history is being fetched wait, at most as many as the client's
/// window.
final class ChatView implements ClientListener {

  private final UserId self;
  private final Names names;
  private final Screen screen;

  /// Tells the server that everything up to a seq has been seen.
  private final BiConsumer<ChatId, Long> onShown;

  /// Runs something when typing that was not repeated is over.
  private final Executor whenTypingIsOver;

  private @Nullable ChatId open;
  private boolean isLoading;
  private final TreeMap<Long, EntryView> waiting = new TreeMap<>();
  private long shown;
  private long oldestShown;

  private long ownSent;
  private long peerDelivered;
  private long peerRead;
  private boolean isPeerTyping;

  /// Counts what was heard about typing, so that only silence after the last ends it.
  private int typingHeard;

  private String connection = "connecting…";

  ChatView(
      UserId self,
      Names names,
      Screen screen,
      BiConsumer<ChatId, Long> onShown,
      Executor whenTypingIsOver) {
    this.whenTypingIsOver = whenTypingIsOver;
    this.self = self;
    this.names = names;
    this.screen = screen;
    this.onShown = onShown;
  }

  // ---- what the person does
  // ----------------------------------------------------------------------

  /// Opens a chat; entries that arrive wait until [#opened] brings its history.
  synchronized void opening(ChatId chat) {
    open = chat;
    isLoading = true;
    waiting.clear();
    shown = 0;
    oldestShown = 0;
    ownSent = 0;
    peerDelivered = 0;
    peerRead = 0;
    isPeerTyping = false;
    screen.print("— " + peerName(chat) + " —");
  }

  /// @param item the chat in the list; null when it has no entry yet
  synchronized void opened(ChatId chat, HistoryPage history, @Nullable ChatItem item) {
    if (!chat.equals(open)) {
      return;
    }
    if (history.getMore()) {
      screen.print("(there is more: /more)");
    }
    for (var entry : history.getEntriesList()) {
      show(EntryView.of(entry, chat, self, names));
    }
    if (item != null) {
      peerDelivered =
          Math.max(peerDelivered, Math.max(item.getPeerDelivered(), item.getPeerRead()));
      peerRead = Math.max(peerRead, item.getPeerRead());
    }
    isLoading = false;
    waiting.values().forEach(this::showNew);
    waiting.clear();
    oldestShown = history.getEntriesCount() == 0 ? shown + 1 : history.getEntries(0).getSeq();
    seen();
    if (!screen.hasStatus() && ownSent > 0) {
      screen.print(ticks());
    }
    refresh();
  }

  /// An older piece of the history, asked for with [#oldest] as its end.
  synchronized void older(ChatId chat, HistoryPage page) {
    if (!chat.equals(open)) {
      return;
    }
    if (page.getEntriesCount() == 0) {
      screen.print("(nothing older)");
      return;
    }
    screen.print("— older —");
    for (var entry : page.getEntriesList()) {
      screen.print(line(EntryView.of(entry, chat, self, names)));
    }
    screen.print("— newer —");
    oldestShown = page.getEntries(0).getSeq();
  }

  synchronized long oldest() {
    return oldestShown;
  }

  /// The person's own message has its place.
  synchronized void sent(Receipted place, Content content) {
    var entry = new EntryView("", names.of(self), true, place.seq(), place.tsMillis(), content);
    if (!place.chat().equals(open)) {
      return;
    }
    if (isLoading) {
      waiting.put(entry.seq(), entry);
    } else {
      showNew(entry);
      refresh();
    }
  }

  synchronized void refused(String reason) {
    screen.print("(not sent: " + reason + ")");
  }

  synchronized void say(String line) {
    screen.print(line);
  }

  // ---- what arrives
  // ------------------------------------------------------------------------------

  @Override
  public synchronized void onMessage(Message message) {
    var entry = EntryView.of(message, self, names);
    if (!message.chat().equals(open)) {
      if (!message.own()) {
        screen.print("(" + entry.from() + ": " + entry.text() + " — /with " + entry.from() + ")");
      }
      return;
    }
    isPeerTyping = isPeerTyping && message.own();
    if (isLoading) {
      waiting.put(entry.seq(), entry);
      return;
    }
    showNew(entry);
    seen();
    refresh();
  }

  @Override
  public synchronized void onReceipt(ChatId chat, UserId member, long delivered, long read) {
    if (!chat.equals(open) || (member.equals(self) && !chat.isSelf())) {
      return;
    }
    var before = ticks();
    // Read implies delivered.
    peerDelivered = Math.max(peerDelivered, Math.max(delivered, read));
    peerRead = Math.max(peerRead, read);
    if (!screen.hasStatus() && !isLoading && ownSent > 0 && !ticks().equals(before)) {
      screen.print(ticks());
    }
    refresh();
  }

  @Override
  public synchronized void onTyping(ChatId chat, UserId member, Typing typing) {
    boolean on = typing != Typing.STOPPED;
    if (chat.equals(open) && !member.equals(self)) {
      if (!screen.hasStatus() && on && !isPeerTyping) {
        screen.print("(" + peerName(chat) + " is typing…)");
      }
      isPeerTyping = on;
      int heard = ++typingHeard;
      if (on) {
        whenTypingIsOver.execute(() -> stopTyping(heard));
      }
      refresh();
    }
  }

  private synchronized void stopTyping(int heard) {
    if (heard == typingHeard) {
      isPeerTyping = false;
      refresh();
    }
  }

  @Override
  public synchronized void onConnection(ConnectionState state) {
    connection =
        switch (state) {
          case ConnectionState.Connecting(int attempt) ->
              attempt == 0 ? "connecting…" : "connecting, attempt " + (attempt + 1) + "…";
          case ConnectionState.Up up -> "connected";
          case ConnectionState.Down(String reason, long retryMillis) ->
              "no connection (%s), trying again in %.1f s".formatted(reason, retryMillis / 1e3);
          case ConnectionState.Refused(int code, String detail) ->
              "refused by the server: " + code + " " + detail;
          case ConnectionState.Closed closed -> "closed";
        };
    boolean isWorthALine =
        !(state instanceof ConnectionState.Connecting || state instanceof ConnectionState.Closed);
    if (!screen.hasStatus() && isWorthALine) {
      screen.print("(" + connection + ")");
    }
    refresh();
  }

  // ---- showing
  // -----------------------------------------------------------------------------------

  private void showNew(EntryView entry) {
    // An entry may come from the history and, caught up, once more.
    if (entry.seq() > shown) {
      show(entry);
      if (entry.own() && !screen.hasStatus()) {
        screen.print(ticks());
      }
    }
  }

  private void show(EntryView entry) {
    shown = Math.max(shown, entry.seq());
    if (entry.own()) {
      ownSent = Math.max(ownSent, entry.seq());
    }
    screen.print(line(entry));
  }

  private String line(EntryView entry) {
    return entry.clock() + "  " + entry.from() + ": " + entry.text() + "  #" + entry.seq();
  }

  private void seen() {
    if (open != null && shown > 0) {
      onShown.accept(open, shown);
    }
  }

  private void refresh() {
    if (screen.hasStatus() && open != null) {
      var typing = isPeerTyping ? " · typing…" : "";
      var own = ownSent > 0 ? " · " + ticks() : "";
      screen.status(peerName(open) + typing + own + " · " + connection);
    }
  }

  /// How far the own messages have come.
  private String ticks() {
    var text = new StringBuilder("✓ #" + ownSent);
    if (peerDelivered > 0) {
      text.append("  ✓✓ #").append(Math.min(peerDelivered, ownSent));
    }
    if (peerRead > 0) {
      text.append("  read #").append(Math.min(peerRead, ownSent));
    }
    return text.toString();
  }

  private String peerName(ChatId chat) {
    return chat.isSelf() ? "notes to yourself" : names.of(chat.peerOf(self));
  }
}
