package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The chats a shard has in memory: loads them when somebody asks, knows which of them the open
/// batch has touched, writes their snapshots, and lets go of those used longest ago.
///
/// Confined to its shard. Bounds: between batches [ShardConfig#hotChatsMax] chats, and
/// [ShardConfig#hotMembersMax] members of all of them; within a batch as many more as it touches.
/// One batch writes down [#LEAVING_BYTES_MAX] of what leaves memory, and a chat: what does not fit
/// stays for the next one, and counts as bytes of it ([#excessBytes]), so that batches become
/// smaller rather than the excess larger.
final class HotChats {

  /// A chat is written down at least this often, so that it loads with one get and a short scan.
  static final int SNAPSHOT_ENTRIES = 256;

  /// Snapshots that one batch writes of chats that leave memory.
  static final int LEAVING_BYTES_MAX = 256 * 1024;

  /// A chat's snapshot without its members, about.
  private static final int CHAT_BYTES = 128;

  private final KeyValues storage;
  private final Round round;
  private final ShardConfig config;

  /// In the order of use, eldest first.
  private final LinkedHashMap<ChatId, ChatState> chats = new LinkedHashMap<>(16, 0.75f, true);

  /// Members of all of them.
  private int members;

  private final List<ChatState> touched = new ArrayList<>();

  /// What the open batch erases: until the commit it is still in storage.
  private final Set<ChatId> erased = new HashSet<>();

  HotChats(KeyValues storage, Round round, ShardConfig config) {
    this.storage = storage;
    this.round = round;
    this.config = config;
  }

  /// The chat, loaded if need be; null when `user` cannot be in it.
  @Nullable ChatState of(ChatId id, UserId user) {
    if (!id.isGroup() && user.value() != id.low() && user.value() != id.high()) {
      return null;
    }
    return of(id);
  }

  /// The chat, loaded if need be; null when there is none.
  @Nullable ChatState of(ChatId id) {
    ChatState chat = chats.get(id);
    if (chat == null && !erased.contains(id)) {
      chat = ChatState.load(storage, id);
      if (chat != null) {
        add(chat);
      }
    }
    return chat;
  }

  /// The chat, if it is in memory.
  @Nullable ChatState inMemory(ChatId id) {
    return chats.get(id);
  }

  void add(ChatState chat) {
    chats.put(chat.id, chat);
    members += chat.weight();
  }

  /// A chat has become heavier (or lighter) by so many members.
  void weigh(int more) {
    members += more;
  }

  /// The open batch changes the chat: its commit is to look at it.
  void touch(ChatState chat) {
    if (!chat.touched) {
      chat.touched = true;
      touched.add(chat);
    }
  }

  /// The open batch erases the chat.
  void erase(ChatId id) {
    ChatState loaded = chats.remove(id);
    if (loaded != null) {
      members -= loaded.weight();
      touched.remove(loaded);
    }
    erased.add(id);
  }

  /// Whether the open batch erases the chat.
  boolean isErased(ChatId id) {
    return erased.contains(id);
  }

  // ---- the commit -----------------------------------------------------------------------------

  /// What the open batch has touched, in that order.
  List<ChatState> touched() {
    return touched;
  }

  /// Writes the chat down if it has run far enough ahead of its snapshot, or has changed in what
  /// entries alone do not tell.
  void snapshotIfDue(ChatState chat) {
    if (chat.snapshotDue || chat.head - chat.snapshotSeq >= SNAPSHOT_ENTRIES) {
      putSnapshot(chat);
    }
  }

  private void putSnapshot(ChatState chat) {
    round.batch.put(Keys.chat(chat.id), chat.snapshot());
    chat.snapshotSeq = chat.head;
    chat.snapshotDue = false;
  }

  /// What is in memory and has no room there, as bytes of a batch, about: it is to be written down.
  int excessBytes() {
    long moreChats = Math.max(0, chats.size() - config.hotChatsMax());
    long moreMembers = chats.size() > 1 ? Math.max(0, members - config.hotMembersMax()) : 0;
    long bytes = Math.max(moreChats * CHAT_BYTES, moreMembers * Round.MEMBER_BYTES);
    return (int) Math.min(bytes, Integer.MAX_VALUE / 2);
  }

  /// Nothing is touched any more. Of too many chats, those used longest ago are written down and
  /// dropped, as many as a batch may.
  void letGo() {
    for (int i = 0; i < touched.size(); i++) {
      touched.get(i).touched = false;
    }
    touched.clear();
    if (!isOverfull()) {
      return;
    }
    Iterator<ChatState> eldest = chats.values().iterator();
    int before = round.batch.bytes();
    while (isOverfull() && round.batch.bytes() - before < LEAVING_BYTES_MAX) {
      ChatState chat = eldest.next();
      if (chat.head > chat.snapshotSeq) {
        putSnapshot(chat);
      }
      members -= chat.weight();
      eldest.remove();
    }
  }

  /// One chat always fits.
  private boolean isOverfull() {
    return chats.size() > config.hotChatsMax()
        || (members > config.hotMembersMax() && chats.size() > 1);
  }

  /// The batch is committed: storage has it all.
  void committed() {
    erased.clear();
  }
}
