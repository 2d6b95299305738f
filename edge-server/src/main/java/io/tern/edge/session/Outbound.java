package io.tern.edge.session;

import io.netty.buffer.ByteBuf;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.CatchUpPage;
import io.tern.protocol.v1.ChatDue;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Typing;
import io.tern.router.Delivery;
import io.tern.router.catchup.CatchUp;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What a session pushes: live entries, the catch-up from the store, receipts. Confined to the
/// session's event loop.
///
/// No queue: a live entry that finds the window or the socket full is dropped and its chat is
/// caught up from the store later ([CatchUp]); receipts merge by max; typing is dropped.
///
/// Bounds: a window of `windowEntries` and `windowBytes`, [HeldReceipts#PLACES_MAX] merged
/// receipts, one page of catch-up under way. What is empty is let go.
final class Outbound {

  private static final byte[] NO_BODY = {};

  private final SessionLogic session;
  private final EdgeContext edge;
  private final SessionHost host;

  private boolean pageAsked;
  private boolean behindTold;
  private boolean catchUpHasRid;
  private int catchUpRid;
  private int reservedEntries;
  private int reservedBytes;
  private int windowEntries;
  private @Nullable CatchUp catchUp;
  private @Nullable Window window;
  private @Nullable HeldReceipts heldReceipts;

  /// Chats of entries that came between the route and its answer.
  private @Nullable Set<ChatId> earlyChats;

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
  void begin(@Nullable Set<ChatId> news) {
    CatchUp behind = startCatchUp();
    behind.startAll(news);
    Set<ChatId> early = earlyChats;
    if (early != null) {
      earlyChats = null;
      early.forEach(behind::start);
    }
    advance();
  }

  // ---- live ------------------------------------------------------------------------------------

  /// A committed entry of one of this user's chats. False when the session has ended: whoever holds
  /// the entry makes it news.
  boolean onEntry(Delivery.Entries entry, long now) {
    if (session.isClosing()) {
      return false;
    }
    if (!session.isLive()) {
      noteEarly(entry.chat());
      return true;
    }
    CatchUp behind = catchUp;
    if (behind != null && behind.holdsBack(entry.chat())) {
      edge.counters().add(Count.ENTRIES_HELD_BACK);
      return true;
    }
    boolean own = entry.sender().equals(session.user());
    byte[] body = own ? entry.ownBody() : entry.body();
    if (hasRoomFor(body.length) && host.isWritable()) {
      deliver(entry.chat(), entry.seq(), own, body, now);
    } else {
      fallBehind(entry.chat(), entry.seq());
    }
    return true;
  }

  private boolean hasRoomFor(int bytes) {
    Window w = window;
    int usedEntries = reservedEntries + (w == null ? 0 : w.entries());
    int usedBytes = reservedBytes + (w == null ? 0 : w.bytes());
    return usedEntries < windowEntries
        && (usedBytes == 0 || usedBytes + bytes <= edge.limits().windowBytes());
  }

