package io.tern.tools.chat;

import io.tern.client.Body;
import io.tern.client.ClientListener;
import io.tern.client.GroupChange;
import io.tern.client.TernClient.Receipted;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Setting;
import io.tern.tools.EntryView;
import io.tern.tools.Names;
import io.tern.tools.TerminalText;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
/// be changed on every terminal; these can be trusted on all.) Edits, reactions and changes of a
/// group are lines of their own, for the same reason.
///
/// Guarded by `this`: the client's event loop and the thread that reads the keyboard both call.
/// Entries that arrive while the history is being fetched wait, at most as many as the client's
/// window.
final class ChatView implements ClientListener {

  /// Entries kept to be quoted.
  private static final int QUOTABLE_MAX = 500;

  private static final int QUOTE_CHARACTERS = 24;
  private static final String SEALED = "(can be seen once: /open)";

  private final UserId self;
  private final Names names;
  private final Screen screen;

  /// Tells the server that everything up to a seq has been seen.
  private final BiConsumer<ChatId, Long> onShown;

  /// Runs something when typing that was not repeated is over.
  private final Executor whenTypingIsOver;

  /// Titles of groups and what is muted, as far as the chat list and events told.
  private final Map<ChatId, String> titles = new HashMap<>();

  private final Map<ChatId, Long> muted = new HashMap<>();

  private @Nullable ChatId open;
  private boolean isLoading;
  private final TreeMap<Long, EntryView> waiting = new TreeMap<>();
  private final TreeMap<Long, String> quotable = new TreeMap<>();
  private long shown;
  private long oldestShown;

  private long ownSent;

  /// What the other one, or in a group everyone, has got and read.
  private long othersDelivered;

  private long othersRead;
  private @Nullable ReceiptCount count;

  private final Map<UserId, Typing> typing = new LinkedHashMap<>();

  /// Counts what was heard about typing, so that only silence after the last ends it.
  private int typingHeard;

  private String presence = "";
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

  /// What the chat list says: titles, and what is muted.
  synchronized void learn(List<ChatItem> chats) {
    for (var item : chats) {
      var chat = ChatId.fromWire(self, item.getChat(), item.getGroup());
      if (chat.isGroup() && !item.getTitle().isBlank()) {
        titles.put(chat, item.getTitle());
      }
      muted.put(chat, item.getSettings().getMuteUntilMs());
    }
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
    quotable.clear();
    ownSent = 0;
    othersDelivered = 0;
    othersRead = 0;
    count = null;
    typing.clear();
    presence = "";
  }

  /// The chat could not be opened: nothing is open.
  synchronized void notOpened() {
    open = null;
    isLoading = false;
    waiting.clear();
  }

  /// @param item the chat in the list; null when it has no entry yet
  synchronized void opened(ChatId chat, HistoryPage history, @Nullable ChatItem item) {
    if (!chat.equals(open)) {
      return;
    }
    screen.print("— " + name(chat) + " —");
    if (history.getMore()) {
      screen.print("(there is more: /more)");
    }
    for (var entry : history.getEntriesList()) {
      show(EntryView.of(entry, chat, self, names));
    }
    if (item != null) {
      reached(
          chat.isGroup() ? item.getAllDelivered() : item.getPeerDelivered(),
          chat.isGroup() ? item.getAllRead() : item.getPeerRead());
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
      var view = EntryView.of(entry, chat, self, names);
      remember(view);
      screen.print(line(view));
    }
    screen.print("— newer —");
    oldestShown = page.getEntries(0).getSeq();
  }

  synchronized long oldest() {
    return oldestShown;
  }

  /// The person's own message has its place.
  synchronized void sent(Receipted place, Content content) {
    var entry = EntryView.sent(place.seq(), place.tsMillis(), content, self, names);
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
    learn(message);
    var entry = EntryView.of(message, self, names);
    if (!message.chat().equals(open)) {
      announce(message, entry);
      return;
    }
    typing.remove(message.sender());
    if (isLoading) {
      waiting.put(entry.seq(), entry);
      return;
    }
    showNew(entry);
    seen();
    refresh();
  }

