package io.tern.tools.system;

import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.router.Attachment;
import io.tern.router.Bus;
import io.tern.router.Commands;
import io.tern.router.Deliveries;
import io.tern.router.Delivery;
import io.tern.router.EdgeId;
import io.tern.router.Origin;
import io.tern.store.Batch;
import io.tern.store.Command;
import io.tern.store.CommitLog;
import io.tern.store.Entry;
import io.tern.store.Keys;
import io.tern.store.LocalLog;
import io.tern.store.Outcome;
import io.tern.store.Slots;
import io.tern.store.Storage;
import io.tern.store.v1.ChatSnapshot;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiPredicate;
import org.jspecify.annotations.Nullable;

/// Bugs that a server like this one could have, each as one change at a seam of [TestNode]. None of
/// them is reachable in the product.
final class Bugs {

  private Bugs() {}

  /// Tells senders before the batch is written: the last few batches are always still on their way.
  static final class AcknowledgeBeforeCommit extends TestNode.Seams {
    private static final int BEHIND = 4;

    @Override
    CommitLog log(Storage storage) {
      var late = new ArrayDeque<Batch>();
      return (batch, sync) -> {
        late.addLast(copyOf(batch));
        while (late.size() > BEHIND) {
          storage.write(late.removeFirst(), sync);
        }
      };
    }
  }

  /// Writes, and never asks the disk to keep it.
  static final class NoSync extends TestNode.Seams {
    @Override
    CommitLog log(Storage storage) {
      return (batch, sync) -> storage.write(batch, false);
    }
  }

  /// After a restart the shard takes what a device has sent for another device's: it no longer
  /// knows which csns it has seen.
  static final class CsnForgotten extends TestNode.Seams {
    @Override
    Storage storage(Storage disk) {
      return new StorageFilter(disk) {
        @Override
        public void scan(byte[] from, byte[] to, Visitor visitor) {
          super.scan(
              from,
              to,
              (key, value) -> visitor.visit(key, isEntry(key) ? byAnother(value) : value));
        }
      };
    }

    /// Flags, sender (a varint), device (one byte for those of a campaign).
    private static byte[] byAnother(byte[] entry) {
      int pos = 1;
      while (entry[pos] < 0) {
        pos++;
      }
      entry[pos + 1] = (byte) (entry[pos + 1] + 100);
      return entry;
    }
  }

  /// After a restart the newest entry of each chat is overlooked, and its seq given again.
  static final class SeqReused extends TestNode.Seams {
    @Override
    Storage storage(Storage disk) {
      return new StorageFilter(disk) {
        @Override
        public void scan(byte[] from, byte[] to, Visitor visitor) {
          if (!isEntry(from)) {
            super.scan(from, to, visitor);
            return;
          }
          var all = new ArrayList<byte[][]>();
          super.scan(
              from,
              to,
              (key, value) -> {
                all.add(new byte[][] {key, value});
                return true;
              });
          for (int i = 0; i < all.size() - 1; i++) {
            if (!visitor.visit(all.get(i)[0], all.get(i)[1])) {
              return;
            }
          }
        }
      };
    }
  }

  /// The outbox is not looked at after a restart.
  static final class OutboxDropped extends TestNode.Seams {
    @Override
    Storage storage(Storage disk) {
      return new StorageFilter(disk) {
        @Override
        public void scan(byte[] from, byte[] to, Visitor visitor) {
          super.scan(from, to, (key, value) -> isOutbox(key) || visitor.visit(key, value));
        }
      };
    }
  }

  /// No bug, but a life in which nothing that is owed is done: the bus loses every entry, and no
  /// chat gets into a list before the end. All of it is in the outbox.
  static final class NothingSettled extends TestNode.Seams {
    @Override
    Storage storage(Storage disk) {
      return new StorageFilter(disk) {
        @Override
        public void write(Batch batch, boolean sync) {
          super.write(
              copyOf(
                  batch, (key, isPut) -> isPut ? key.length == 21 && key[2] == 'L' : isOutbox(key)),
              sync);
        }
      };
    }

    @Override
    Bus bus(Bus bus) {
      return new BusFilter(bus) {
        @Override
        void pass(EdgeId edge, List<Delivery> deliveries) {
          super.pass(
              edge,
              deliveries.stream()
                  .filter(d -> !(d instanceof Delivery.Entries || d instanceof Delivery.Nudge))
                  .toList());
        }
      };
    }
  }

  /// What the last one says is the watermark, though it be lower.
  static final class WatermarkByLastWrite extends TestNode.Seams {
    private final Map<List<Object>, Long> marks = new ConcurrentHashMap<>();
    private final List<Storage> disks = new ArrayList<>();

    @Override
    Storage storage(Storage disk) {
      disks.add(disk);
      return disk;
    }

