package io.tern.router.catchup;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeliverBody;
import io.tern.protocol.DeviceId;
import io.tern.router.Delivery;
import io.tern.router.Hides;
import io.tern.router.Readers;
import io.tern.store.Entry;
import io.tern.store.KeyValues;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// One session's way from what its device has acknowledged to the present, as a plain object that
/// owns no thread and waits in no queue: it says which page to read next, and is told what came.
/// Confined to the session's event loop; the questions it gives out are immutable and run on a
/// reader.
///
/// While a chat is being caught up, live entries of it are held back from the session. Nothing is
/// lost between "read from the store" and "live", in one of two ways. What is held back while a
/// question about its chat is under way is the chat's *tail*: the page has what was committed
/// before its snapshot, the tail what came after, so a chat whose page holds all there was is live
/// with its tail behind it. When the tail is full it is let go (the store has it) and the chat is
/// *dirty*: it stays behind however much the question found, and is looked at again.
///
/// Without tails nobody in a busy group came back to live: its entries are closer to one another
/// than a page to its question, and a page costs several times what the entries in it cost live
/// (docs/adr/0012).
///
/// When nobody knows which chats hold something, the user's chat list is scanned first. Chats that
/// the scan has passed and found complete are live at once; those it has not reached are held back.
///
/// The order of pushing: chats with the newest entries first, a piece of each in turn.
///
/// Bounds: at most `chatsMax` chats are told apart, and as many that were held back by a scan; the
/// scan waits while they are nearly that many, and if more fall behind at once, a scan finds them
/// again. Tails hold [#TAIL_ENTRIES_MAX] entries and [#TAIL_BYTES_MAX] bytes of bodies, and only
/// while a question is under way; a body is shared with everybody who has it in flight. Nothing is
/// kept of a session that is live.
public final class CatchUp {

  static final int TAIL_ENTRIES_MAX = 128;
  static final int TAIL_BYTES_MAX = 32 * 1024;

  /// What a reader found. Immutable.
  public static final class Page {

    private final Plan plan;
    private final List<Due> due;
    private final List<Item> items;
    private final List<Delivery.Entries> tail;
    private final List<Progress> progress;
    private final @Nullable Scanned scanned;

    private Page(
        Plan plan,
        List<Due> due,
        List<Item> items,
        List<Progress> progress,
        @Nullable Scanned scanned) {
      this(plan, due, items, List.of(), progress, scanned);
    }

    private Page(
        Plan plan,
        List<Due> due,
        List<Item> items,
        List<Delivery.Entries> tail,
        List<Progress> progress,
        @Nullable Scanned scanned) {
      this.plan = plan;
      this.due = due;
      this.items = items;
      this.tail = tail;
      this.progress = progress;
      this.scanned = scanned;
    }

    /// Chats whose due entries have been counted in this page, the newest first: for CATCH_UP_PAGE,
    /// RESET and the RECEIPT snapshot, before any entry.
    public List<Due> due() {
      return due;
    }

    /// Entries to push, in order.
    public List<Item> items() {
      return items;
    }

    /// Entries of chats that are live now, held back since the question was made: to be taken as
    /// live ones, after the items.
    public List<Delivery.Entries> tail() {
      return tail;
    }

    /// Adds every chat of which it has something to `to`.
    public void addChatsTo(Set<ChatId> to) {
      for (var one : due) {
        to.add(one.chat);
      }
      for (var item : items) {
        to.add(item.chat);
      }
      for (var entry : tail) {
        to.add(entry.chat());
      }
    }
  }

  /// One entry to push: `body` is its DELIVER body.
  public record Item(ChatId chat, long seq, boolean own, byte[] body) {}

