package io.tern.edge.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.tern.edge.admin.AuditLog.Act;
import io.tern.edge.admin.AuditLog.Lines;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AuditLogTest {

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final Instant NOON = Instant.parse("2026-11-28T12:00:00Z");

  @TempDir private Path data;

  private AuditLog open(long fileBytesMax, int filesMax) throws IOException {
    return AuditLog.open(
        data, AuditLog.Book.ACTS, fileBytesMax, filesMax, () -> NOON, new Counters());
  }

  private AuditLog openLooks() throws IOException {
    return AuditLog.open(data, AuditLog.Book.LOOKS, 4096, 4, () -> NOON, new Counters());
  }

  private AuditLog open() throws IOException {
    return open(1 << 20, 4);
  }

  private static Act act(String what) {
    return new Act("anna", "127.0.0.1", what, Map.of("user", "12"));
  }

  private List<Path> files() throws IOException {
    try (Stream<Path> files = Files.list(data.resolve("audit"))) {
      return files.sorted().toList();
    }
  }

  private static List<Long> numbers(AuditLog.Page page) {
    return page.acts().stream().map(Lines::act).toList();
  }

  @Test
  void anActIsOnDiskBeforeItHappensAndItsOutcomeAfter() throws IOException {
    try (AuditLog log = open()) {
      long act = log.begin(act("ban"));
      assertThat(act).isEqualTo(1);
      assertThat(Files.readAllLines(files().getFirst()))
          .containsExactly(
              "{\"act\":1,\"at\":\"2026-11-28T12:00:00Z\",\"who\":\"anna\",\"from\":\"127.0.0.1\","
                  + "\"what\":\"ban\",\"about\":{\"user\":\"12\"}}");
      assertThat(log.page(0, 10).acts().getFirst().ended()).isNull();
      log.end(act, "done");
      assertThat(log.page(0, 10).acts().getFirst().ended())
          .isEqualTo("{\"act\":1,\"at\":\"2026-11-28T12:00:00Z\",\"outcome\":\"done\"}");
      assertThat(log.page(0, 10).next()).isZero();
    }
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(files().getFirst())))
        .isEqualTo("rw-------");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(data.resolve("audit"))))
        .isEqualTo("rwx------");
  }

  @Test
  void aLookIsOneLineInABookOfItsOwnWithNumbersOfItsOwn() throws IOException {
    String line =
        "{\"look\":%d,\"at\":\"2026-11-28T12:00:00Z\",\"who\":\"anna\",\"from\":\"127.0.0.1\","
            + "\"what\":\"user\",\"about\":{\"user\":\"12\"},\"outcome\":\"%s\"}";
    try (AuditLog acts = open();
        AuditLog looks = openLooks()) {
      acts.begin(act("ban"));
      assertThat(looks.look(act("user"), "done")).isEqualTo(1);
      assertThat(looks.look(act("user"), "refused NOT_FOUND")).isEqualTo(2);
      Path file = data.resolve("audit").resolve("looks-000000000001.jsonl");
      assertThat(Files.readAllLines(file))
          .containsExactly(line.formatted(1, "done"), line.formatted(2, "refused NOT_FOUND"));
      assertThat(looks.page(0, 10).acts())
          .containsExactly(
              new Lines(2, line.formatted(2, "refused NOT_FOUND"), null),
              new Lines(1, line.formatted(1, "done"), null));
      assertThat(numbers(acts.page(0, 10))).containsExactly(1L);
      // Many, so that files are full and go.
      for (int i = 3; i <= 200; i++) {
        looks.look(act("user"), "done");
      }
      assertThat(numbers(acts.page(0, 10))).containsExactly(1L);
    }
    try (AuditLog looks = openLooks()) {
      assertThat(looks.look(act("user"), "done")).isEqualTo(201);
    }
    assertThat(files()).hasSize(5);
    assertThatThrownBy(
            () -> {
              AuditLog looks = openLooks();
              looks.close();
              looks.look(act("user"), "done");
            })
        .isInstanceOf(IOException.class);
  }

  // ---- what is on disk -------------------------------------------------------------------------

  /// A machine whose syncs are counted and may fail, and whose time passes when a test says so.
  private static final class FakeMachine implements AuditLog.Machine {
    int syncs;
    boolean broken;
    final ArrayDeque<Runnable> due = new ArrayDeque<>();

    @Override
    public void sync(RandomAccessFile file) throws IOException {
      if (broken) {
        throw new IOException("no disk");
      }
      syncs++;
      file.getFD().sync();
    }

    @Override
    public void later(Duration after, Runnable task) {
      assertThat(after).isEqualTo(Duration.ofSeconds(1));
      due.add(task);
    }

    void secondPasses() {
      due.remove().run();
    }
  }

  private final FakeMachine machine = new FakeMachine();
  private final Counters counters = new Counters();

  private AuditLog openOn(FakeMachine machine, AuditLog.Book book) throws IOException {
    return new AuditLog(data, book, 4096, 4, () -> NOON, counters, machine);
  }

  @Test
  void looksWaitForNoSyncAndThoseOfASecondAreSyncedTogether() throws IOException {
    try (AuditLog looks = openOn(machine, AuditLog.Book.LOOKS)) {
      for (int i = 0; i < 3; i++) {
        looks.look(act("user"), "done");
      }
      assertThat(machine.syncs).isZero();
      assertThat(machine.due).hasSize(1);
      machine.secondPasses();
      assertThat(machine.syncs).isEqualTo(1);
      // Without looks there is nothing to do.
      assertThat(machine.due).isEmpty();
      looks.look(act("user"), "done");
      machine.secondPasses();
      assertThat(machine.syncs).isEqualTo(2);
    }
    assertThat(machine.syncs).isEqualTo(2);
    assertThat(counters.get(Count.ADMIN_LOOKS_UNSYNCED)).isZero();
  }

  @Test
  void looksAreSyncedBeforeTheirFileIsLeftOrClosed() throws IOException {
    try (AuditLog looks = openOn(machine, AuditLog.Book.LOOKS)) {
      while (files().size() < 2) {
        looks.look(act("user"), "done");
      }
      assertThat(machine.syncs).isEqualTo(1);
      // The one that is in the next file came after that.
      machine.secondPasses();
    }
    assertThat(machine.syncs).isEqualTo(2);
    // A second that ends after the close finds nothing to do.
    machine.due.forEach(Runnable::run);
    assertThat(machine.syncs).isEqualTo(2);
    assertThat(counters.get(Count.ADMIN_LOOKS_UNSYNCED)).isZero();
  }

  @Test
  void aSyncOfLooksThatFailsIsCountedAndTheNextOnesAreSyncedAgain() throws IOException {
    try (AuditLog looks = openOn(machine, AuditLog.Book.LOOKS)) {
      machine.broken = true;
      looks.look(act("user"), "done");
      machine.secondPasses();
      assertThat(counters.get(Count.ADMIN_LOOKS_UNSYNCED)).isEqualTo(1);
      machine.broken = false;
      assertThat(looks.look(act("user"), "done")).isEqualTo(2);
      machine.secondPasses();
      assertThat(machine.syncs).isEqualTo(1);
      assertThat(counters.get(Count.ADMIN_LOOKS_UNSYNCED)).isEqualTo(1);
      assertThat(numbers(looks.page(0, 10))).containsExactly(2L, 1L);
    }
  }

  @Test
  void everyLineOfAnActIsSyncedAndOneThatIsNotIsTakenBack() throws IOException {
    try (AuditLog acts = openOn(machine, AuditLog.Book.ACTS)) {
      long ban = acts.begin(act("ban"));
      assertThat(machine.syncs).isEqualTo(1);
      acts.end(ban, "done");
      assertThat(machine.syncs).isEqualTo(2);
      machine.broken = true;
      assertThatThrownBy(() -> acts.begin(act("erase"))).isInstanceOf(IOException.class);
      machine.broken = false;
      assertThat(acts.begin(act("unban"))).isEqualTo(ban + 1);
      assertThat(Files.readString(files().getFirst())).doesNotContain("erase");
    }
    assertThat(machine.due).isEmpty();
  }

  // ---- lines and files -------------------------------------------------------------------------

  @Test
  void foreignTextCannotEndALineOrPretendToBeAnother() throws IOException {
    String nasty =
        "x\r\n{\"act\":1,\"outcome\":\"done\"}\n\u001b[2J\u202Eresu\u2028\"},\"who\":\"eve\" \\";
    try (AuditLog log = open()) {
      log.begin(new Act("anna", "::1", "ban", Map.of("reason", nasty, "\"\n", "\u0000")));
      String text = Files.readString(files().getFirst());
      assertThat(text.lines()).hasSize(1);
      assertThat(text.strip().chars()).allMatch(c -> c >= ' ' && c < 0x7F);
      Lines lines = log.page(0, 10).acts().getFirst();
      assertThat(lines.ended()).isNull();
      JsonNode read = JSON.readTree(lines.begun());
      // Reading it gives what was written: nothing is lost either.
      assertThat(read.at("/about/reason").textValue()).isEqualTo(nasty);
      assertThat(read.at("/who").textValue()).isEqualTo("anna");
      log.begin(new Act("anna", "::1", "ban", Map.of("reason", "y".repeat(100_000))));
      assertThat(Files.size(files().getFirst())).isLessThan(3_000);
    }
  }

  /// Whatever byte a crash leaves as the last one.
  @Test
  void aLineThatACrashCutOffIsCutAwayAndNumbersGoOn() throws IOException {
    try (AuditLog log = open()) {
      log.end(log.begin(act("ban")), "done");
      log.begin(act("unban"));
    }
    byte[] whole = Files.readAllBytes(files().getFirst());
    int first = new String(whole, StandardCharsets.US_ASCII).indexOf('\n');
    for (int length = 0; length < whole.length; length++) {
      Files.write(files().getFirst(), java.util.Arrays.copyOf(whole, length));
      try (AuditLog log = open()) {
        List<Long> before = numbers(log.page(0, 10));
        long next = log.begin(act("erase"));
        assertThat(next).as("cut to %d", length).isEqualTo(before.size() + 1);
        assertThat(numbers(log.page(0, 10))).startsWith(next).hasSize(before.size() + 1);
      }
      String text = Files.readString(files().getFirst());
      assertThat(text).endsWith("}\n");
      for (String line : text.lines().toList()) {
        JSON.readTree(line);
      }
      assertThat(text.contains("unban")).isFalse();
      assertThat(text.contains("\"ban\"")).isEqualTo(length > first);
      Files.write(files().getFirst(), new byte[0], StandardOpenOption.TRUNCATE_EXISTING);
    }
  }

  @Test
  void filesRotateWithinTheirBoundAndPagesGoThroughAll() throws IOException {
    var seen = new ArrayList<Long>();
    try (AuditLog log = open(4096, 3)) {
      for (int i = 0; i < 300; i++) {
        log.end(log.begin(act("ban")), "done");
      }
      assertThat(files()).hasSize(3);
      long bytes = 0;
      for (Path file : files()) {
        assertThat(Files.size(file)).isLessThan(4096 + 200);
        bytes += Files.size(file);
      }
      assertThat(bytes).isGreaterThan(2 * 4096L);
      AuditLog.Page page = log.page(0, 7);
      while (true) {
        assertThat(page.acts()).allMatch(lines -> lines.ended() != null);
        seen.addAll(numbers(page));
        if (page.next() == 0) {
          break;
        }
        page = log.page(page.next(), 7);
      }
    }
    assertThat(seen.getFirst()).isEqualTo(300);
    for (int i = 1; i < seen.size(); i++) {
      assertThat(seen.get(i)).isEqualTo(seen.get(i - 1) - 1);
    }
    assertThat(files().getFirst().getFileName())
        .hasToString("acts-%012d.jsonl".formatted(seen.getLast()));
    try (AuditLog again = open(4096, 3)) {
      assertThat(again.begin(act("ban"))).isEqualTo(301);
    }
  }

  @Test
  void anOutcomeAfterARotationIsFoundInTheNextFile() throws IOException {
    try (AuditLog log = open(4096, 10)) {
      long slow = log.begin(act("erase"));
      while (files().size() == 1) {
        log.begin(act("ban"));
      }
      log.end(slow, "done");
      assertThat(log.page(slow + 1, 1).acts().getFirst().ended()).contains("done");
    }
  }

  @Test
  void whatCannotBeWrittenIsAnErrorAndLeavesNothing() throws IOException {
    try (AuditLog log = open(4096, 10)) {
      long last = 0;
      for (int i = 0; i < 10; i++) {
        last = log.begin(act("ban"));
      }
      // Full before the next one: that one needs a file, whose place is taken.
      Path taken = data.resolve("audit").resolve("acts-%012d.jsonl".formatted(last + 1));
      Files.createDirectory(taken);
      var large =
          new Act(
              "anna",
              "::1",
              "ban",
              Map.of(
                  "a",
                  "x".repeat(1000),
                  "b",
                  "x".repeat(1000),
                  "c",
                  "x".repeat(1000),
                  "d",
                  "x".repeat(1000)));
      for (int i = 0; i < 2; i++) {
        assertThatThrownBy(() -> log.begin(large)).isInstanceOf(IOException.class);
      }
      assertThat(numbers(log.page(0, 3))).first().isEqualTo(last);
      Files.delete(taken);
      assertThat(log.begin(large)).isEqualTo(last + 1);
    }
  }

  @Test
  void aFileThatSomebodyTookAwayIsMissedAndAnotherOneIsBegun() throws IOException {
    try (AuditLog log = open()) {
      log.begin(act("ban"));
      Files.move(files().getFirst(), data.resolve("taken"));
      long act = log.begin(act("unban"));
      assertThat(act).isEqualTo(2);
      assertThat(files()).hasSize(1);
      assertThat(numbers(log.page(0, 10))).containsExactly(2L);
    }
  }

  @Test
  void anInterruptDoesNotStopTheLog() throws IOException {
    try (AuditLog log = open()) {
      Thread.currentThread().interrupt();
      log.end(log.begin(act("ban")), "done");
      assertThat(Thread.interrupted()).isTrue();
      log.end(log.begin(act("ban")), "done");
      assertThat(log.page(0, 10).acts()).hasSize(2).allMatch(lines -> lines.ended() != null);
    }
  }

  @Test
  void actsAtOnceGetNumbersOfTheirOwn() throws IOException {
    try (AuditLog log = open(4096, 100)) {
      var all =
          IntStream.range(0, 64)
              .mapToObj(i ->
                  CompletableFuture.runAsync(() -> {
                    try {
                      log.end(log.begin(act("ban")), "done");
                    } catch (IOException e) {
                      throw new AssertionError(e);
                    }
                  }))
              .toArray(CompletableFuture[]::new);
      CompletableFuture.allOf(all).join();
      AuditLog.Page page = log.page(0, 100);
      assertThat(numbers(page)).hasSize(64).doesNotHaveDuplicates();
      assertThat(page.acts()).allMatch(lines -> lines.ended() != null);
    }
  }
}
