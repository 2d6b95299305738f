package io.tern.client.store;

import io.tern.client.ClientStore;
import io.tern.protocol.ChatId;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Remembers as long as the object lives. Closing forgets nothing, so that a test can hand it to
/// the next client.
///
/// Confined to one thread at a time. Takes no memory to speak of until something is kept.
public final class MemoryClientStore implements ClientStore {

  private Map<ChatId, Chat> chats = Map.of();
  private @Nullable ResumeTicket ticket;

  @Override
  public List<PendingSend> pendingSends() {
    var all = new ArrayList<PendingSend>();
    for (Chat chat : chats.values()) {
      all.addAll(chat.pending);
    }
    return all;
  }

  @Override
  public void addSend(PendingSend send) {
    Chat chat = chat(send.chat());
    chat.pending.addLast(send);
    if (chat.lastCsn >= 0) {
      chat.lastCsn = Math.max(chat.lastCsn, send.csn());
    }
  }

  @Override
  public void removeSend(ChatId chatId, long csn) {
    ArrayDeque<PendingSend> pending = chat(chatId).pending;
    PendingSend first = pending.peekFirst();
    if (first != null && first.csn() == csn) {
      pending.removeFirst();
    } else {
      pending.removeIf(send -> send.csn() == csn);
    }
  }

  @Override
  public void renumberSends(ChatId chatId, long after, long csn) {
    Chat chat = chat(chatId);
    var renumbered = new ArrayDeque<PendingSend>();
    long next = csn;
    for (PendingSend send : chat.pending) {
      renumbered.addLast(
          send.csn() <= after ? send : new PendingSend(chatId, ++next, send.content()));
    }
    chat.pending = renumbered;
    chat.lastCsn = next;
  }

  @Override
  public long lastCsn(ChatId chatId) {
    Chat chat = chats.get(chatId);
    return chat == null ? -1 : chat.lastCsn;
  }

  @Override
  public long position(ChatId chatId) {
    Chat chat = chats.get(chatId);
    return chat == null ? -1 : chat.position;
  }

  @Override
  public void setPosition(ChatId chatId, long seq) {
    chat(chatId).position = seq;
  }

  @Override
  public @Nullable ResumeTicket resumeTicket() {
    return ticket;
  }

  @Override
  public void setResumeTicket(@Nullable ResumeTicket newest) {
    ticket = newest;
  }

  @Override
  public void close() {}

  /// What is kept of each chat, for a store that writes it down.
  void forEachChat(ChatVisitor visitor) {
    chats.forEach((id, chat) -> visitor.visit(id, chat.position, chat.lastCsn, chat.pending));
  }

  /// Forgets what was there and takes this.
  void restoreChat(ChatId id, long position, long lastCsn) {
    Chat chat = chat(id);
    chat.position = position;
    chat.lastCsn = lastCsn;
    chat.pending.clear();
  }

  interface ChatVisitor {
    void visit(ChatId id, long position, long lastCsn, Collection<PendingSend> pending);
  }

  private Chat chat(ChatId id) {
    Chat chat = chats.get(id);
    if (chat == null) {
      if (chats.isEmpty()) {
        chats = new HashMap<>(4);
      }
      chat = new Chat();
      chats.put(id, chat);
    }
    return chat;
  }

  private static final class Chat {
    long position = -1;
    long lastCsn = -1;
    ArrayDeque<PendingSend> pending = new ArrayDeque<>(2);
  }
}