  /// What is due of one chat.
  ///
  /// @param due entries that will be pushed
  /// @param position the first of them comes behind this seq
  /// @param resetTo 0, or the seq after which pushing starts, to be announced with RESET: because
  ///   the backlog is too long, because the user sees the chat from there on only (they joined, or
  ///   came back), or because the device is new and starts from the present
  /// @param peerDelivered direct chats: the other user's watermarks; else 0
  public record Due(
      ChatId chat,
      long head,
      long due,
      long position,
      long resetTo,
      long peerDelivered,
      long peerRead) {}

  /// A chat that is behind.
  private static final class Behind {
    final ChatId chat;

    /// Seq to read next; 0 = after what the device has acknowledged.
    long next;

    /// Whether it is known how much is due.
    boolean counted;

    /// Whether a question about it is under way.
    boolean asked;

    /// What was held back since then, unless dirty; null for nothing.
    @Nullable ArrayList<Delivery.Entries> tail;

    /// Whether a live entry was held back since then that is not in the tail.
    boolean dirty;

    long newestMillis;

    /// Whether it has had a turn.
    boolean moved;

    /// Tells a page that was asked for before a new start.
    int start;

    /// Whether a device without a position here starts from the present.
    final boolean fromPresent;

    /// Where the present begins: the first entry that came live, or that was counted as due. 0 =
    /// not known yet; then it is behind the head.
    long present;

    Behind(ChatId chat, long next, boolean fromPresent) {
      this.chat = chat;
      this.next = next;
      this.fromPresent = fromPresent;
    }
  }

  /// What one question asks of a chat.
  ///
  /// @param present see [Behind#present]
  private record Ask(
      ChatId chat, long next, boolean count, boolean fromPresent, long present, int start) {}

  /// One question: a piece of the chat list to look at, or chats to count and to read.
  ///
  /// @param fromPresent of a chat in which the device has no position only the head is told
  /// @param asks chats in the order to read them
  /// @param entries to read of them all; 0 = only count
  private record Plan(
      boolean scan,
      boolean fromPresent,
      @Nullable ChatId scanAfter,
      int scanChats,
      List<Ask> asks,
      int entries,
      int bytes) {}

  /// What one question found of a chat.
  ///
  /// @param next seq to read next
  /// @param more whether the snapshot held more
  /// @param moved whether entries of it are in the page
  /// @param newestMillis time of its newest entry; 0 when not looked at
  private record Progress(
      ChatId chat, long next, boolean more, boolean moved, long newestMillis, int start) {}

  /// How far a question came in the chat list.
  private record Scanned(@Nullable ChatId to, boolean done) {}

  /// Chats in one question.
  private static final int ASKS_MAX = 32;

  private static final Comparator<ChatId> KEY_ORDER =
      Comparator.comparingLong(ChatId::low).thenComparingLong(ChatId::high);

  private final DeviceId device;
  private final CatchUpConfig config;

  /// Chats that are behind, the next in turn first; null when there are none.
  private @Nullable LinkedHashMap<ChatId, Behind> behind;

  private boolean scanning;

  /// The chat that the scan has come to; null before the first.
  private @Nullable ChatId scanned;

  /// Chats that were held back because the scan has not passed them. They are looked at for their
  /// own sake: a new chat may reach the session before it reaches the list. Null when there is no
  /// scan.
  private @Nullable HashMap<ChatId, Long> heldInScan;

  /// The scan answers with heads: see [#startFromPresent].
  private boolean fromPresent;

  /// The scan began because too many chats fell behind, and reads positions only when they say what
  /// has been pushed.
  private boolean scanAfterAcks;

  /// The question under way.
  private @Nullable Plan asked;

  /// Whether a new start of everything has overtaken it.
  private boolean stale;

  private int tailEntries;
  private int tailBytes;

  public CatchUp(DeviceId device, CatchUpConfig config) {
    this.device = device;
    this.config = config;
  }

