package io.tern.edge.session;

import com.google.protobuf.InvalidProtocolBufferException;
import io.netty.buffer.ByteBuf;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.CatchUpPage;
import io.tern.protocol.v1.ChatDue;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.ReceiptCount;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import io.tern.router.Delivery;
import io.tern.router.Trace.At;
import io.tern.router.catchup.CatchUp;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What a session pushes: live entries, the catch-up from the store, receipts. Confined to the
/// session's event loop.
///
/// No queue: a live entry that finds the window or the socket full is dropped. What went to many is
/// taken later from what the loop keeps for all of them ([Trail]); else the chat is caught up from
/// the store ([CatchUp], which keeps a few while a page is under way). Receipts merge by max.
///
/// Whoever hides what they read is not told what others read. What the user's privacy says is read
/// when it is first needed, or with a page of catch-up. From then on it is heard of in the self
/// chat: with the live entry, be it pushed now or later, so that it is good for every session of
/// the user at once, however far behind.
///
/// Bounds: a window of `windowEntries` and `windowBytes`, [HeldReceipts#PLACES_MAX] merged
/// receipts, one page of catch-up under way. What is empty is let go.
final class Outbound {

  /// RESETs that a session remembers until they are acknowledged; when there are more, it does not
  /// know what is due, and the device's next session looks at every chat.
  private static final int RESETS_MAX = 1_024;

  private static final byte[] NO_BODY = {};

  /// How an entry is pushed, for the trace.
  private static final int LIVE = 0;

  private static final int CAUGHT_UP = 1;

  private final SessionLogic session;
  private final EdgeContext edge;
  private final SessionHost host;

  private boolean pageAsked;

  /// The page whose summaries are being told, which may end the session: what it holds is not in
  /// the window yet, and its chats may be no longer behind.
  private CatchUp.@Nullable Page arriving;

  /// From the login, or a CATCH_UP, until there is nothing left: such pages give way to live
  /// traffic.
  private boolean returning;

  /// Of a returning device's page that waits or is under way.
  private Turns.@Nullable Turn turn;

  private boolean behindTold;
  private boolean catchUpHasRid;
  private int catchUpRid;
  private int reservedEntries;
  private int reservedBytes;
  private int windowEntries;
  private @Nullable CatchUp catchUp;

  /// Of one chat; whoever has more than one goes to the store.
  private @Nullable Trail trail;

  private @Nullable Window window;
  private @Nullable HeldReceipts heldReceipts;

  /// Whether the user hides what they read; null while not known.
  private @Nullable Boolean hidesReads;

  /// The newest entry of the self chat with the user's privacy that has been heard of here.
  private long privacySeq;

  private boolean learning;

  /// Whether an entry has said so since the page under way was asked for: it may know better.
  private boolean settingsPassed;

  /// Chats whose RESET has been told and not acknowledged: that acknowledgement is free, as one of
  /// an entry is.
  private @Nullable Set<ChatId> resets;

  /// There were more of them than [#RESETS_MAX].
  private boolean moreResets;

  /// Chats of entries that came between the route and its answer, with the first one's seq; 0 for a
  /// nudge.
  private @Nullable Map<ChatId, Long> earlyChats;

  /// A page of catch-up, and the user's privacy.
  private record Found(CatchUp.Page page, boolean hidesReads) {}

  Outbound(SessionLogic session) {
    this.session = session;
    edge = session.edge();
    host = session.host();
    windowEntries = edge.limits().windowEntries();
  }

  int windowEntries() {
    return windowEntries;
  }

  /// The client wants fewer in flight.
  void narrowWindow(int entries) {
    windowEntries = Math.min(windowEntries, entries);
  }

  /// The session is live: pushes what came while it logged in, and what came before.
  ///
  /// @param news chats that may hold something; null when every chat may
  /// @param fromPresent the device is new and its user is not: of what came before, only where each
  ///   chat stands
  void begin(@Nullable Set<ChatId> news, boolean fromPresent) {
    CatchUp behind = startCatchUp();
    returning = true;
    if (fromPresent) {
      behind.startFromPresent();
    } else {
      behind.startAll(news);
    }
    Map<ChatId, Long> early = earlyChats;
    if (early != null) {
      earlyChats = null;
      early.forEach((chat, seq) -> {
        if (fromPresent && seq != 0) {
          behind.startAt(chat, seq);
        } else {
          behind.start(chat);
        }
      });
    }
    advance();
  }