  private void learn(Message message) {
    if (message.body() instanceof Body.Group(GroupChange change, var newOwner)) {
      switch (change) {
        case GroupChange.Created created -> titles.put(message.chat(), created.title());
        case GroupChange.Titled titled -> titles.put(message.chat(), titled.title());
        default -> {
          // Says nothing of the title.
        }
      }
    }
  }

  /// One line about another chat, if it is worth one.
  private void announce(Message message, EntryView entry) {
    boolean isMuted = muted.getOrDefault(message.chat(), 0L) > System.currentTimeMillis();
    boolean isMessage = entry.isMessage() && !(message.body() instanceof Body.Removed);
    boolean isRegistration = message.body() instanceof Body.Registered;
    if (message.own() || isMuted || !(isMessage || isRegistration || isAboutMe(message))) {
      return;
    }
    var chat = name(message.chat());
    var where = message.chat().isGroup() ? " in " + chat : "";
    var text = isSealed(entry) ? SEALED : entry.text();
    var what = isMessage ? entry.from() + where + ": " + text : said(entry) + where;
    screen.print("(" + what + " — /with " + chat + ")");
  }

  private boolean isAboutMe(Message message) {
    return message.body() instanceof Body.Group(GroupChange change, var newOwner)
        && (self.equals(newOwner)
            || (change instanceof GroupChange.Created(var title, var members, var a, var p)
                && members.contains(self))
            || (change instanceof GroupChange.Added(var users) && users.contains(self))
            || (change instanceof GroupChange.Removed(var user) && user.equals(self)));
  }

  @Override
  public synchronized void onSetting(Setting setting) {
    if (setting.hasChat()) {
      var chat = setting.getChat();
      if (UserId.isValid(chat.getChat())) {
        muted.put(ChatId.fromWire(self, chat.getChat(), chat.getGroup()), chat.getMuteUntilMs());
      }
    }
  }

  @Override
  public synchronized void onReceipt(ChatId chat, UserId member, long delivered, long read) {
    if (chat.equals(open) && !chat.isGroup() && (!member.equals(self) || chat.isSelf())) {
      moveTicks(() -> reached(delivered, read));
    }
  }

  @Override
  public synchronized void onGroupReceipt(ChatId group, long allDelivered, long allRead) {
    if (group.equals(open)) {
      moveTicks(() -> reached(allDelivered, allRead));
    }
  }

  @Override
  public synchronized void onReceiptCount(ReceiptCount told) {
    if (told.group().equals(open)) {
      moveTicks(() -> count = told);
    }
  }

  private void moveTicks(Runnable move) {
    var before = ticks();
    move.run();
    if (!screen.hasStatus() && !isLoading && ownSent > 0 && !ticks().equals(before)) {
      screen.print(ticks());
    }
    refresh();
  }

  private void reached(long delivered, long read) {
    // Read implies delivered.
    othersDelivered = Math.max(othersDelivered, Math.max(delivered, read));
    othersRead = Math.max(othersRead, read);
  }

  @Override
  public synchronized void onTyping(ChatId chat, UserId member, Typing what) {
    if (chat.equals(open) && !member.equals(self)) {
      boolean on = what != Typing.STOPPED;
      if (!screen.hasStatus() && on && !typing.containsKey(member)) {
        screen.print("(" + doing(member, what) + ")");
      }
      if (on) {
        typing.put(member, what);
      } else {
        typing.remove(member);
      }
      int heard = ++typingHeard;
      if (on) {
        whenTypingIsOver.execute(() -> stopTyping(heard));
      }
      refresh();
    }
  }

  private synchronized void stopTyping(int heard) {
    if (heard == typingHeard) {
      typing.clear();
      refresh();
    }
  }

  private String doing(UserId member, Typing what) {
    return names.of(member) + (what == Typing.VOICE ? " is recording…" : " is typing…");
  }