  /// Everything may be behind: after HELLO with what [io.tern.router.Directory#attach] said, on
  /// CATCH_UP without a chat with null. What was under way is forgotten.
  ///
  /// @param news the chats that may hold something, or null when every chat may
  public void startAll(@Nullable Set<ChatId> news) {
    fromPresent = false;
    behind = null;
    tailEntries = 0;
    tailBytes = 0;
    endScan();
    stale = asked != null;
    if (news == null || news.size() > config.chatsMax()) {
      startScan(false);
    } else {
      for (var chat : news) {
        chats().put(chat, new Behind(chat, 0, false));
      }
    }
  }

  /// The device is new and its user is not: it starts from the present. Each chat of the user's
  /// list is answered with its head ([Due#resetTo]); what comes behind is pushed.
  ///
  /// Should the session end before the device has acknowledged that, chats with nothing new since
  /// are answered so again.
  public void startFromPresent() {
    startAll(null);
    fromPresent = true;
  }

  /// One chat may be behind, from what its device has acknowledged: on a nudge, or on CATCH_UP of a
  /// chat.
  public void start(ChatId chat) {
    restart(chat, 0);
  }

  /// One chat is behind from `seq` on: a live entry that the session's window had no place for, or
  /// CATCH_UP with `from`. Entries below have been pushed.
  public void startAt(ChatId chat, long seq) {
    restart(chat, seq);
  }

  /// Whether a live entry must be held back. Notes that it was.
  public boolean holdsBack(Delivery.Entries entry) {
    var chat = entry.chat();
    long seq = entry.seq();
    if (behind != null) {
      var found = behind.get(chat);
      if (found != null) {
        if (found.fromPresent && found.present == 0) {
          // Also for the question under way, which may take this entry for one from before.
          found.present = seq;
          found.start++;
          soil(found);
        } else {
          addToTail(found, entry);
        }
        return true;
      }
    }
    if (!scanning || hasScanned(chat)) {
      return false;
    }
    if (heldInScan == null) {
      heldInScan = new HashMap<>();
    }
    if (heldInScan.putIfAbsent(chat, seq) == null && heldInScan.size() > config.chatsMax()) {
      heldInScan.clear();
      startScan(scanAfterAcks);
    }
    return true;
  }

  /// Whether the session is live in every chat.
  public boolean isLive() {
    return behind == null && !scanning;
  }

  /// The chats that are behind, for [io.tern.router.Directory#detach] (together with the chats that
  /// have unacknowledged entries in flight); null when not all of them are known.
  public @Nullable Set<ChatId> behind() {
    if (scanning) {
      return null;
    }
    return behind == null ? Set.of() : Set.copyOf(behind.keySet());
  }

  /// The question to ask a reader now, or null when there is nothing to do until a page arrives,
  /// the window opens, or a new start.
  ///
  /// @param windowEntries free places in the session's window
  /// @param windowBytes free bytes in it
  /// @param inFlight entries pushed and not acknowledged
  public @Nullable Function<Readers.Shards, Page> next(
      int windowEntries, int windowBytes, int inFlight) {
    if (asked != null || isLive()) {
      return null;
    }
    var plan = plan(windowEntries, windowBytes, inFlight);
    if (plan == null) {
      return null;
    }
    asked = plan;
    return shards -> new Question(plan, device, config, shards).answer();
  }

  /// Takes what the reader found and returns what the session pushes now: the page's summaries,
  /// then its items, in order. What has been overtaken by a new start since the question was asked
  /// is left out. Ask [#isLive] afterwards.
  public Page onPage(Page page) {
    assert page.plan.equals(asked) : "a page that was not asked for";
    asked = null;
    if (stale) {
      stale = false;
      return new Page(page.plan, List.of(), List.of(), List.of(), null);
    }
    return page.scanned != null ? onScanned(page, page.scanned) : onRead(page);
  }

  /// The reader had no place or failed: [#next] will offer the same page again.
  public void onPageFailed() {
    // The chats of the question are still behind, and the next snapshot is a later one.
    if (behind != null) {
      for (var chat : behind.values()) {
        chat.asked = false;
        takeTail(chat);
      }
    }
    asked = null;
    stale = false;
  }

