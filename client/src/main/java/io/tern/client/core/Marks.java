package io.tern.client.core;

import com.google.protobuf.InvalidProtocolBufferException;
import io.netty.buffer.ByteBuf;
import io.tern.client.ClientListener;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.ReceiptCount;
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

  void onReceipt(long now, ByteBuf in) throws InvalidProtocolBufferException {
    Chat chat = core.chatOfHeader();
    if (chat == null) {
      return;
    }
    long member = 0;
    long delivered = 0;
    long read = 0;
    int offset = 0;
    int length = 0;
    core.body.start(in, in.readerIndex(), core.header.bodyBytes());
    for (int tag = core.body.nextTag(); tag != BodyReader.END; tag = core.body.nextTag()) {
      switch (tag) {
        case 1 << 3 -> member = core.body.varint();
        case 2 << 3 -> delivered = core.body.varint();
        case 3 << 3 -> read = core.body.varint();
        case 5 << 3 | 2 -> {
          core.body.bytes();
          offset = core.body.offset();
          length = core.body.length();
        }
        default -> core.body.skip(tag);
      }
    }
    if (core.body.isMalformed()) {
      core.onProtocolFailure(now, "malformed RECEIPT");
      return;
    }
    merge(chat, member, delivered, read);
    if (length > 0 && chat.id.isGroup()) {
      onCount(chat, in.slice(offset, length));
    }
  }

  private void onCount(Chat chat, ByteBuf in) throws InvalidProtocolBufferException {
    ReceiptCount count = ReceiptCount.parseFrom(in.nioBuffer());
    var told =
        new ClientListener.ReceiptCount(
            chat.id, count.getSeq(), count.getTotal(), count.getDelivered(), count.getRead());
    core.listen(() -> core.listener.onReceiptCount(told));
  }

  /// @param member 0: the other user, in a group everyone
  void merge(Chat chat, long member, long delivered, long read) {
    if (member == core.me.value() || chat.id.isSelf()) {
      if (delivered > chat.ownDelivered || read > chat.ownRead) {
        chat.ownDelivered = Math.max(chat.ownDelivered, delivered);
        chat.ownRead = Math.max(chat.ownRead, read);
        confirmRead(chat);
        core.listen(
            () -> core.listener.onReceipt(chat.id, core.me, chat.ownDelivered, chat.ownRead));
      }
    } else if (member == 0 || !chat.id.isGroup()) {
      if (delivered > chat.othersDelivered || read > chat.othersRead) {
        chat.othersDelivered = Math.max(chat.othersDelivered, delivered);
        chat.othersRead = Math.max(chat.othersRead, read);
        core.listen(() -> tell(chat));
      }
    }
  }

  private void tell(Chat chat) {
    if (chat.id.isGroup()) {
      core.listener.onGroupReceipt(chat.id, chat.othersDelivered, chat.othersRead);
    } else {
      core.listener.onReceipt(
          chat.id, chat.id.peerOf(core.me), chat.othersDelivered, chat.othersRead);
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
