package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.store.ChatState.Member;
import io.tern.store.GroupProgress.Author;
import io.tern.store.v1.Progress;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;

/// Counts how far groups have got: instead of a receipt for each member and message, what everyone
/// has reached, and for authors how far their newest message is. Once a tick, a bounded piece.
///
/// A group in which something moved is noted, on disk too (`G`), until it has been counted; the
/// result stays (`P`), for chat lists.
///
/// Bounds per tick: [#GROUPS_PER_TICK] groups, [#AUTHORS_PER_GROUP] authors of each,
/// [#STEPS_PER_TICK] looks at a member, so that many small groups fit and few large ones, and
/// [#LOADS_PER_TICK] members whose marks are not in memory. What does not fit comes with the next
/// tick. Confined to its shard.
final class GroupMarks {

  /// Groups whose progress one tick tells, and authors it tells of in each.
  static final int GROUPS_PER_TICK = 1_024;

  static final int AUTHORS_PER_GROUP = 32;

  /// Each member of a group is looked at once for the group and once for each author that is
  /// counted.
  static final int STEPS_PER_TICK = 1 << 18;

  /// Three seeks each.
  static final int LOADS_PER_TICK = 1_024;

  /// What a group that is not in memory counts for among them.
  private static final int GROUP_LOADS = 16;

  private final Round round;
  private final KeyValues storage;

  /// In the order in which they are counted. As many as move between two ticks.
  private final LinkedHashSet<ChatId> moved = new LinkedHashSet<>();

  /// Of the tick that is counting.
  private int stepsLeft;

  GroupMarks(Round round, KeyValues storage) {
    this.round = round;
    this.storage = storage;
    storage.scan(
        Keys.movedFrom(),
        Keys.movedEnd(),
        (key, value) -> {
          moved.add(Keys.chatOf(key));
          return true;
        });
  }

  /// Something of the group is to be counted.
  void note(ChatState chat) {
    chat.authorsToLookAt = chat.members.size();
    if (!chat.noted) {
      chat.noted = true;
      if (moved.add(chat.id)) {
        round.batch.put(Keys.moved(chat.id), Keys.NO_VALUE);
      }
    }
  }

  /// Whether there is nothing to count.
  boolean isEmpty() {
    return moved.isEmpty();
  }

  /// Counts what was noted, as much as one tick may.
  List<GroupProgress> count(HotChats chats) {
    if (moved.isEmpty()) {
      return List.of();
    }
    var progress = new ArrayList<GroupProgress>();
    var again = new ArrayList<ChatId>();
    int loads = LOADS_PER_TICK;
    int groups = 0;
    stepsLeft = STEPS_PER_TICK;
    var next = moved.iterator();
    while (next.hasNext() && groups < GROUPS_PER_TICK && stepsLeft > 0 && loads > 0) {
      ChatId id = next.next();
      loads -= chats.inMemory(id) == null ? GROUP_LOADS : 0;
      ChatState chat = chats.of(id);
      if (chat != null) {
        loads -= load(chat, loads);
        if (loads < 0) {
          break;
        }
        groups++;
        chat.noted = false;
        if (count(chat, progress)) {
          again.add(id);
        }
      }
      next.remove();
      round.batch.delete(Keys.moved(id));
    }
    for (ChatId id : again) {
      moved.add(id);
      round.batch.put(Keys.moved(id), Keys.NO_VALUE);
    }
    return List.copyOf(progress);
  }

  /// Loads marks of the group's members, at most `most`; returns how many, and more than `most`
  /// when there are some left.
  private int load(ChatState chat, int most) {
    int loads = 0;
    for (Member member : chat.members) {
      if (member.delivered < 0) {
        if (!chat.fresh && ++loads > most) {
          return loads;
        }
        Watermarks.load(storage, chat, member);
      }
    }
    return loads;
  }

  /// Adds what is to be told of a group; returns whether there are authors left for another time.
  private boolean count(ChatState chat, List<GroupProgress> progress) {
    stepsLeft -= chat.members.size();
    long delivered = Long.MAX_VALUE;
    long read = Long.MAX_VALUE;
    for (Member member : chat.members) {
      if (member.isIn()) {
        delivered = Math.min(delivered, member.reachedDelivered());
        read = Math.min(read, member.reachedRead());
      }
    }
    if (delivered == Long.MAX_VALUE) {
      return false;
    }
    delivered = Math.max(chat.toldDelivered, delivered);
    read = Math.max(chat.toldRead, read);
    var authors = new ArrayList<Author>();
    boolean left = authors(chat, authors);
    boolean news = delivered > chat.toldDelivered || read > chat.toldRead;
    if (news) {
      putProgress(chat, delivered, read);
    }
    if (news || !authors.isEmpty()) {
      progress.add(new GroupProgress(chat.id, delivered, read, List.copyOf(authors)));
    }
    return left;
  }

  private void putProgress(ChatState chat, long delivered, long read) {
    chat.toldDelivered = delivered;
    chat.toldRead = read;
    Progress before = Reads.progress(storage, chat.id);
    if (delivered > before.getAllDelivered() || read > before.getAllRead()) {
      round.batch.put(
          Keys.progress(chat.id),
          Progress.newBuilder()
              .setAllDelivered(Math.max(delivered, before.getAllDelivered()))
              .setAllRead(Math.max(read, before.getAllRead()))
              .build()
              .toByteArray());
    }
  }

  /// Goes on where the last tick stopped. Once all have been looked at since something moved, there
  /// is nothing to do until something moves again: most groups have messages that somebody never
  /// reads.
  private boolean authors(ChatState chat, List<Author> authors) {
    int members = chat.members.size();
    if (chat.authorsToLookAt == 0) {
      chat.authorsToLookAt = members;
    }
    int counted = 0;
    while (chat.authorsToLookAt > 0 && counted < AUTHORS_PER_GROUP) {
      chat.authorsToLookAt--;
      Member author = chat.members.get(chat.nextAuthor % members);
      chat.nextAuthor = (chat.nextAuthor + 1) % members;
      if (author.isIn() && author.lastMessageSeq > 0 && !isToldAll(author)) {
        counted++;
        Author count = count(chat, author);
        if (!count.equals(author.told) && count.delivered() + count.read() > 0) {
          authors.add(count);
          author.told = count;
        }
      }
    }
    return chat.authorsToLookAt > 0;
  }

  private static boolean isToldAll(Member author) {
    Author told = author.told;
    return told != null && told.seq() == author.lastMessageSeq && told.read() == told.total();
  }

  private Author count(ChatState chat, Member author) {
    stepsLeft -= chat.members.size();
    long seq = author.lastMessageSeq;
    int total = 0;
    int delivered = 0;
    int read = 0;
    for (Member member : chat.members) {
      if (member != author && member.sees(seq)) {
        total++;
        delivered += member.shownDelivered >= seq ? 1 : 0;
        read += member.shownRead >= seq ? 1 : 0;
      }
    }
    return new Author(author.user, seq, total, delivered, read);
  }
}