  // ---- starting

  private void restart(ChatId chat, long seq) {
    var known = behind == null ? null : behind.get(chat);
    if (known != null) {
      soil(known);
      if (seq != 0 && known.next <= seq) {
        // On its way to seq anyway.
        return;
      }
      known.next = seq;
      known.counted = false;
      known.start++;
    } else if (behind == null || behind.size() < config.chatsMax()) {
      var added = new Behind(chat, seq, fromPresent);
      if (heldInScan != null) {
        added.present = heldInScan.getOrDefault(chat, 0L);
      }
      chats().put(chat, added);
    } else if (!scanning || hasScanned(chat)) {
      // From now on everything is held back again.
      startScan(true);
    }
  }

  private Map<ChatId, Behind> chats() {
    if (behind == null) {
      behind = new LinkedHashMap<>();
    }
    return behind;
  }

  private void startScan(boolean afterAcks) {
    scanning = true;
    scanned = null;
    scanAfterAcks = afterAcks;
    stale |= asked != null && asked.scan;
  }

  private void endScan() {
    scanning = false;
    scanned = null;
    heldInScan = null;
    fromPresent = false;
  }

  private boolean hasScanned(ChatId chat) {
    return scanned != null && KEY_ORDER.compare(chat, scanned) <= 0;
  }

  // ---- tails

  private void addToTail(Behind chat, Delivery.Entries entry) {
    int bytes = entry.body().length;
    if (!chat.asked
        || chat.dirty
        || tailEntries == TAIL_ENTRIES_MAX
        || tailBytes + bytes > TAIL_BYTES_MAX) {
      soil(chat);
      return;
    }
    var tail = chat.tail;
    if (tail == null) {
      tail = new ArrayList<>();
      chat.tail = tail;
    }
    tail.add(entry);
    tailEntries++;
    tailBytes += bytes;
  }

  /// The chat must be looked at again.
  private void soil(Behind chat) {
    chat.dirty = true;
    takeTail(chat);
  }

  private List<Delivery.Entries> takeTail(Behind chat) {
    var tail = chat.tail;
    if (tail == null) {
      return List.of();
    }
    chat.tail = null;
    tailEntries -= tail.size();
    for (var entry : tail) {
      tailBytes -= entry.body().length;
    }
    return tail;
  }

  // ---- asking

  private @Nullable Plan plan(int windowEntries, int windowBytes, int inFlight) {
    int known = behind == null ? 0 : behind.size();
    boolean roomToScan = known + scanChats() <= config.chatsMax() || known == 0;
    if (scanning && roomToScan && (!scanAfterAcks || inFlight == 0)) {
      return new Plan(true, fromPresent, scanned, scanChats(), List.of(), 0, 0);
    }
    if (behind == null) {
      return null;
    }
    boolean open = windowEntries > 0 && windowBytes > 0;
    var uncounted = new ArrayList<Ask>();
    for (var chat : behind.values()) {
      if (!chat.counted) {
        if (uncounted.size() == ASKS_MAX) {
          break;
        }
        uncounted.add(
            new Ask(chat.chat, chat.next, true, chat.fromPresent, chat.present, chat.start));
      }
    }
    if (!uncounted.isEmpty()) {
      // Who comes first is known when all have been counted.
      boolean all = uncounted.size() == behind.size();
      return readingPlan(uncounted, open && all, windowEntries, windowBytes);
    }
    if (!open) {
      return null;
    }
    var asks = new ArrayList<Ask>();
    for (var chat : behind.values()) {
      if (asks.size() == ASKS_MAX) {
        break;
      }
      asks.add(new Ask(chat.chat, chat.next, false, false, 0, chat.start));
    }
    return readingPlan(asks, true, windowEntries, windowBytes);
  }

