package io.tern.client.core;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.UnsafeByteOperations;
import io.netty.buffer.ByteBuf;
import io.tern.client.Body;
import io.tern.client.ClientListener.Message;
import io.tern.client.TernException;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.CatchUpPage;
import io.tern.protocol.v1.ChatDue;
import io.tern.protocol.v1.ChatInfo;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.PageEntry;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The receiving half of a client: each chat in order and without holes, and acknowledged when the
/// listener has taken it.
///
/// An entry that leaves a hole starts a repair: HISTORY reads on from the chat's position, one page
/// at a time, until nothing is missing. A few entries that come meanwhile are kept, the others are
/// read again.
///
/// Of a chat that nothing is known of, everything may be missing: CATCH_UP_PAGE says where to
/// begin, or, when an entry comes first, CHAT_INFO.
final class Entries {

  private static final long ACK_INACTIVE_MILLIS = 2_000;
  private static final int REPAIRS_AT_ONCE_MAX = 4;
  private static final int REPAIR_ENTRIES = Limits.PAGE_ENTRIES_MAX;
  private static final Logger log = LoggerFactory.getLogger(ClientCore.class);

  private final ClientCore core;

  /// Chats with an ACK to write, and when; one that was written meanwhile stays, without effect.
  private final List<Chat> ackDue = new ArrayList<>(0);

  private long ackAt = ClientCore.NEVER;
  private final List<Chat> repairs = new ArrayList<>(0);
  private boolean caughtUpDue;
  private boolean caughtUpTold;

  Entries(ClientCore core) {
    this.core = core;
  }

  void onHelloAck() {
    caughtUpDue = false;
    caughtUpTold = false;
  }

  /// The connection is gone: what it did not take is acknowledged on the next one.
  void onDisconnected() {
    ackAt = ackDue.isEmpty() ? ClientCore.NEVER : 0;
  }

  /// Nothing that is due waits any longer.
  void hurryAcks(long now) {
    ackAt = ackDue.isEmpty() ? ClientCore.NEVER : now;
  }

  /// What is due at the end of a pass.
  void write(long now) {
    if (now >= ackAt) {
      writeAcks();
    }
    if (!repairs.isEmpty()) {
      askForRepairs(now);
    }
  }

  long deadline() {
    long at = ackAt;
    for (int i = 0; i < repairs.size(); i++) {
      Chat.Repair repair = repairs.get(i).repair;
      if (repair != null && !repair.asked && repair.notBeforeMillis > core.passMillis) {
        at = Math.min(at, repair.notBeforeMillis);
      }
    }
    return at;
  }

  void onDeliver(long now, ByteBuf in) {
    Chat chat = core.chatOfHeader();
    if (chat == null || core.header.seq() <= 0) {
      core.onProtocolFailure(now, "DELIVER without a place");
      return;
    }
    long seq = core.header.seq();
    if (chat.position < 0 && seq == 1) {
      advance(chat, 0);
    }
    if (seq <= chat.position) {
      // The server seems not to have our ACK.
      noteAck(now, chat);
      return;
    }
    if (chat.repair != null && seq > chat.position + 1) {
      keepBehind(chat, chat.repair, seq, in);
      return;
    }
    Message message = readDeliver(chat, seq, in);
    if (message == null) {
      core.onProtocolFailure(now, "malformed DELIVER");
    } else if (seq == chat.position + 1) {
      Chat.Repair repair = chat.repair;
      if (deliver(now, chat, message) && repair != null) {
        deliverBehind(now, chat, repair);
      }
    } else {
      startRepair(chat, message);
    }
  }

