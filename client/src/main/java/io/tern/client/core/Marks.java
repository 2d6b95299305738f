package io.tern.client.core;

import io.netty.buffer.ByteBuf;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import java.util.ArrayList;
import java.util.List;

/// The watermarks of a client's chats, merged by max, and its own READ marks on their way.
///
/// READ has no answer: one goes out again on each connection until a receipt or the chat list shows
/// it, or the server has answered a PING long after it.
final class Marks {

  /// A READ written this long before a PING that was answered counts as taken.
  private static final long TAKEN_MILLIS = 10_000;

  private static final int READS_PER_SECOND_MAX = 16;

  private final ClientCore core;
  private final List<Chat> unconfirmed = new ArrayList<>(0);
  private long readsNotBefore;

  Marks(ClientCore core) {
    this.core = core;
  }

  /// Everything up to `seq` has been read.
  void read(Chat chat, long seq) {
    if (seq <= chat.readWanted || seq <= chat.ownRead) {
      return;
    }
    chat.readWanted = seq;
    chat.readDue = true;
    if (!chat.readListed) {
      chat.readListed = true;
      unconfirmed.add(chat);
    }
  }

  void onHelloAck() {
    for (Chat chat : unconfirmed) {
      chat.readDue = true;
    }
  }

  /// The PING of `pingedAt` was answered.
  void onPong(long pingedAt) {
    unconfirmed.removeIf(chat -> {
      if (!chat.readDue && chat.readWrittenAtMillis + TAKEN_MILLIS <= pingedAt) {
        chat.readTaken = chat.readWanted;
      }
      chat.readListed = chat.readTaken < chat.readWanted;
      return !chat.readListed;
    });
  }

  long deadline() {
    return readsNotBefore > core.passMillis ? readsNotBefore : ClientCore.NEVER;
  }

  void onReceipt(long now, ByteBuf in) {
    Chat chat = core.chatOfHeader();
    if (chat == null) {
      return;
    }
    long member = 0;
    long delivered = 0;
    long read = 0;
    core.body.start(in, in.readerIndex(), core.header.bodyBytes());
    for (int tag = core.body.nextTag(); tag != BodyReader.END; tag = core.body.nextTag()) {
      switch (tag) {
        case 1 << 3 -> member = core.body.varint();
        case 2 << 3 -> delivered = core.body.varint();
        case 3 << 3 -> read = core.body.varint();
        default -> core.body.skip(tag);
      }
    }
    if (core.body.isMalformed()) {
      core.onProtocolFailure(now, "malformed RECEIPT");
      return;
    }
    if (member != 0 || !chat.id.isGroup()) {
      merge(chat, member, delivered, read);
    }
  }

  void merge(Chat chat, long member, long delivered, long read) {
    if (member == core.me.value() || chat.id.isSelf()) {
      if (delivered > chat.ownDelivered || read > chat.ownRead) {
        chat.ownDelivered = Math.max(chat.ownDelivered, delivered);
        chat.ownRead = Math.max(chat.ownRead, read);
        confirmRead(chat);
        core.listen(
            () -> core.listener.onReceipt(chat.id, core.me, chat.ownDelivered, chat.ownRead));
      }
    } else if (!chat.id.isGroup()) {
      if (delivered > chat.peerDelivered || read > chat.peerRead) {
        chat.peerDelivered = Math.max(chat.peerDelivered, delivered);
        chat.peerRead = Math.max(chat.peerRead, read);
        core.listen(() ->
            core.listener.onReceipt(
                chat.id, chat.id.peerOf(core.me), chat.peerDelivered, chat.peerRead));
      }
    } else if (UserId.isValid(member)) {
      if (chat.members == null) {
        chat.members = new LongMap<>();
      }
      Chat.Watermarks marks = chat.members.get(member);
      if (marks == null) {
        if (chat.members.size() >= Limits.PROTO_FIELDS_MAX * 2) {
          return;
        }
        marks = new Chat.Watermarks();
        chat.members.put(member, marks);
      }
      if (delivered > marks.delivered || read > marks.read) {
        marks.delivered = Math.max(marks.delivered, delivered);
        marks.read = Math.max(marks.read, read);
        Chat.Watermarks told = marks;
        core.listen(
            () -> core.listener.onReceipt(chat.id, new UserId(member), told.delivered, told.read));
      }
    }
  }

  private void confirmRead(Chat chat) {
    chat.readTaken = Math.max(chat.readTaken, chat.ownRead);
    if (chat.readTaken >= chat.readWanted) {
      chat.readDue = false;
      if (chat.readListed) {
        chat.readListed = false;
        unconfirmed.remove(chat);
      }
    }
  }

  /// A few per pass: after a reconnect there may be many, and the server counts them.
  void writeReads(long now) {
    if (now < readsNotBefore) {
      return;
    }
    int written = 0;
    for (int i = 0; i < unconfirmed.size(); i++) {
      Chat chat = unconfirmed.get(i);
      if (chat.readDue) {
        if (++written > READS_PER_SECOND_MAX) {
          readsNotBefore = now + 1_000;
          return;
        }
        chat.readDue = false;
        chat.readWrittenAtMillis = now;
        FrameOut.place(
            core.out.buffer(), FrameType.READ, chat.wireFlags, chat.wireId, chat.readWanted);
      }
    }
  }
}