  private Plan readingPlan(List<Ask> asks, boolean read, int windowEntries, int windowBytes) {
    for (var ask : asks) {
      var chat = chats().get(ask.chat);
      if (chat != null) {
        chat.dirty = false;
        chat.asked = true;
      }
    }
    return new Plan(
        false,
        false,
        null,
        0,
        asks,
        read ? Math.min(windowEntries, config.pageEntries()) : 0,
        read ? Math.min(windowBytes, config.pageBytes()) : 0);
  }

  private int scanChats() {
    return Math.clamp(config.chatsMax() / 4, 1, ASKS_MAX);
  }

  // ---- taking answers

  private Page onScanned(Page page, Scanned reached) {
    scanned = reached.to;
    var due = new ArrayList<Due>();
    for (int i = 0; i < page.progress.size(); i++) {
      var found = page.progress.get(i);
      if ((behind == null || !behind.containsKey(found.chat)) && !isOvertaken(found)) {
        var chat = new Behind(found.chat, found.next, fromPresent);
        chat.counted = true;
        chat.newestMillis = found.newestMillis;
        chat.present = found.next;
        chats().put(found.chat, chat);
        due.add(page.due.get(i));
      }
    }
    if (heldInScan != null) {
      for (var all = heldInScan.entrySet().iterator(); all.hasNext(); ) {
        var held = all.next();
        var chat = held.getKey();
        if (reached.done || hasScanned(chat)) {
          all.remove();
          Behind missed = chats().computeIfAbsent(chat, added -> new Behind(added, 0, fromPresent));
          missed.dirty = true;
          if (missed.present == 0) {
            missed.present = held.getValue();
          }
        }
      }
    }
    if (reached.done) {
      endScan();
    }
    newestFirst();
    return new Page(page.plan, due, List.of(), List.of(), null);
  }

  /// Whether the head that a scan from the present found is that of an entry which came since: that
  /// one is pushed.
  private boolean isOvertaken(Progress found) {
    var held = fromPresent && heldInScan != null ? heldInScan.get(found.chat) : null;
    return held != null && held < found.next;
  }

  private Page onRead(Page page) {
    Set<ChatId> overtaken = null;
    List<Delivery.Entries> tail = List.of();
    boolean counted = false;
    for (var found : page.progress) {
      var chat = behind == null ? null : behind.get(found.chat);
      List<Delivery.Entries> held = List.of();
      if (chat != null) {
        chat.asked = false;
        held = takeTail(chat);
      }
      if (chat == null || chat.start != found.start) {
        if (overtaken == null) {
          overtaken = new HashSet<>();
        }
        overtaken.add(found.chat);
        continue;
      }
      counted |= !chat.counted;
      chat.counted = true;
      if (chat.fromPresent && chat.present == 0) {
        chat.present = firstDue(page, found);
      }
      chat.next = found.next;
      chat.newestMillis = Math.max(chat.newestMillis, found.newestMillis);
      if (!found.more && !chat.dirty) {
        chats().remove(found.chat);
        for (var entry : held) {
          if (entry.seq() >= found.next) {
            tail = tail.isEmpty() ? new ArrayList<>() : tail;
            tail.add(entry);
          }
        }
      } else if (found.moved) {
        // Its turn is over.
        chat.moved = true;
        chats().remove(found.chat);
        chats().put(found.chat, chat);
      }
    }
    if (behind != null && behind.isEmpty()) {
      behind = null;
    }
    if (counted && page.items.isEmpty()) {
      newestFirst();
    }
    if (overtaken == null) {
      return tail.isEmpty()
          ? page
          : new Page(page.plan, page.due, page.items, tail, List.of(), null);
    }
    var gone = overtaken;
    return new Page(
        page.plan,
        page.due.stream().filter(due -> !gone.contains(due.chat)).toList(),
        page.items.stream().filter(item -> !gone.contains(item.chat)).toList(),
        tail,
        List.of(),
        null);
  }