  /// Reads the body by hand: this runs once for every message.
  private @Nullable Message readDeliver(Chat chat, long seq, ByteBuf in) {
    long sender = 0;
    int device = 0;
    long tsMillis = 0;
    long csn = 0;
    long editedMillis = 0;
    int offset = 0;
    int length = 0;
    core.body.start(in, in.readerIndex(), core.header.bodyBytes());
    for (int tag = core.body.nextTag(); tag != BodyReader.END; tag = core.body.nextTag()) {
      switch (tag) {
        case 1 << 3 -> sender = core.body.varint();
        case 2 << 3 -> device = (int) core.body.varint();
        case 3 << 3 -> tsMillis = core.body.varint();
        case 4 << 3 | 2 -> {
          core.body.bytes();
          offset = core.body.offset();
          length = core.body.length();
        }
        case 5 << 3 -> csn = core.body.varint();
        case 6 << 3 -> editedMillis = core.body.varint();
        default -> core.body.skip(tag);
      }
    }
    if (core.body.isMalformed()) {
      return null;
    }
    boolean own = core.header.has(FrameHeader.OWN);
    UserId from = senderOf(chat, own, sender);
    if (from == null) {
      return null;
    }
    byte[] bytes = new byte[length];
    in.getBytes(offset, bytes);
    return new Message(
        chat.id, seq, from, device, tsMillis, contentOf(bytes), own, csn, editedMillis);
  }

  private @Nullable UserId senderOf(Chat chat, boolean own, long named) {
    if (own) {
      return core.me;
    }
    if (named == 0 && !chat.id.isGroup()) {
      return chat.id.peerOf(core.me);
    }
    return ClientCore.userOf(named);
  }

  /// What cannot be parsed was let through by the server, keeps its place, and has no content that
  /// this version understands.
  static Content contentOf(byte[] bytes) {
    try {
      var input = UnsafeByteOperations.unsafeWrap(bytes).newCodedInput();
      input.enableAliasing(true);
      return Content.parseFrom(input);
    } catch (IOException e) {
      return Content.getDefaultInstance();
    }
  }

  /// Hands over the entry at position + 1.
  private boolean deliver(long now, Chat chat, Message message) {
    assert message.seq() == chat.position + 1;
    if (!isSentHere(message)) {
      try {
        core.listener.onMessage(message);
        if (chat.id.isSelf() && message.body() instanceof Body.SettingsChanged changed) {
          changed.settings().forEach(core.listener::onSetting);
        }
      } catch (Throwable e) {
        if (e instanceof TernException) {
          // It means to.
          log.debug("{}: not taken: {} {}", core, chat.id, message.seq(), e);
        } else {
          log.error("{}: the listener failed at {} {}", core, chat.id, message.seq(), e);
        }
        if (core.isConnected()) {
          core.dropAndRetry(now, "the listener failed");
        }
        return false;
      }
    }
    if (core.isClosed()) {
      return false;
    }
    advance(chat, message.seq());
    chat.unacknowledged++;
    noteAck(now, chat);
    if (chat.unacknowledged >= Limits.ACK_ENTRIES_MAX && core.isUp()) {
      writeAck(chat);
    }
    return true;
  }

  /// The app knows it already. What the server made of a request of this device it does not.
  private boolean isSentHere(Message message) {
    return message.own()
        && message.device() == core.config.device()
        && !Body.isOfServer(message.content().getKindValue());
  }

  private void advance(Chat chat, long position) {
    long at = chat.passOwn(position);
    if (at != chat.position || chat.begun) {
      chat.begun = false;
      chat.position = at;
      core.store.setPosition(chat.id, at);
    }
  }

  private void noteAck(long now, Chat chat) {
    if (!chat.ackDue) {
      chat.ackDue = true;
      ackDue.add(chat);
    }
    if (ackAt == ClientCore.NEVER) {
      ackAt = core.isActive() ? now : now + ACK_INACTIVE_MILLIS;
    }
  }

  void onReset(long now) {
    Chat chat = core.chatOfHeader();
    if (chat == null) {
      return;
    }
    long seq = core.header.seq();
    // The page before it may have said the same.
    boolean isNews = seq > chat.position || chat.begun;
    if (isNews) {
      moveOn(chat, seq);
    }
    noteAck(now, chat);
    Chat.Repair repair = chat.repair;
    if (isNews && repair != null) {
      deliverBehind(now, chat, repair);
    }
  }

  /// Nothing up to `seq` is to be had: it counts as stored.
  private void moveOn(Chat chat, long seq) {
    advance(chat, Math.max(seq, chat.position));
    core.listen(() -> core.listener.onReset(chat.id, seq));
  }