  /// Whether there are entries that should have been pushed by now.
  boolean isBehind() {
    return catchUp != null || trail != null;
  }

  // ---- live ------------------------------------------------------------------------------------

  /// A committed entry of one of this user's chats. False when the session has ended: whoever holds
  /// the entry makes it news.
  ///
  /// @param recent what the loop keeps; null: if there is no room, the store is asked
  boolean onEntry(Delivery.Entries entry, @Nullable RecentEntries recent, long now) {
    if (session.isClosing()) {
      return false;
    }
    if (!session.isLive()) {
      noteEarly(entry.chat(), entry.seq());
      return true;
    }
    boolean own = entry.sender().equals(session.user());
    byte[] body = own ? entry.ownBody() : entry.body();
    if (entry.chat().isSelf()) {
      noteSettings(body, entry.seq(), LIVE);
    }
    // It may leave the trail and begin to catch up.
    boolean trailed = isTrailedBy(entry);
    CatchUp behind = catchUp;
    if (trailed || (behind != null && behind.holdsBack(entry))) {
      holdBack(entry, now);
    } else if (hasRoomFor(body.length) && host.isWritable()) {
      deliver(entry.chat(), entry.seq(), own, body, LIVE, now);
    } else {
      holdBack(entry, now);
      RecentEntries.Tail tail =
          recent == null || trail != null ? null : recent.with(entry.chat(), entry.seq());
      if (tail == null) {
        fallBehind(entry.chat(), entry.seq());
      } else {
        trail = new Trail(tail, entry.seq());
        edge.counters().add(Count.TRAILS);
      }
    }
    return true;
  }

  private void holdBack(Delivery.Entries entry, long now) {
    edge.counters().add(Count.ENTRIES_HELD_BACK);
    session.sampler().note(At.HELD_BACK, session, entry.chat(), entry.seq(), 0, now);
  }

  private boolean isTrailedBy(Delivery.Entries entry) {
    Trail t = trail;
    if (t == null || !t.tail().chat().equals(entry.chat())) {
      return false;
    }
    if (t.extend(entry.seq())) {
      return true;
    }
    leaveTrail(t);
    return false;
  }

  /// Pushes what there is room for of what the loop kept.
  private void follow(long now) {
    Trail t = trail;
    while (t != null) {
      Delivery.Entries entry = t.tail().find(t.next());
      if (entry == null) {
        leaveTrail(t);
        return;
      }
      boolean own = entry.sender().equals(session.user());
      byte[] body = own ? entry.ownBody() : entry.body();
      if (!hasRoomFor(body.length) || !host.isWritable()) {
        return;
      }
      deliver(entry.chat(), entry.seq(), own, body, LIVE, now);
      t.pushed();
      if (t.isDone()) {
        trail = null;
        return;
      }
    }
  }

  /// The store has what the loop no longer keeps.
  private void leaveTrail(Trail t) {
    trail = null;
    fallBehind(t.tail().chat(), t.next());
  }

  private boolean trails(ChatId chat) {
    return trail != null && trail.tail().chat().equals(chat);
  }

  private boolean hasRoomFor(int bytes) {
    Window w = window;
    int usedEntries = reservedEntries + (w == null ? 0 : w.entries());
    int usedBytes = reservedBytes + (w == null ? 0 : w.bytes());
    return usedEntries < windowEntries
        && (usedBytes == 0 || usedBytes + bytes <= edge.limits().windowBytes());
  }

  private void deliver(ChatId chat, long seq, boolean own, byte[] body, int how, long now) {
    Window w = window;
    if (w == null) {
      w = new Window();
      window = w;
    }
    w.add(chat, seq, body.length);
    session.sampler().onDeliver(session.id(), chat, seq, now);
    session.sampler().note(At.WRITTEN, session, chat, seq, how, now);
    edge.counters().add(Count.DELIVERS);
    if (chat.isSelf() && how == CAUGHT_UP) {
      noteSettings(body, seq, how);
    }
    host.write(
        FrameType.DELIVER,
        FrameHeader.CHAT
            | FrameHeader.SEQ
            | SessionLogic.groupFlag(chat)
            | (own ? FrameHeader.OWN : 0),
        0,
        session.wireId(chat),
        seq,
        body);
  }