  private static long firstDue(Page page, Progress found) {
    for (var due : page.due) {
      if (due.chat.equals(found.chat)) {
        return due.position + 1;
      }
    }
    return found.next;
  }

  private void newestFirst() {
    if (behind == null || behind.size() < 2) {
      return;
    }
    var sorted = new ArrayList<>(behind.values());
    sorted.sort(
        Comparator.comparing((Behind chat) -> chat.moved)
            .thenComparingLong(chat -> chat.moved ? 0 : -chat.newestMillis));
    behind.clear();
    for (var chat : sorted) {
      behind.put(chat.chat, chat);
    }
  }

  /// A plan at work on a reader.
  private static final class Question {
    private final Plan plan;
    private final DeviceId device;
    private final CatchUpConfig config;
    private final Readers.Shards shards;
    private final ArrayList<Due> due = new ArrayList<>();
    private final ArrayList<Item> items = new ArrayList<>();
    private final ArrayList<Progress> progress = new ArrayList<>();

    /// See [#bornMillis]; negative until asked for.
    private long born = -1;

    Question(Plan plan, DeviceId device, CatchUpConfig config, Readers.Shards shards) {
      this.plan = plan;
      this.device = device;
      this.config = config;
      this.shards = shards;
    }

    Page answer() {
      var scanned = plan.scan ? scan() : null;
      if (!plan.scan) {
        read();
      }
      return new Page(plan, due, items, progress, scanned);
    }

    private Scanned scan() {
      var user = device.user();
      var chats = Reads.chatsOf(shards.of(Slots.of(user)), user, plan.scanAfter, plan.scanChats);
      for (var chat : chats) {
        var summary = Reads.summary(shards.of(Slots.of(chat)), chat, device);
        if (summary != null && summary.head() > summary.position()) {
          count(chat, 0, summary, plan.fromPresent, 0, 0);
        }
      }
      var newest = new HashMap<ChatId, Long>();
      progress.forEach(found -> newest.put(found.chat, -found.newestMillis));
      progress.sort(Comparator.comparing(found -> newest.getOrDefault(found.chat, 0L)));
      due.sort(Comparator.comparing(found -> newest.getOrDefault(found.chat, 0L)));
      boolean done = chats.size() < plan.scanChats;
      return new Scanned(chats.isEmpty() ? plan.scanAfter : chats.getLast(), done);
    }

    private void read() {
      var cursors = new ArrayList<Cursor>(plan.asks.size());
      for (var ask : plan.asks) {
        var cursor = new Cursor(ask);
        if (ask.count) {
          cursor.count();
        }
        cursors.add(cursor);
      }
      if (plan.asks.size() > 1 && plan.asks.getFirst().count) {
        cursors.sort(Comparator.comparingLong((Cursor c) -> c.newestMillis).reversed());
        due.sort(Comparator.comparingLong((Due d) -> newest(cursors, d.chat)).reversed());
      }
      int bytesLeft = plan.bytes;
      int entriesLeft = plan.entries;
      boolean some = true;
      while (some && entriesLeft > 0 && bytesLeft > 0) {
        some = false;
        for (var cursor : cursors) {
          if (cursor.more && entriesLeft > 0 && bytesLeft > 0) {
            int before = items.size();
            bytesLeft -= cursor.piece(entriesLeft, bytesLeft);
            entriesLeft -= items.size() - before;
            some = true;
          }
        }
      }
      for (var cursor : cursors) {
        progress.add(cursor.progress());
      }
    }

    private static long newest(List<Cursor> cursors, ChatId chat) {
      for (var cursor : cursors) {
        if (cursor.ask.chat.equals(chat)) {
          return cursor.newestMillis;
        }
      }
      return 0;
    }