  /// The server has written an entry at `seq` at our request, and may not push it to this device.
  void expect(Chat chat, long seq) {
    if (seq == 1 && chat.position < 0) {
      advance(chat, 0);
    }
    if (seq > chat.position) {
      Chat.Repair repair = chat.repair;
      if (repair == null) {
        repair = new Chat.Repair();
        chat.repair = repair;
        repairs.add(chat);
      }
      repair.until = Math.max(repair.until, seq);
    }
  }

  void onCatchUpPage(ByteBuf in) throws InvalidProtocolBufferException {
    if (core.header.has(FrameHeader.RID)) {
      return;
    }
    CatchUpPage page = CatchUpPage.parseFrom(core.bodyOf(in));
    for (ChatDue due : page.getChatsList()) {
      if (UserId.isValid(due.getChat())) {
        Chat chat = core.chatOf(due.getChat(), due.getGroup());
        if (!isWaitedFor(chat, due.getPosition())) {
          begin(chat, due.getPosition());
        }
      }
    }
    if (page.getDone() && !caughtUpTold) {
      caughtUpDue = true;
      tellCaughtUp();
    }
  }

  /// Whether something up to `position` has come, or will, that cannot be taken before it is known
  /// where the chat begins. Then a page tells how far the server has pushed, which says nothing
  /// about that, and CHAT_INFO is asked.
  private static boolean isWaitedFor(Chat chat, long position) {
    Chat.Repair repair = chat.repair;
    if (repair == null) {
      return false;
    }
    Message first = repair.behind.peek();
    return position >= (first == null ? repair.until : first.seq());
  }

  /// The server says from where on a chat is this device's: of use to one that knows nothing of it.
  private void begin(Chat chat, long position) {
    if (chat.position < 0) {
      chat.position = chat.passOwn(position);
      chat.begun = true;
      Chat.Repair repair = chat.repair;
      if (repair != null) {
        deliverBehind(core.passMillis, chat, repair);
      }
    }
  }

  private void tellCaughtUp() {
    if (caughtUpDue && repairs.isEmpty()) {
      caughtUpDue = false;
      caughtUpTold = true;
      core.listen(core.listener::onCaughtUp);
    }
  }

  private void startRepair(Chat chat, Message behind) {
    var repair = new Chat.Repair();
    repair.until = behind.seq();
    repair.behind.add(behind);
    chat.repair = repair;
    repairs.add(chat);
  }

  private void keepBehind(Chat chat, Chat.Repair repair, long seq, ByteBuf in) {
    repair.until = Math.max(repair.until, seq);
    Message last = repair.behind.peekLast();
    if (repair.behind.size() < ClientCore.BEHIND_MAX && (last == null || seq == last.seq() + 1)) {
      Message message = readDeliver(chat, seq, in);
      if (message != null) {
        repair.behind.add(message);
      }
    }
  }

  private void askForRepairs(long now) {
    int asked = 0;
    for (int i = 0; i < repairs.size(); i++) {
      Chat.Repair repair = repairs.get(i).repair;
      if (repair != null && repair.asked) {
        asked++;
      }
    }
    for (int i = 0; i < repairs.size() && asked < REPAIRS_AT_ONCE_MAX; i++) {
      Chat chat = repairs.get(i);
      Chat.Repair repair = chat.repair;
      if (repair != null && !repair.asked && repair.notBeforeMillis <= now) {
        repair.asked = true;
        asked++;
        core.questions.add(chat.position < 0 ? whereToBegin(chat) : missing(chat, repair));
      }
    }
  }

  private Request missing(Chat chat, Chat.Repair repair) {
    return new Request(
        FrameType.HISTORY,
        chat.wireFlags,
        chat.wireId,
        Queries.historyAfter(chat.position, REPAIR_ENTRIES, repair.until).toByteArray(),
        bytes -> onRepairPage(chat, HistoryPage.parseFrom(bytes)),
        refusal -> onRepairRefused(chat, refusal));
  }

  private Request whereToBegin(Chat chat) {
    return new Request(
        FrameType.CHAT_INFO,
        chat.wireFlags,
        chat.wireId,
        ChatInfo.getDefaultInstance().toByteArray(),
        bytes -> {
          Chat.Repair repair = chat.repair;
          if (repair != null) {
            repair.asked = false;
          }
          begin(chat, ChatInfoPage.parseFrom(bytes).getPosition());
        },
        refusal -> onRepairRefused(chat, refusal));
  }