  private void deliver(ChatId chat, long seq, boolean own, byte[] body, long now) {
    Window w = window;
    if (w == null) {
      w = new Window();
      window = w;
    }
    w.add(chat, seq, body.length);
    session.sampler().onDeliver(session.id(), chat, seq, now);
    edge.counters().add(Count.DELIVERS);
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

  /// The device has stored the chat's entries up to `seq`. False when that acknowledges nothing
  /// that was pushed.
  boolean onAcknowledged(ChatId chat, long seq, long now) {
    if (window == null || window.acknowledge(chat, seq) == 0) {
      return false;
    }
    session.sampler().onAck(session.id(), chat, seq, now);
    if (catchUp != null) {
      advance();
    }
    return true;
  }

  /// Someone's watermarks.
  void onReceipt(Delivery.Receipts receipt, long now) {
    if (!session.isLive()) {
      return;
    }
    if (host.isWritable()) {
      writeReceipt(receipt.chat(), receipt.member(), receipt.delivered(), receipt.read());
      return;
    }
    edge.counters().add(Count.RECEIPTS_HELD);
    HeldReceipts receipts = heldReceipts;
    if (receipts == null) {
      receipts = new HeldReceipts();
      heldReceipts = receipts;
    }
    if (!receipts.merge(receipt.chat(), receipt.member(), receipt.delivered(), receipt.read())) {
      // A new session starts from what the store knows; here something would be lost unseen.
      session.close(CloseReason.STALLED, "receipts of more than 256 chats wait", now);
    }
  }

  private void writeReceipt(ChatId chat, UserId member, long delivered, long read) {
    UserId user = session.user();
    boolean peerOfDirect = !chat.isGroup() && !member.equals(user);
    edge.counters().add(Count.RECEIPTS);
    host.write(
        FrameType.RECEIPT,
        FrameHeader.CHAT | SessionLogic.groupFlag(chat),
        0,
        session.wireId(chat),
        0,
        Receipt.newBuilder()
            .setMember(peerOfDirect ? 0 : member.value())
            // What is read counts as delivered.
            .setDelivered(delivered > read ? delivered : 0)
            .setRead(read)
            .build()
            .toByteArray());
  }

  void onTyping(Delivery.Typing typing) {
    if (!session.isLive() || catchUp != null || !host.isWritable()) {
      edge.counters().add(Count.TYPING_DROPPED);
      return;
    }
    UserId user = session.user();
    boolean direct = !typing.chat().isGroup();
    host.write(
        FrameType.TYPING_PUSH,
        FrameHeader.CHAT | SessionLogic.groupFlag(typing.chat()),
        0,
        session.wireId(typing.chat()),
        0,
        Typing.newBuilder()
            .setOn(typing.on())
            .setMember(direct && !typing.member().equals(user) ? 0 : typing.member().value())
            .build()
            .toByteArray());
  }

  /// Something this device should have acknowledged by now was not. Returns false when the session
  /// has ended: the nudge is then for the device's next one.
  boolean onNudge(ChatId chat) {
    if (session.isClosing()) {
      return false;
    }
    if (!session.isLive()) {
      noteEarly(chat);
    } else if (window == null || !window.holds(chat)) {
      startCatchUp().start(chat);
      advance();
    }
    return true;
  }

  private void noteEarly(ChatId chat) {
    Set<ChatId> early = earlyChats;
    if (early == null) {
      early = new HashSet<>();
      earlyChats = early;
    }
    early.add(chat);
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
    if (chat == null) {
      behind.startAll(null);
    } else if (request.getFrom() != 0) {
      behind.startAt(chat, request.getFrom());
    } else {
      behind.start(chat);
    }
    catchUpHasRid = true;
    catchUpRid = header.rid();
    advance();
    return true;
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
    edge.counters().add(Count.ENTRIES_HELD_BACK);
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
    int usedEntries = window == null ? 0 : window.entries();
    int usedBytes = window == null ? 0 : window.bytes();
    // Half of what is free: the other half is for chats that are live meanwhile.
    int entries = Math.max(0, windowEntries - usedEntries + 1) / 2;
    int bytes = Math.max(0, edge.limits().windowBytes() - usedBytes + 1) / 2;
    var question = behind.next(entries, bytes, usedEntries);
    if (question == null) {
      if (behind.isLive()) {
        caughtUp();
      }
      return;
    }
    pageAsked = true;
    boolean taken =
        edge.readers()
            .<CatchUp.Page>ask(
                question,
                page -> host.execute(() -> onPage(page)),
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

  private void onPage(CatchUp.Page found) {
    pageAsked = false;
    reservedEntries = 0;
    reservedBytes = 0;
    CatchUp behind = catchUp;
    if (!session.isLive() || behind == null) {
      return;
    }
    long now = edge.nanoTime().getAsLong();
    CatchUp.Page page = behind.onPage(found);
    UserId user = session.user();
    if (!page.due().isEmpty()) {
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
        announce(due, user);
      }
    }
    for (CatchUp.Item item : page.items()) {
      deliver(item.chat(), item.seq(), item.own(), item.body(), now);
    }
    edge.counters().add(Count.DELIVERS_CAUGHT_UP, page.items().size());
    advance();
  }

  private void announce(CatchUp.Due due, UserId user) {
    ChatId chat = due.chat();
    if (due.resetTo() != 0) {
      edge.counters().add(Count.RESETS);
      host.write(
          FrameType.RESET,
          FrameHeader.CHAT | FrameHeader.SEQ | SessionLogic.groupFlag(chat),
          0,
          session.wireId(chat),
          due.resetTo(),
          NO_BODY);
    }
    if (!chat.isGroup() && due.peerDelivered() + due.peerRead() > 0) {
      writeReceipt(chat, chat.peerOf(user), due.peerDelivered(), due.peerRead());
    }
  }

  private void onNoPage() {
    pageAsked = false;
    reservedEntries = 0;
    reservedBytes = 0;
    if (session.isLive() && catchUp != null) {
      catchUp.onPageFailed();
      host.wakeIn(Requests.RETRY_MILLIS);
    }
  }

  private void caughtUp() {
    catchUp = null;
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
  void onWritable() {
    HeldReceipts receipts = heldReceipts;
    if (receipts != null) {
      heldReceipts = null;
      receipts.drainTo(this::writeReceipt);
    }
  }

  /// Lets go of what is empty.
  void sweep() {
    if (window != null && window.entries() == 0) {
      window = null;
    }
  }

  void release() {
    catchUp = null;
    window = null;
    heldReceipts = null;
    earlyChats = null;
  }

  /// The chats that hold something this device has not acknowledged; null when not all are known.
  @Nullable Set<ChatId> due() {
    Set<ChatId> behind = catchUp == null ? Set.of() : catchUp.behind();
    if (behind == null || window == null || window.entries() == 0) {
      return behind;
    }
    var due = new HashSet<ChatId>(behind);
    window.addChatsTo(due);
    return due;
  }
}
