package io.tern.client.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tern.client.ClientStore;
import io.tern.client.ClientStore.PendingSend;
import io.tern.client.ClientStore.ResumeTicket;
import io.tern.client.store.FileClientStore.Sync;
import io.tern.protocol.ChatId;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileClientStoreTest extends ClientStoreContractTest {

  @TempDir private Path folder;

  @Override
  ClientStore open() {
    return FileClientStore.open(folder.resolve("store"));
  }

  /// The end of a process leaves any number of the bytes that were written. Whatever it leaves is
  /// the state after some of the changes, in their order, and the store goes on from there.
  @Test
  void aJournalCutAtAnyByteIsTheStateAfterSomeChange() throws IOException {
    long seed = Long.getLong("tern.client.seed", System.nanoTime());
    System.out.println("file store: -Dtern.client.seed=" + seed);
    var random = new Random(seed);
    Path whole = folder.resolve("whole");
    var states = new ArrayList<String>();
    var model = new MemoryClientStore();
    try (FileClientStore store = FileClientStore.open(whole, Sync.NONE)) {
      states.add(state(model));
      for (int i = 0; i < 60; i++) {
        change(random, model, store);
        states.add(state(model));
      }
      assertThat(state(store)).isEqualTo(state(model));
    }
    byte[] journal = Files.readAllBytes(whole.resolve(FileClientStore.JOURNAL));
    Path cut = folder.resolve("cut");
    int reached = 0;
    for (int length = 0; length <= journal.length; length++) {
      Files.createDirectories(cut);
      Files.write(cut.resolve(FileClientStore.JOURNAL), Arrays.copyOf(journal, length));
      String expected;
      try (FileClientStore store = FileClientStore.open(cut, Sync.NONE)) {
        String found = state(store);
        assertThat(states).as("cut at %d", length).contains(found);
        int at = reached;
        while (!states.get(at).equals(found)) {
          at++;
        }
        reached = at;
        store.setPosition(GROUP, 1_000_000 + length);
        expected = state(store);
      }
      try (FileClientStore store = FileClientStore.open(cut, Sync.NONE)) {
        assertThat(state(store)).isEqualTo(expected);
      }
    }
    assertThat(states.get(reached)).isEqualTo(state(model));
  }

  @Test
  void aFlippedBitEndsTheJournalThere() throws IOException {
    Path place = folder.resolve("flipped");
    try (FileClientStore store = FileClientStore.open(place)) {
      for (int seq = 1; seq <= 100; seq++) {
        store.setPosition(CHAT, seq);
      }
    }
    Path file = place.resolve(FileClientStore.JOURNAL);
    byte[] bytes = Files.readAllBytes(file);
    for (int i = 8; i < bytes.length; i += 7) {
      byte[] flipped = bytes.clone();
      flipped[i] ^= (byte) (1 << (i % 8));
      Files.write(file, flipped);
      try (FileClientStore store = FileClientStore.open(place)) {
        assertThat(store.position(CHAT)).isBetween(-1L, 99L);
      }
    }
  }

  @Test
  void theJournalStaysSmallHoweverMuchChanges() throws IOException {
    Path place = folder.resolve("small");
    var random = new Random(7);
    var model = new MemoryClientStore();
    long largest = 0;
    try (FileClientStore store = FileClientStore.open(place, Sync.NONE)) {
      for (int i = 0; i < 20_000; i++) {
        change(random, model, store);
        if (i % 200 == 0) {
          largest = Math.max(largest, Files.size(place.resolve(FileClientStore.JOURNAL)));
          assertThat(state(store)).isEqualTo(state(model));
        }
      }
    }
    assertThat(largest).isLessThan(6L * FileClientStore.COMPACT_BYTES_MIN);
    try (FileClientStore store = FileClientStore.open(place)) {
      assertThat(state(store)).isEqualTo(state(model));
    }
  }

  @Test
  void aHalfWrittenCompactionIsIgnored() throws IOException {
    Path place = folder.resolve("half");
    try (FileClientStore store = FileClientStore.open(place)) {
      store.setPosition(CHAT, 5);
    }
    Files.write(place.resolve("journal.new"), new byte[] {1, 2, 3});
    try (FileClientStore store = FileClientStore.open(place)) {
      assertThat(store.position(CHAT)).isEqualTo(5);
    }
  }

  @Test
  void aFolderHasOneUser() {
    Path place = folder.resolve("one");
    try (FileClientStore store = FileClientStore.open(place)) {
      assertThatThrownBy(() -> FileClientStore.open(place))
          .isInstanceOf(UncheckedIOException.class)
          .hasMessageContaining("in use");
      store.setPosition(CHAT, 1);
    }
    FileClientStore.open(place).close();
  }

  @Test
  void anotherProgramsFileIsRefusedAndLeftAlone() throws IOException {
    Path place = Files.createDirectories(folder.resolve("foreign"));
    Path file = place.resolve(FileClientStore.JOURNAL);
    Files.writeString(file, "SQLite format 3 and more");
    assertThatThrownBy(() -> FileClientStore.open(place)).hasMessageContaining("journal");
    assertThat(file).hasContent("SQLite format 3 and more");
  }

  private static void change(Random random, ClientStore one, ClientStore other) {
    ChatId chat = random.nextBoolean() ? CHAT : GROUP;
    List<PendingSend> pending =
        one.pendingSends().stream().filter(s -> s.chat().equals(chat)).toList();
    switch (random.nextInt(6)) {
      case 0, 1 -> {
        if (pending.size() > 20) {
          return;
        }
        long last = pending.isEmpty() ? 0 : pending.get(pending.size() - 1).csn();
        var send =
            new PendingSend(
                chat, Math.max(last, one.lastCsn(chat)) + 1, new byte[random.nextInt(100)]);
        one.addSend(send);
        other.addSend(send);
      }
      case 2 -> {
        if (!pending.isEmpty()) {
          long csn = pending.get(random.nextInt(Math.min(2, pending.size()))).csn();
          one.removeSend(chat, csn);
          other.removeSend(chat, csn);
        }
      }
      case 3 -> {
        long seq = one.position(chat) + 1 + random.nextInt(3);
        one.setPosition(chat, seq);
        other.setPosition(chat, seq);
      }
      case 4 -> {
        var ticket = new ResumeTicket(new byte[random.nextInt(90)], random.nextInt(1000));
        one.setResumeTicket(random.nextInt(4) == 0 ? null : ticket);
        other.setResumeTicket(one.resumeTicket());
      }
      default -> {
        long after = pending.isEmpty() ? 0 : pending.get(0).csn();
        one.renumberSends(chat, after, after);
        other.renumberSends(chat, after, after);
      }
    }
  }

  /// All that a store tells.
  private static String state(ClientStore store) {
    var text = new StringBuilder();
    for (ChatId chat : List.of(CHAT, GROUP)) {
      text.append(chat).append(' ').append(store.position(chat)).append(' ');
      text.append(store.lastCsn(chat)).append(':');
      store.pendingSends().stream()
          .filter(s -> s.chat().equals(chat))
          .forEach(s -> text.append(' ').append(s.csn()).append('/').append(s.content().length));
      text.append('\n');
    }
    ResumeTicket ticket = store.resumeTicket();
    return text + (ticket == null ? "none" : ticket.count() + "/" + ticket.sealed().length);
  }
}