    /// Says what is due and returns where to begin.
    private long count(
        ChatId chat,
        long from,
        Reads.Summary summary,
        boolean fromPresent,
        long present,
        int start) {
      long next = from == 0 ? summary.position() + 1 : from;
      long resetTo = 0;
      if (fromPresent && summary.position() == 0) {
        long first = from == 0 ? present : from;
        resetTo = first == 0 ? summary.head() : Math.min(first - 1, summary.head());
      } else if (from == 0 && summary.position() == 0 && lastMillis(summary) < bornMillis()) {
        // It was to start from the present, and its first session ended before it said that it had.
        resetTo = summary.head();
      } else if (summary.head() - Math.max(next, summary.first()) >= config.backlogMax()) {
        resetTo = summary.head() - config.backlogMax();
      } else if (next < summary.first()) {
        resetTo = summary.first() - 1;
      }
      next = Math.max(next, resetTo + 1);
      long behind = summary.head() - next + 1;
      long newestMillis = summary.last() == null ? 0 : summary.last().tsMillis();
      due.add(
          new Due(
              chat,
              summary.head(),
              behind,
              next - 1,
              resetTo,
              summary.peerDelivered(),
              summary.peerRead()));
      if (plan.scan) {
        progress.add(new Progress(chat, next, true, false, newestMillis, start));
      }
      return next;
    }

    private static long lastMillis(Reads.Summary summary) {
      return summary.last() == null ? 0 : summary.last().tsMillis();
    }

    /// When the device was new; 0 for its user's first.
    private long bornMillis() {
      if (born < 0) {
        var user = device.user();
        long own = 0;
        long first = Long.MAX_VALUE;
        for (var one : Reads.devices(shards.of(Slots.of(user)), user)) {
          first = Math.min(first, one.createdMillis());
          own = one.index() == device.index() ? one.createdMillis() : own;
        }
        born = own > first ? own : 0;
      }
      return born;
    }

    /// One chat of the plan.
    private final class Cursor {
      final Ask ask;
      long next;
      boolean more = true;
      boolean moved;
      long newestMillis;

      Cursor(Ask ask) {
        this.ask = ask;
        next = ask.next;
      }

      void count() {
        var summary = Reads.summary(shard(), ask.chat, device);
        if (summary == null) {
          more = false;
          next = Math.max(1, next);
          return;
        }
        newestMillis = summary.last() == null ? 0 : summary.last().tsMillis();
        long from = next == 0 ? summary.position() + 1 : next;
        if (summary.head() < from) {
          next = from;
          more = false;
        } else {
          next =
              Question.this.count(ask.chat, next, summary, ask.fromPresent, ask.present, ask.start);
        }
      }

      /// Reads some entries and returns their bytes.
      int piece(int entriesMax, int bytesMax) {
        var page =
            Reads.after(
                shard(),
                ask.chat,
                device.user(),
                next,
                Math.min(config.pieceEntries(), entriesMax),
                bytesMax);
        if (!ask.count && page.head() - next >= config.backlogMax()) {
          // Fell behind by too much while it was being caught up.
          count();
          return 0;
        }
        int bytes = 0;
        for (var entry : Hides.applied(shards, device.user(), page.entries())) {
          boolean own = entry.sender().user().equals(device.user());
          byte[] body = body(entry, own);
          items.add(new Item(ask.chat, entry.seq(), own, body));
          bytes += body.length;
          next = entry.seq() + 1;
          moved = true;
        }
        more = page.more();
        return bytes;
      }

      Progress progress() {
        return new Progress(ask.chat, next, more, moved, newestMillis, ask.start);
      }

      private KeyValues shard() {
        return shards.of(Slots.of(ask.chat));
      }
    }

    private static byte[] body(Entry entry, boolean own) {
      return DeliverBody.encode(
          entry.chat().isGroup() ? entry.sender().user().value() : 0,
          entry.sender().index(),
          entry.tsMillis(),
          entry.content(),
          own ? entry.csn() : 0,
          entry.editedMillis());
    }
  }
}
