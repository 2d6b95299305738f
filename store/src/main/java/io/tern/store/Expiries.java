package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.store.v1.Record;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Messages that disappear and records that end: the indexes of their times (`X` and `Y` keys), and
/// the sweep that erases what is due, slot by slot. In memory there is one time for each slot,
/// before which nothing in it is due, so that a sweep with nothing to do reads nothing.
///
/// Confined to its shard. Bounds per sweep: [#ERASURES_PER_TICK] messages and records, and
/// [#NEW_SLOTS_PER_TICK] slots looked at for the first time; the rest is the next one's, which
/// follows with the next batch.
final class Expiries {

  static final int ERASURES_PER_TICK = 256;

  static final int NEW_SLOTS_PER_TICK = 512;

  private static final long NOT_LOOKED = Long.MIN_VALUE;
  private static final long NOTHING_EXPIRES = Long.MAX_VALUE;

  /// An `X` or `Y` key of the open batch.
  private record Expiry(int slotIndex, long timeMillis) {}

  private final KeyValues storage;
  private final Round round;
  private final HotChats chats;
  private final Messages messages;
  private final int firstSlot;

  /// Per slot, no expiry comes before this time; [#NOT_LOOKED] until storage was asked.
  private final long[] soonestExpiry;

  private final List<Expiry> expiries = new ArrayList<>();
  private int slotsLooked;
  private int sweepSlot;

  Expiries(KeyValues storage, Round round, HotChats chats, Messages messages, ShardConfig config) {
    this.storage = storage;
    this.round = round;
    this.chats = chats;
    this.messages = messages;
    firstSlot = config.firstSlot();
    soonestExpiry = new long[config.endSlot() - firstSlot];
    Arrays.fill(soonestExpiry, NOT_LOOKED);
  }

  /// Message `seq` is to be erased then.
  void add(ChatState chat, long seq, long timeMillis) {
    round.batch.put(Keys.expiry(chat.id, timeMillis, seq), Keys.NO_VALUE);
    expiries.add(new Expiry(chat.slot - firstSlot, timeMillis));
  }

  /// The record ends then.
  void add(RecordKey record, long timeMillis) {
    round.batch.put(Keys.recordEnd(record, timeMillis), Keys.NO_VALUE);
    expiries.add(new Expiry(record.slot() - firstSlot, timeMillis));
  }

  /// The batch is committed: lets the next sweep find what it brought to storage.
  void committed() {
    for (int i = 0; i < expiries.size(); i++) {
      Expiry expiry = expiries.get(i);
      // An unlooked slot stays one: it will find this expiry in storage.
      soonestExpiry[expiry.slotIndex] =
          Math.min(soonestExpiry[expiry.slotIndex], expiry.timeMillis);
    }
    expiries.clear();
  }

  // ---- the sweep ------------------------------------------------------------------------------

  /// Erases what is due, as much as one tick may; returns whether there may be more. At most once a
  /// batch: what it erases is still in storage until the commit.
  boolean sweep(long nowMillis) {
    for (int i = 0; slotsLooked < soonestExpiry.length && i < NEW_SLOTS_PER_TICK; i++) {
      int slot = slotsLooked++;
      soonestExpiry[slot] = soonestExpiry(slot + firstSlot, 0);
    }
    int left = ERASURES_PER_TICK;
    // Goes on where the last tick stopped, so that a busy slot does not starve the others.
    for (int i = 0; i < soonestExpiry.length && left > 0; i++) {
      int slot = sweepSlot;
      if (soonestExpiry[slot] != NOT_LOOKED && soonestExpiry[slot] <= nowMillis) {
        left -= sweep(slot, nowMillis, left);
      }
      if (left > 0) {
        sweepSlot = (sweepSlot + 1) % soonestExpiry.length;
      }
    }
    return left <= 0 || slotsLooked < soonestExpiry.length;
  }

  /// Before this time nothing expires of what has been committed; Long.MAX_VALUE = nothing ever
  /// does, Long.MIN_VALUE = not all slots have been looked at.
  long soonestMillis() {
    long soonest = NOTHING_EXPIRES;
    for (long time : soonestExpiry) {
      soonest = Math.min(soonest, time);
    }
    return soonest;
  }

  private long soonestExpiry(int slot, long fromMillis) {
    long[] soonest = {NOTHING_EXPIRES};
    boolean[] isRecord = {true};
    // Ends of records follow behind expiries: mostly there is neither, and one look says so.
    storage.scan(
        Keys.expiryFrom(slot, fromMillis),
        Keys.recordEndsFrom(slot, Long.MAX_VALUE),
        (key, value) -> {
          isRecord[0] = Keys.isRecordEnd(key);
          soonest[0] = isRecord[0] ? Keys.recordEndTime(key) : Keys.expiryTime(key);
          return false;
        });
    if (!isRecord[0]) {
      storage.scan(
          Keys.recordEndsFrom(slot, 0),
          Keys.recordEndsFrom(slot, Long.MAX_VALUE),
          (key, value) -> {
            soonest[0] = Math.min(soonest[0], Keys.recordEndTime(key));
            return false;
          });
    }
    return soonest[0];
  }

  private int sweep(int slotIndex, long nowMillis, int erasuresMax) {
    int slot = slotIndex + firstSlot;
    var due = new ArrayList<byte[]>();
    // From where the last one was: what was deleted before it need not be stepped over.
    storage.scan(
        Keys.expiryFrom(slot, soonestExpiry[slotIndex]),
        Keys.expiryFrom(slot, nowMillis + 1),
        (key, value) -> {
          due.add(key);
          return due.size() < erasuresMax;
        });
    for (byte[] key : due) {
      ChatId chat = Keys.expiryChat(key);
      if (!chats.isErased(chat)) {
        messages.expire(chat, chats.inMemory(chat), Keys.expirySeq(key));
      }
      round.batch.delete(key);
    }
    int ended = endRecords(slot, nowMillis, erasuresMax - due.size());
    boolean done = due.size() + ended < erasuresMax;
    if (done) {
      soonestExpiry[slotIndex] = soonestExpiry(slot, nowMillis + 1);
    } else if (ended == 0) {
      // Records that ended have waited meanwhile: no more than their turn behind messages.
      soonestExpiry[slotIndex] = Keys.expiryTime(due.getLast());
    }
    return due.size() + ended;
  }

  /// Erases records that have ended; returns how many ends it looked at.
  private int endRecords(int slot, long nowMillis, int recordsMax) {
    var due = new ArrayList<byte[]>();
    storage.scan(
        Keys.recordEndsFrom(slot, 0),
        Keys.recordEndsFrom(slot, nowMillis + 1),
        (key, value) -> due.size() < recordsMax && due.add(key));
    for (byte[] end : due) {
      byte[] key = Keys.record(Keys.recordOfEnd(end));
      byte[] value = round.get(key);
      Record record = value == null ? null : Protos.parse(Record.parser(), value);
      // It may have been written anew, by this very batch.
      if (record != null && record.getExpiresMs() == Keys.recordEndTime(end)) {
        round.delete(key);
      }
      round.batch.delete(end);
    }
    return due.size();
  }
}