    @Override
    Commands commands(Commands shards) {
      return (command, origin) -> {
        if (command instanceof Command.Read(DeviceId from, ChatId chat, long seq, boolean hidden)) {
          var mark = marks.put(List.of(chat, from.user()), seq);
          if (mark != null && seq < mark) {
            var batch = new Batch();
            batch.deleteRange(
                Keys.read(chat, from.user(), seq + 1), Keys.read(chat, from.user(), -1));
            batch.put(Keys.read(chat, from.user(), seq), new byte[8]);
            int shard = Slots.shardOf(command.slot(), disks.size());
            disks.get(shard).write(batch, false);
          }
        }
        return shards.submit(command, origin);
      };
    }
  }

  /// An entry that was handed to a session counts as acknowledged by its device.
  static final class SocketCountsAsAck extends TestNode.Seams {
    private @Nullable Commands shards;

    @Override
    Commands commands(Commands commands) {
      shards = commands;
      return commands;
    }

    @Override
    Bus bus(Bus bus) {
      return new BusFilter(bus) {
        @Override
        void pass(EdgeId edge, List<Delivery> deliveries) {
          super.pass(edge, deliveries);
          for (var delivery : deliveries) {
            if (delivery instanceof Delivery.Entries entries && shards != null) {
              for (var to : entries.to()) {
                shards.submit(
                    new Command.Ack(to.device(), entries.chat(), entries.seq()), Origin.NOBODY);
              }
            }
          }
        }
      };
    }
  }

  /// Two entries of one chat in one batch trade their contents.
  static final class ContentSwapped extends TestNode.Seams {
    @Override
    CommitLog log(Storage storage) {
      var log = new LocalLog(storage);
      return (batch, sync) -> log.commit(swapped(batch), sync);
    }

    private static Batch swapped(Batch batch) {
      var keys = new ArrayList<byte[]>();
      var values = new ArrayList<byte[]>();
      Batch.decode(
          batch.encoded(),
          new EntryVisitor() {
            @Override
            public void put(byte[] key, byte[] value) {
              if (isEntry(key)) {
                keys.add(key);
                values.add(value);
              }
            }
          });
      for (int i = 1; i < keys.size(); i++) {
        boolean sameChat = Arrays.equals(keys.get(i), 0, 15, keys.get(i - 1), 0, 15);
        if (sameChat) {
          var copy = copyOf(batch);
          copy.put(keys.get(i), values.get(i - 1));
          copy.put(keys.get(i - 1), values.get(i));
          return copy;
        }
      }
      return batch;
    }
  }

  /// Two answers of one batch go to each other's senders.
  static final class AnswersCrossed extends TestNode.Seams {
    @Override
    Bus bus(Bus bus) {
      return new BusFilter(bus) {
        @Override
        void pass(EdgeId edge, List<Delivery> deliveries) {
          var crossed = new ArrayList<>(deliveries);
          int first = -1;
          for (int i = 0; i < crossed.size(); i++) {
            if (crossed.get(i) instanceof Delivery.Answer(Origin to, Command command, Outcome out)
                && out instanceof Outcome.Sent) {
              if (first < 0) {
                first = i;
              } else {
                var other = (Delivery.Answer) crossed.get(first);
                crossed.set(first, new Delivery.Answer(other.to(), other.command(), out));
                crossed.set(i, new Delivery.Answer(to, command, other.outcome()));
                break;
              }
            }
          }
          super.pass(edge, crossed);
        }
      };
    }
  }

  /// Whoever was once served of a group is served for ever.
  static final class FormerMembersServed extends TestNode.Seams {
    private final Map<ChatId, Set<Attachment>> everyone = new ConcurrentHashMap<>();

    @Override
    Bus bus(Bus bus) {
      return new BusFilter(bus) {
        @Override
        void pass(EdgeId edge, List<Delivery> deliveries) {
          super.pass(edge, deliveries.stream().map(FormerMembersServed.this::toEveryone).toList());
        }
      };
    }

    private Delivery toEveryone(Delivery delivery) {
      if (delivery instanceof Delivery.Entries e && e.chat().isGroup()) {
        var to = everyone.computeIfAbsent(e.chat(), c -> ConcurrentHashMap.newKeySet());
        to.addAll(e.to());
        return new Delivery.Entries(
            e.chat(), e.seq(), e.sender(), e.body(), e.ownBody(), List.copyOf(to));
      }
      return delivery;
    }
  }

  /// After a restart a group no longer knows which changes it has made; and so that this matters,
  /// some of their answers get lost on the bus, as they may.
  static final class OpsForgotten extends TestNode.Seams {
    private int answers;

    @Override
    Storage storage(Storage disk) {
      return new StorageFilter(disk) {
        @Override
        public byte @Nullable [] get(byte[] key) {
          return withoutOps(key, super.get(key));
        }
      };
    }

    private static byte @Nullable [] withoutOps(byte[] key, byte @Nullable [] value) {
      if (value == null || key[2] != 'C') {
        return value;
      }
      try {
        return ChatSnapshot.parseFrom(value).toBuilder().clearOps().build().toByteArray();
      } catch (InvalidProtocolBufferException e) {
        throw new AssertionError(e);
      }
    }