  /// Whether the entry was pushed and is not acknowledged.
  boolean isPushed(ChatId chat, long seq) {
    return window != null && window.holds(chat, seq);
  }

  /// The device has stored the chat's entries up to `seq`. False when that acknowledges nothing
  /// that was pushed.
  boolean onAcknowledged(ChatId chat, long seq, long now) {
    if (window == null || window.acknowledge(chat, seq) == 0) {
      return acknowledgeReset(chat);
    }
    acknowledgeReset(chat);
    session.sampler().onAck(session.id(), chat, seq, now);
    follow(now);
    if (catchUp != null) {
      advance();
    }
    return true;
  }

  // ---- receipts --------------------------------------------------------------------------------

  /// Someone's watermarks.
  void onReceipt(Delivery.Receipts receipt, long now) {
    if (session.isLive()) {
      tell(receipt.chat(), receipt.member(), receipt.delivered(), receipt.read(), null, now);
    }
  }

  /// How far a group has got with what this user wrote.
  void onProgress(Delivery.Progress progress, long now) {
    if (session.isLive()) {
      tell(
          progress.chat(),
          null,
          progress.delivered(),
          progress.read(),
          ReceiptCount.newBuilder()
              .setSeq(progress.seq())
              .setTotal(progress.total())
              .setDelivered(progress.deliveredTo())
              .setRead(progress.readBy())
              .build(),
          now);
    }
  }

  /// @param member null = what everyone in a group has reached
  private void tell(
      ChatId chat,
      @Nullable UserId member,
      long delivered,
      long read,
      @Nullable ReceiptCount count,
      long now) {
    boolean ofOthers = member == null || !member.equals(session.user());
    boolean mustLearn = ofOthers && hidesReads == null;
    if (host.isWritable() && !mustLearn) {
      write(chat, member, delivered, read, count);
      return;
    }
    edge.counters().add(Count.RECEIPTS_HELD);
    HeldReceipts receipts = heldReceipts;
    if (receipts == null) {
      receipts = new HeldReceipts();
      heldReceipts = receipts;
    }
    if (!receipts.merge(chat, member, delivered, read, count)) {
      // A new session starts from what the store knows; here something would be lost unseen.
      session.close(CloseReason.STALLED, "receipts of more than 256 chats wait", now);
    } else if (mustLearn) {
      learnPrivacy();
    }
  }

  private void write(
      ChatId chat,
      @Nullable UserId member,
      long delivered,
      long read,
      @Nullable ReceiptCount count) {
    UserId user = session.user();
    boolean own = user.equals(member);
    boolean hidden = !own && Boolean.TRUE.equals(hidesReads);
    long shownRead = hidden ? 0 : read;
    // What is read counts as delivered.
    long shownDelivered = Math.max(delivered, read);
    var receipt =
        Receipt.newBuilder()
            .setMember(member == null || (!chat.isGroup() && !own) ? 0 : member.value())
            .setDelivered(shownDelivered > shownRead ? shownDelivered : 0)
            .setRead(shownRead);
    if (count != null) {
      receipt.setCount(hidden ? count.toBuilder().clearRead().build() : count);
    }
    edge.counters().add(count == null ? Count.RECEIPTS : Count.GROUP_RECEIPTS);
    host.write(
        FrameType.RECEIPT,
        FrameHeader.CHAT | SessionLogic.groupFlag(chat),
        0,
        session.wireId(chat),
        0,
        receipt.build().toByteArray());
  }

  private void tellHeld() {
    HeldReceipts receipts = heldReceipts;
    if (receipts == null || !host.isWritable()) {
      return;
    }
    if (hidesReads == null) {
      learnPrivacy();
    } else {
      heldReceipts = null;
      receipts.drainTo(this::write);
    }
  }

  // ---- the user's privacy ----------------------------------------------------------------------

  /// Whether the user hides what they read. Null: a reader is asked, and held frames are taken up
  /// again when it has said.
  @Nullable Boolean hidesReads() {
    if (hidesReads == null) {
      learnPrivacy();
    }
    return hidesReads;
  }