  private void onRepairPage(Chat chat, HistoryPage page) {
    Chat.Repair repair = chat.repair;
    if (repair == null) {
      return;
    }
    repair.asked = false;
    long before = chat.position;
    if (page.getFirst() > before + 1) {
      // What is missing was before this membership.
      moveOn(chat, page.getFirst() - 1);
      noteAck(core.passMillis, chat);
    }
    for (PageEntry entry : page.getEntriesList()) {
      long seq = entry.getSeq();
      if (seq == chat.position + 1) {
        Deliver deliver = entry.getEntry();
        UserId from = senderOf(chat, entry.getOwn(), deliver.getSender());
        if (from == null
            || !deliver(
                core.passMillis,
                chat,
                new Message(
                    chat.id,
                    seq,
                    from,
                    deliver.getDevice(),
                    deliver.getTsMs(),
                    deliver.getContent(),
                    entry.getOwn(),
                    deliver.getCsn(),
                    deliver.getEditedMs()))) {
          break;
        }
      } else if (seq > chat.position + 1) {
        break;
      }
    }
    if (!deliverBehind(core.passMillis, chat, repair)) {
      return;
    }
    if (chat.position > before) {
      repair.failures = 0;
    } else {
      // Never step over a hole: the server owes us these entries, or a RESET.
      onRepairRefused(chat, new TernException(ErrorCode.TIMEOUT, 0, "the page did not go on"));
    }
  }

  private void onRepairRefused(Chat chat, TernException refusal) {
    Chat.Repair repair = chat.repair;
    if (repair != null && refusal.code() == ErrorCode.NOT_MEMBER) {
      // Not ours any more: what is missing we shall never see.
      chat.repair = null;
      repairs.remove(chat);
      tellCaughtUp();
    } else if (repair != null) {
      repair.asked = false;
      long wait = core.backoff.requestMillis(core.random, repair.failures, refusal.retryMillis());
      repair.failures = Math.min(repair.failures + 1, 30);
      repair.notBeforeMillis = core.passMillis + wait;
      log.warn(
          "{}: {}: entries behind {} are missing, asking again in {} ms: {}",
          core,
          chat.id,
          chat.position,
          wait,
          refusal.getMessage());
    }
  }

  /// Delivers what came behind a hole that is closed now. Returns false when the repair is over, or
  /// nothing more can be delivered.
  private boolean deliverBehind(long now, Chat chat, Chat.Repair repair) {
    for (Message next = repair.behind.peek(); next != null; next = repair.behind.peek()) {
      if (next.seq() > chat.position + 1) {
        break;
      }
      repair.behind.remove();
      if (next.seq() == chat.position + 1 && !deliver(now, chat, next)) {
        return false;
      }
    }
    if (chat.position >= repair.until) {
      chat.repair = null;
      repairs.remove(chat);
      tellCaughtUp();
      return false;
    }
    return true;
  }

  /// Our own entry is in the log at `seq`: nobody needs to deliver it to us.
  void takeOwn(long now, Chat chat, long seq) {
    if (seq <= chat.position) {
      return;
    }
    if (seq == chat.position + 1 || (chat.position < 0 && seq == 1)) {
      advance(chat, seq);
      Chat.Repair repair = chat.repair;
      if (repair != null) {
        deliverBehind(now, chat, repair);
      }
    } else {
      chat.addOwn(seq);
    }
  }

  void writeAcks() {
    for (int i = 0; i < ackDue.size(); i++) {
      Chat chat = ackDue.get(i);
      if (chat.ackDue) {
        writeAck(chat);
      }
      chat.ackDue = false;
    }
    ackDue.clear();
    ackAt = ClientCore.NEVER;
  }

  /// Writes the ACK; the chat stays in `ackDue`, without effect.
  private void writeAck(Chat chat) {
    core.out.noteAck();
    chat.unacknowledged = 0;
    FrameOut.place(core.out.buffer(), FrameType.ACK, chat.wireFlags, chat.wireId, chat.position);
    chat.ackDue = false;
  }
}