    @Override
    Bus bus(Bus bus) {
      return new BusFilter(bus) {
        @Override
        synchronized void pass(EdgeId edge, List<Delivery> deliveries) {
          super.pass(
              edge,
              deliveries.stream()
                  .filter(delivery ->
                      !(delivery instanceof Delivery.Answer answer
                          && answer.command() instanceof Command.GroupEdit
                          && ++answers % 5 == 0))
                  .toList());
        }
      };
    }
  }

  /// The bus loses entries, and nobody asks after them.
  static final class LossWithoutNudge extends TestNode.Seams {
    @Override
    Bus bus(Bus bus) {
      return new LossyBus(bus, true);
    }
  }

  /// No bug: the bus may lose entries, because those who miss them are nudged.
  static final class Loss extends TestNode.Seams {
    @Override
    Bus bus(Bus bus) {
      return new LossyBus(bus, false);
    }
  }

  /// A repeated send is told the newest entry's place instead of its own.
  static final class RepeatToldWrongly extends TestNode.Seams {
    private final Map<ChatId, Entry> newest = new ConcurrentHashMap<>();
    private int answers;

    @Override
    Bus bus(Bus bus) {
      return new BusFilter(bus) {
        @Override
        synchronized void pass(EdgeId edge, List<Delivery> deliveries) {
          var told = new ArrayList<Delivery>();
          for (var delivery : deliveries) {
            if (delivery instanceof Delivery.Answer && ++answers % 50 == 0) {
              continue; // The bus may lose it; the sender asks again when it comes back.
            }
            told.add(
                delivery instanceof Delivery.Answer(Origin to, Command command, Outcome outcome)
                        && outcome instanceof Outcome.Sent sent
                    ? new Delivery.Answer(to, command, wrong(sent))
                    : delivery);
          }
          super.pass(edge, told);
        }
      };
    }

    private Outcome wrong(Outcome.Sent sent) {
      if (!sent.repeat()) {
        newest.put(sent.entry().chat(), sent.entry());
        return sent;
      }
      var last = newest.get(sent.entry().chat());
      return last == null ? sent : new Outcome.Sent(last, true, sent.members(), List.of());
    }
  }

  // ---- Parts -----------------------------------------------------------------------------------

  private static final class LossyBus extends BusFilter {
    private final boolean alsoNudges;
    private int entries;

    LossyBus(Bus bus, boolean alsoNudges) {
      super(bus);
      this.alsoNudges = alsoNudges;
    }

    @Override
    synchronized void pass(EdgeId edge, List<Delivery> deliveries) {
      var kept = new ArrayList<Delivery>();
      for (var delivery : deliveries) {
        boolean isLost =
            switch (delivery) {
              case Delivery.Entries e -> e.seq() > 1 && ++entries % 4 == 0;
              case Delivery.Nudge n -> alsoNudges;
              default -> false;
            };
        if (!isLost) {
          kept.add(delivery);
        }
      }
      super.pass(edge, kept);
    }
  }

  private static class BusFilter implements Bus {
    private final Bus bus;

    BusFilter(Bus bus) {
      this.bus = bus;
    }

    void pass(EdgeId edge, List<Delivery> deliveries) {
      if (!deliveries.isEmpty()) {
        bus.toEdge(edge, deliveries);
      }
    }

    @Override
    public final void toEdge(EdgeId edge, List<Delivery> deliveries) {
      pass(edge, deliveries);
    }

    @Override
    public final void toEveryEdge(Delivery delivery) {
      bus.toEveryEdge(delivery);
    }

    @Override
    public final void register(EdgeId edge, Deliveries deliveries) {
      bus.register(edge, deliveries);
    }

    @Override
    public final void unregister(EdgeId edge) {
      bus.unregister(edge);
    }
  }

  private static boolean isEntry(byte[] key) {
    return key.length == 23 && key[2] == 'M';
  }

  private static boolean isOutbox(byte[] key) {
    return key.length == 11 && key[2] == 'O';
  }

  private abstract static class EntryVisitor implements Batch.Visitor {
    @Override
    public void delete(byte[] key) {}

    @Override
    public void deleteRange(byte[] from, byte[] to) {}
  }

  private static Batch copyOf(Batch batch) {
    return copyOf(batch, (key, isPut) -> false);
  }

  /// Without the records that `leavesOut` names, by key and whether they are puts.
  private static Batch copyOf(Batch batch, BiPredicate<byte[], Boolean> leavesOut) {
    var copy = new Batch();
    Batch.decode(
        batch.encoded(),
        new Batch.Visitor() {
          @Override
          public void put(byte[] key, byte[] value) {
            if (!leavesOut.test(key, true)) {
              copy.put(key, value);
            }
          }

          @Override
          public void delete(byte[] key) {
            if (!leavesOut.test(key, false)) {
              copy.delete(key);
            }
          }

          @Override
          public void deleteRange(byte[] from, byte[] to) {
            copy.deleteRange(from, to);
          }
        });
    return copy;
  }
}