  private void learnPrivacy() {
    if (learning || hidesReads != null) {
      return;
    }
    UserId user = session.user();
    learning =
        session
            .requests()
            .ask(
                shards -> Visibility.hidesReads(shards, user),
                hides -> {
                  learning = false;
                  learned(hides);
                },
                () -> {
                  learning = false;
                  host.wakeIn(Requests.RETRY_MILLIS);
                });
    if (!learning) {
      host.wakeIn(Requests.RETRY_MILLIS);
    }
  }

  private void learned(boolean hides) {
    if (hidesReads == null) {
      hidesReads = hides;
      tellHeld();
      session.unhold();
    }
  }

  /// The user has changed settings, here or on another device. Returns whether there is privacy
  /// among them that has not been heard of.
  ///
  /// @param seq of the entry of the self chat that has them
  boolean onOwnSettings(List<Setting> settings, long seq) {
    if (!heardOfPrivacy(settings, seq)) {
      return false;
    }
    for (Setting setting : settings) {
      if (setting.hasPrivacy()) {
        hidesReads = setting.getPrivacy().getHideReadReceipts();
      }
    }
    settingsPassed = true;
    tellHeld();
    return true;
  }

  private boolean heardOfPrivacy(List<Setting> settings, long seq) {
    boolean isNews = seq > privacySeq && settings.stream().anyMatch(Setting::hasPrivacy);
    if (isNews) {
      privacySeq = seq;
    }
    return isNews;
  }

  /// @param body DELIVER's, of the self chat
  private void noteSettings(byte[] body, long seq, int how) {
    try {
      Content content = Deliver.parseFrom(body).getContent();
      if (content.getKind() == Kind.KIND_SETTING) {
        List<Setting> settings = Settings.parseFrom(content.getBody()).getSetList();
        if (how == LIVE) {
          session.onOwnSettings(settings, seq);
        } else if (heardOfPrivacy(settings, seq)) {
          // What it says may be outdated: the page knew.
          session.onPrivacyChanged();
        }
      }
    } catch (InvalidProtocolBufferException e) {
      // It was scanned before it was stored.
      throw new IllegalStateException("stored content of a self chat", e);
    }
  }

  /// Something this device should have acknowledged by now was not. Returns false when the session
  /// has ended: the nudge is then for the device's next one.
  ///
  /// @param from what it has certainly not been given, from here on; 0 = not known
  boolean onNudge(ChatId chat, long from) {
    if (session.isClosing()) {
      return false;
    }
    if (!session.isLive()) {
      noteEarly(chat, 0);
    } else if (trail != null && trails(chat) && (from == 0 || from >= trail.next())) {
      // On its way.
      return true;
    } else if (from > 0) {
      forgetTrail(chat);
      startCatchUp().startAt(chat, from);
      advance();
    } else if (window == null || !window.holds(chat)) {
      startCatchUp().start(chat);
      advance();
    }
    return true;
  }

  private void noteEarly(ChatId chat, long seq) {
    Map<ChatId, Long> early = earlyChats;
    if (early == null) {
      early = new HashMap<>();
      earlyChats = early;
    }
    early.putIfAbsent(chat, seq);
  }

  // ---- catching up -----------------------------------------------------------------------------

  boolean onCatchUp(FrameHeader header, ByteBuf in, long now) {
    if (session.requests().mustHold()) {
      return false;
    }
    var request =
        session
            .requests()
            .request(FrameType.CATCH_UP, io.tern.protocol.v1.CatchUp.parser(), header, in, now);
    if (request == null) {
      return true;
    }
    if (request.getFrom() < 0 || (request.getFrom() != 0 && !header.has(FrameHeader.CHAT))) {
      session.refuse(header.rid(), ErrorCode.ARGUMENT, 0, "needs CHAT", "from");
      return true;
    }
    if (catchUpHasRid) {
      session.refuse(header.rid(), ErrorCode.BUSY, 1000, "a catch-up is under way", "");
      return true;
    }
    ChatId chat = null;
    if (header.has(FrameHeader.CHAT)) {
      chat = session.requests().chatOfRequest(header);
      if (chat == null) {
        return true;
      }
    }
    CatchUp behind = startCatchUp();
    forgetTrail(chat);
    if (chat == null) {
      behind.startAll(null);
    } else if (request.getFrom() != 0) {
      behind.startAt(chat, request.getFrom());
    } else {
      behind.start(chat);
    }
    returning = true;
    catchUpHasRid = true;
    catchUpRid = header.rid();
    advance();
    return true;
  }

