package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.router.directory.MemoryDirectory;
import io.tern.store.Command;
import io.tern.store.Entry;
import io.tern.store.Outcome;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/// Measures what dispatch costs, by hand: it is no test. One thread, everything but the edge:
/// rounds of sends and of the acknowledgements of an earlier round, each message with its answer,
/// its delivery, its watch, its settlement and its receipt.
///
/// ```
/// java -cp … io.tern.router.DispatchHarness
/// ```
final class DispatchHarness {

  private static final byte[] CONTENT = new byte[110];
  private static final byte[] BODY = new byte[114];

  private DispatchHarness() {}

  public static void main(String[] args) {
    System.out.println("| users | sessions | sends a round | CPU ns/message | bytes/message |");
    System.out.println("|---|---|---|---|---|");
    for (int users : new int[] {200, 20_000}) {
      for (int round : new int[] {1, 16, 64, 512}) {
        measure(users, 1, round, 300_000);
        System.out.println(measure(users, 1, round, 1_500_000));
      }
    }
    measure(20_000, 3, 64, 300_000);
    System.out.println(measure(20_000, 3, 64, 1_500_000));
  }

  private static String measure(int users, int devices, int roundSize, int messages) {
    var random = new Random(1);
    var edge = new EdgeId("edge", 1);
    var directory = new MemoryDirectory(MemoryDirectory.Config.DEFAULT, 1);
    var ids = new ArrayList<DeviceId>();
    for (int i = 0; i < users; i++) {
      var user = new UserId(1 + random.nextLong(UserId.VALUE_MAX));
      for (int d = 1; d <= devices; d++) {
        var device = new DeviceId(user, d);
        directory.attach(device, edge, i * 10L + d, true);
        if (d == 1) {
          ids.add(device);
        }
      }
    }
    long[] handed = new long[1];
    long[] settled = new long[1];
    Bus bus =
        new Bus() {
          @Override
          public void toEdge(EdgeId to, List<Delivery> deliveries) {
            handed[0] += deliveries.size();
          }

          @Override
          public void toEveryEdge(Delivery delivery) {}

          @Override
          public void register(EdgeId id, Deliveries deliveries) {}

          @Override
          public void unregister(EdgeId id) {}
        };
    var dispatcher =
        new Dispatcher(
            new EdgeId("shard-0", 1),
            directory,
            bus,
            (user, chat, seq) -> true,
            (command, origin) -> true,
            DispatchConfig.DEFAULT,
            RouterMetrics.NONE,
            n -> settled[0]++);
    int chats = users / 2;
    var chatIds = new ArrayList<ChatId>();
    var members = new ArrayList<List<UserId>>();
    var observers = new ArrayList<List<UserId>>();
    for (int i = 0; i < chats; i++) {
      var alice = ids.get(2 * i).user();
      var bob = ids.get(2 * i + 1).user();
      chatIds.add(ChatId.direct(alice, bob));
      members.add(List.of(alice, bob));
      observers.add(List.of(alice));
    }
    long[] heads = new long[chats];
    java.util.Arrays.fill(heads, 1);
    int rounds = messages / roundSize;
    int[][] pending = new int[3][];
    var threads = (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    long cpu = threads.getCurrentThreadCpuTime();
    long bytes = threads.getCurrentThreadAllocatedBytes();
    for (int round = 0; round < rounds; round++) {
      var acked = pending[round % 3];
      if (acked != null) {
        for (int chat : acked) {
          dispatcher.on(
              new Command.Ack(ids.get(2 * chat + 1), chatIds.get(chat), heads[chat]),
              new Origin(edge, chat, 0),
              new Outcome.Moved(
                  ids.get(2 * chat + 1).user(),
                  heads[chat],
                  0,
                  heads[chat],
                  0,
                  observers.get(chat)),
              round);
        }
      }
      var sent = new int[roundSize];
      for (int i = 0; i < roundSize; i++) {
        int chat = random.nextInt(chats);
        sent[i] = chat;
        var from = ids.get(2 * chat);
        var entry =
            new Entry(chatIds.get(chat), ++heads[chat], from, heads[chat], round, 1, CONTENT);
        dispatcher.on(
            new Command.Send(from, chatIds.get(chat), BODY),
            new Origin(edge, chat, 7),
            new Outcome.Sent(entry, false, members.get(chat), List.of()),
            round);
      }
      pending[round % 3] = sent;
      dispatcher.endOfBatch(round + 1, round);
    }
    cpu = threads.getCurrentThreadCpuTime() - cpu;
    bytes = threads.getCurrentThreadAllocatedBytes() - bytes;
    long done = (long) rounds * roundSize;
    if (handed[0] < 2 * done || settled[0] < rounds - 4) {
      throw new IllegalStateException(handed[0] + " handed, " + settled[0] + " settled");
    }
    return String.format(
        "| %,d | %d each | %d | %,d | %,d |", users, devices, roundSize, cpu / done, bytes / done);
  }
}