  @Override
  public synchronized void onPresence(Presence told) {
    if (open != null && !open.isGroup() && told.user().equals(open.peerOf(self))) {
      presence =
          told.online()
              ? "online"
              : told.lastSeenMillis() > 0
                  ? "last seen " + EntryView.clock(told.lastSeenMillis())
                  : "";
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
      if (entry.own() && entry.isMessage() && !screen.hasStatus()) {
        screen.print(ticks());
      }
    }
  }

  private void show(EntryView entry) {
    shown = Math.max(shown, entry.seq());
    if (entry.own() && entry.isMessage()) {
      ownSent = Math.max(ownSent, entry.seq());
    }
    screen.print(line(entry));
    remember(entry);
  }

  private String line(EntryView entry) {
    return entry.clock()
        + "  "
        + (entry.isMessage()
            ? entry.from() + ": " + answered(entry) + (isSealed(entry) ? SEALED : entry.text())
            : said(entry))
        + "  #"
        + entry.seq();
  }

  /// A message of another that is to be opened first.
  private static boolean isSealed(EntryView entry) {
    return entry.content().getViewOnce()
        && !entry.own()
        && !(Body.of(entry.content()) instanceof Body.Removed);
  }

  /// What an entry answers, in front of it.
  private String answered(EntryView entry) {
    long seq = entry.content().getReplyTo();
    return seq == 0 ? "" : "↩ #" + seq + quoted(seq) + " ";
  }

  /// An event as a sentence.
  private String said(EntryView entry) {
    boolean isReaction = Body.of(entry.content()) instanceof Body.Reacted;
    return entry.from()
        + " "
        + entry.phrase()
        + (isReaction ? quoted(entry.content().getTarget()) : "");
  }

  private String quoted(long seq) {
    var text = quotable.get(seq);
    return text == null ? "" : " “" + text + "”";
  }

  private void remember(EntryView entry) {
    switch (Body.of(entry.content())) {
      case Body.Text text when !isSealed(entry) -> quotable.put(entry.seq(), shorten(text.text()));
      case Body.Edited edited ->
          quotable.computeIfPresent(edited.target(), (seq, before) -> shorten(edited.text()));
      case Body.Revoked revoked -> quotable.remove(revoked.target());
      default -> {
        // Nothing to quote.
      }
    }
    if (quotable.size() > QUOTABLE_MAX) {
      quotable.pollFirstEntry();
    }
  }

  private static String shorten(String text) {
    var line = TerminalText.line(text);
    int characters = line.codePointCount(0, line.length());
    return characters <= QUOTE_CHARACTERS
        ? line
        : line.substring(0, line.offsetByCodePoints(0, QUOTE_CHARACTERS)) + "…";
  }

  private void seen() {
    if (open != null && shown > 0) {
      onShown.accept(open, shown);
    }
  }

  private void refresh() {
    if (screen.hasStatus() && open != null) {
      var status = new StringBuilder(name(open));
      if (!presence.isEmpty()) {
        status.append(" · ").append(presence);
      }
      typing.forEach((member, what) -> status.append(" · ").append(doing(member, what)));
      if (ownSent > 0) {
        status.append(" · ").append(ticks());
      }
      screen.status(status.append(" · ").append(connection).toString());
    }
  }

  /// How far the own messages have come; in a group, what everyone has, and how many have the
  /// newest that not everyone has read.
  private String ticks() {
    var text = new StringBuilder("✓ #" + ownSent);
    if (othersDelivered > 0) {
      text.append("  ✓✓ #").append(Math.min(othersDelivered, ownSent));
    }
    if (othersRead > 0) {
      text.append("  read #").append(Math.min(othersRead, ownSent));
    }
    if (count != null && count.seq() > othersRead) {
      text.append(
          "  (#%d: ✓✓ %d, read %d of %d)"
              .formatted(count.seq(), count.delivered(), count.read(), count.total()));
    }
    return text.toString();
  }

  /// What a person calls the chat, and may type behind /with.
  synchronized String name(ChatId chat) {
    if (chat.isSelf()) {
      return "notes to yourself";
    }
    var title = titles.get(chat);
    return title == null ? names.of(chat, self) : Names.GROUP_MARK + TerminalText.line(title);
  }
}