  /// The store is about to be asked for all of this chat, or of every chat.
  private void forgetTrail(@Nullable ChatId chat) {
    if (chat == null || trails(chat)) {
      trail = null;
    }
  }

  private CatchUp startCatchUp() {
    CatchUp behind = catchUp;
    if (behind == null) {
      behind = new CatchUp(session.who(), edge.catchUpConfig());
      catchUp = behind;
    }
    return behind;
  }

  private void fallBehind(ChatId chat, long seq) {
    startCatchUp().startAt(chat, seq);
    if (!behindTold) {
      behindTold = true;
      edge.counters().add(Count.BEHINDS);
      host.write(FrameType.BEHIND, 0, 0, 0, 0, NO_BODY);
    }
    advance();
  }

  /// Asks for the next page if there is one to ask for and room to push it.
  void advance() {
    CatchUp behind = catchUp;
    if (behind == null || !session.isLive() || pageAsked || !host.isWritable()) {
      return;
    }
    if (edge.shedding().sheds(Shedding.Work.QUESTIONS)) {
      edge.counters().add(Count.QUESTIONS_SHED);
      host.wakeIn(Requests.SHED_MILLIS);
      return;
    }
    if (returning && !hasTurn()) {
      return;
    }
    int usedEntries = window == null ? 0 : window.entries();
    int usedBytes = window == null ? 0 : window.bytes();
    // Half of what is free: the other half is for chats that are live meanwhile.
    int entries = Math.max(0, windowEntries - usedEntries + 1) / 2;
    int bytes = Math.max(0, edge.limits().windowBytes() - usedBytes + 1) / 2;
    var question = behind.next(entries, bytes, usedEntries);
    if (question == null) {
      Turns.Turn unused = turn;
      if (unused != null) {
        turn = null;
        unused.unused();
      }
      if (behind.isLive()) {
        caughtUp();
      }
      return;
    }
    pageAsked = true;
    settingsPassed = false;
    UserId user = session.user();
    long asked = edge.nanoTime().getAsLong();
    boolean taken =
        edge.readers()
            .<Found>ask(
                shards -> new Found(question.apply(shards), Visibility.hidesReads(shards, user)),
                found -> host.execute(() -> onPage(found, asked)),
                failure -> host.execute(this::onNoPage));
    if (taken) {
      edge.counters().add(Count.QUESTIONS);
      reservedEntries = entries;
      reservedBytes = bytes;
    } else {
      edge.counters().add(Count.QUESTIONS_REFUSED);
      onNoPage();
    }
  }

  /// Whether the turn for a page has begun; it is asked for if there is none.
  private boolean hasTurn() {
    Turns.Turn t = turn;
    if (t == null) {
      t = edge.turns().page(() -> host.execute(this::advance));
      turn = t;
    }
    return t.hasBegun();
  }

  private void endTurn() {
    Turns.Turn t = turn;
    if (t != null) {
      turn = null;
      t.done();
    }
  }

  private void onPage(Found found, long asked) {
    pageAsked = false;
    endTurn();
    reservedEntries = 0;
    reservedBytes = 0;
    CatchUp behind = catchUp;
    if (!session.isLive() || behind == null) {
      return;
    }
    long now = edge.nanoTime().getAsLong();
    if (!settingsPassed) {
      // As new as what the page tells, and newer than what a RESET of the self chat leaves out.
      hidesReads = null;
      learned(found.hidesReads);
    }
    CatchUp.Page page = behind.onPage(found.page);
    arriving = page;
    tellDue(page, now);
    arriving = null;
    if (!session.isLive()) {
      return;
    }
    for (CatchUp.Item item : page.items()) {
      deliver(item.chat(), item.seq(), item.own(), item.body(), CAUGHT_UP, now);
    }
    for (Delivery.Entries entry : page.tail()) {
      onEntry(entry, null, now);
    }
    edge.counters().add(Count.DELIVERS_CAUGHT_UP, page.items().size());
    edge.stages().took(StageWatch.Stage.CATCH_UP_PAGE, edge.nanoTime().getAsLong() - asked);
    advance();
  }

  private void tellDue(CatchUp.Page page, long now) {
    if (page.due().isEmpty()) {
      return;
    }
    UserId user = session.user();
    var chats = CatchUpPage.newBuilder();
    for (CatchUp.Due due : page.due()) {
      if (due.due() > 0) {
        chats.addChats(
            ChatDue.newBuilder()
                .setChat(due.chat().wireId(user))
                .setGroup(due.chat().isGroup())
                .setHead(due.head())
                .setDue(due.due())
                .setPosition(due.position()));
      }
    }
    if (chats.getChatsCount() > 0) {
      writeCatchUpPage(chats.build());
    }
    for (CatchUp.Due due : page.due()) {
      announce(due, user, now);
    }
  }

  private void announce(CatchUp.Due due, UserId user, long now) {
    ChatId chat = due.chat();
    if (due.resetTo() != 0) {
      edge.counters().add(Count.RESETS);
      noteReset(chat);
      host.write(
          FrameType.RESET,
          FrameHeader.CHAT | FrameHeader.SEQ | SessionLogic.groupFlag(chat),
          0,
          session.wireId(chat),
          due.resetTo(),
          NO_BODY);
    }
    if (!chat.isGroup() && due.peerDelivered() + due.peerRead() > 0) {
      tell(chat, chat.peerOf(user), due.peerDelivered(), due.peerRead(), null, now);
    }
  }

  private void noteReset(ChatId chat) {
    Set<ChatId> all = resets;
    if (all == null) {
      all = new HashSet<>();
      resets = all;
    }
    if (all.size() < RESETS_MAX) {
      all.add(chat);
    } else {
      moreResets = true;
    }
  }

  private boolean acknowledgeReset(ChatId chat) {
    Set<ChatId> all = resets;
    if (all == null || !all.remove(chat)) {
      return false;
    }
    if (all.isEmpty()) {
      resets = null;
    }
    return true;
  }

  private void onNoPage() {
    pageAsked = false;
    endTurn();
    reservedEntries = 0;
    reservedBytes = 0;
    if (session.isLive() && catchUp != null) {
      catchUp.onPageFailed();
      host.wakeIn(Requests.RETRY_MILLIS);
    }
  }

  private void caughtUp() {
    catchUp = null;
    returning = false;
    behindTold = false;
    writeCatchUpPage(CatchUpPage.newBuilder().setDone(true).build());
    catchUpHasRid = false;
    catchUpRid = 0;
  }

  private void writeCatchUpPage(CatchUpPage page) {
    host.write(
        FrameType.CATCH_UP_PAGE,
        catchUpHasRid ? FrameHeader.RID : 0,
        catchUpRid,
        0,
        0,
        page.toByteArray());
  }

  // ---- the socket and the end ------------------------------------------------------------------

  /// The socket takes frames again: what was merged goes out.
  void onWritable(long now) {
    tellHeld();
    follow(now);
    advance();
  }

  /// It is time to ask again for what readers had no place for.
  void onWake() {
    tellHeld();
    advance();
  }

  /// Lets go of what is empty.
  void sweep() {
    if (window != null && window.entries() == 0) {
      window = null;
    }
  }

  void release() {
    endTurn();
    trail = null;
    catchUp = null;
    window = null;
    heldReceipts = null;
    earlyChats = null;
    resets = null;
  }

  /// The chats that hold something this device has not acknowledged; null when not all are known.
  @Nullable Set<ChatId> due() {
    Set<ChatId> behind = catchUp == null ? Set.of() : catchUp.behind();
    if (behind == null || moreResets) {
      return null;
    }
    if (resets == null
        && arriving == null
        && trail == null
        && (window == null || window.entries() == 0)) {
      return behind;
    }
    var due = new HashSet<ChatId>(behind);
    if (trail != null) {
      due.add(trail.tail().chat());
    }
    if (arriving != null) {
      arriving.addChatsTo(due);
    }
    if (window != null) {
      window.addChatsTo(due);
    }
    if (resets != null) {
      due.addAll(resets);
    }
    return due;
  }
}
