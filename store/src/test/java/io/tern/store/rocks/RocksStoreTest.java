package io.tern.store.rocks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import io.tern.store.Batch;
import io.tern.store.Command;
import io.tern.store.Inspect;
import io.tern.store.KeyValues;
import io.tern.store.Outcome;
import io.tern.store.Reads;
import io.tern.store.Shard;
import io.tern.store.ShardConfig;
import io.tern.store.Slots;
import io.tern.store.Storage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.rocksdb.RocksDBException;
import org.rocksdb.WriteBatch;

/// A data folder's life: reopened, refused, damaged, full.
class RocksStoreTest {

  private static final UserId ALICE = new UserId(1001);
  private static final UserId BOB = new UserId(2002);
  private static final DeviceId PHONE = new DeviceId(ALICE, 1);
  private static final ChatId CHAT = ChatId.direct(ALICE, BOB);
  private static final long NOW = 1_700_000_000_000L;

  @TempDir Path temp;
  private final List<AutoCloseable> opened = new ArrayList<>();

  @AfterEach
  void closeAll() throws Exception {
    for (AutoCloseable resource : opened.reversed()) {
      resource.close();
    }
  }

  private Path data() {
    return temp.resolve("data");
  }

  private RocksStoreConfig config() {
    return RocksStoreConfig.of(data()).withShards(2).withDiskReserveBytes(0);
  }

  private RocksStore open() {
    return keep(RocksStore.open(config()));
  }

  private <T extends AutoCloseable> T keep(T resource) {
    opened.add(resource);
    return resource;
  }

  private static Shard shard(RocksStore store) {
    return store.shard(shardIndex());
  }

  private static int shardIndex() {
    return Slots.shardOf(Slots.of(CHAT), 2);
  }

  private static Outcome send(Shard shard, long csn, String text) {
    byte[] body =
        Send.newBuilder()
            .setCsn(csn)
            .setContent(
                Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(ByteString.copyFromUtf8(text)))
            .build()
            .toByteArray();
    Outcome outcome = shard.prepare(new Command.Send(PHONE, CHAT, body), NOW);
    shard.commit();
    return outcome;
  }

  private static long head(KeyValues storage) {
    return Reads.after(storage, CHAT, ALICE, 1, 1, 1).head();
  }

  /// What a `kill -9` leaves: a copy of the folder while it is open, as the operating system has
  /// it.
  private Path killedCopy() throws IOException {
    Path copy = temp.resolve("killed");
    copy(data(), copy);
    return copy;
  }

  private static void copy(Path from, Path to) throws IOException {
    try (var files = Files.walk(from)) {
      for (Path file : files.toList()) {
        Path target = to.resolve(from.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(target);
        } else {
          Files.copy(file, target, StandardCopyOption.REPLACE_EXISTING);
        }
      }
    }
  }

  private static Path db(Path data) {
    return RocksStore.dbFolder(RocksStore.shardFolder(data, shardIndex()));
  }

  private static Path newestWal(Path data) throws IOException {
    try (var files = Files.list(db(data))) {
      return files
          .filter(file -> file.toString().endsWith(".log"))
          .max(Comparator.comparing(Path::toString))
          .orElseThrow();
    }
  }

  private RocksStore openCopy(Path copy) {
    return keep(RocksStore.open(RocksStoreConfig.of(copy).withShards(2).withDiskReserveBytes(0)));
  }

  // ---- lives
  // -------------------------------------------------------------------------------------

  @Test
  void aFolderIsOpenedAgainWithAllItHad() {
    RocksStore store = open();
    assertThat(store.shards()).isEqualTo(2);
    Shard shard = shard(store);
    for (int csn = 1; csn <= 300; csn++) {
      send(shard, csn, "text " + csn);
    }
    store.close();

    RocksStore again = open();

    assertThat(head(again.storage(shardIndex()))).isEqualTo(300);
    assertThat(((Outcome.Sent) send(shard(again), 300, "text 300")).repeat()).isTrue();
    assertThat(((Outcome.Sent) send(shard(again), 301, "more")).entry().seq()).isEqualTo(301);
  }

  @Test
  void aKilledProcessLosesNothing() throws IOException {
    RocksStore store = open();
    Shard shard = shard(store);
    for (int csn = 1; csn <= 50; csn++) {
      send(shard, csn, "text " + csn);
    }

    RocksStore survivor = openCopy(killedCopy());

    assertThat(head(survivor.storage(shardIndex()))).isEqualTo(50);
    assertThat(shard(survivor).outbox()).hasSize(50);
  }

  @Test
  void theNumberOfShardsIsOnePerCoreUnlessSaid() {
    RocksStore store = keep(RocksStore.open(RocksStoreConfig.of(data()).withDiskReserveBytes(0)));
    assertThat(store.shards()).isEqualTo(Runtime.getRuntime().availableProcessors());
    store.close();

    RocksStore again = keep(RocksStore.open(RocksStoreConfig.of(data()).withDiskReserveBytes(0)));
    assertThat(again.shards()).isEqualTo(Runtime.getRuntime().availableProcessors());
  }

  @Test
  void rocksReadsTheBatchEncodingAsItIsMeant() throws RocksDBException {
    RocksStore store = open();
    Batch batch = new Batch();
    batch.put(new byte[] {1}, new byte[300]);
    batch.delete(new byte[] {2});
    batch.deleteRange(new byte[] {3}, new byte[] {4});
    try (var ours = new WriteBatch(batch.encoded());
        var theirs = new WriteBatch()) {
      theirs.put(new byte[] {1}, new byte[300]);
      theirs.delete(new byte[] {2});
      theirs.deleteRange(new byte[] {3}, new byte[] {4});
      assertThat(ours.count()).isEqualTo(3);
      assertThat(batch.encoded()).isEqualTo(theirs.data());
    }
    store.close();
  }

  // ---- refusals
  // ----------------------------------------------------------------------------------

  @Test
  void aFolderInUseIsRefused() {
    open();

    assertThatThrownBy(this::open)
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("in use by another process");
  }

  @Test
  void anotherNumberOfShardsIsRefused() {
    open().close();

    assertThatThrownBy(() -> RocksStore.open(config().withShards(3)))
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("has 2 shards, not 3");
  }

  @Test
  void aFolderOfANewerVersionIsRefused() throws IOException {
    open().close();
    Path manifest = data().resolve("tern.json");
    Files.writeString(
        manifest, Files.readString(manifest).replace("\"schema\": 2", "\"schema\": 3"));

    assertThatThrownBy(this::open)
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("newer Tern (schema 3");
    assertThatThrownBy(() -> Inspection.open(data())).hasMessageContaining("newer Tern");
  }

  @Test
  void aFolderFromBeforeTheFirstReleaseIsRefused() throws IOException {
    open().close();
    Path manifest = data().resolve("tern.json");
    Files.writeString(
        manifest, Files.readString(manifest).replace("\"schema\": 2", "\"schema\": 1"));

    assertThatThrownBy(this::open)
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("before the first release (schema 1");
  }

  @Test
  void aShardOfANewerVersionIsRefused() {
    RocksStore store = open();
    var batch = new Batch();
    batch.put(new byte[] {-1, -1, 'Z'}, new byte[] {0x08, 99, 0x10, 1});
    store.storage(0).write(batch, true);
    store.close();

    assertThatThrownBy(this::open)
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("newer Tern (schema 99");
    assertThatThrownBy(
            () -> {
              var storage = new io.tern.store.memory.MemoryStorage();
              storage.write(batch, true);
              var _ = new Shard(storage, (b, sync) -> {}, ShardConfig.of(0, 1));
            })
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("another version");
  }

  @Test
  void aDamagedManifestIsRefused() throws IOException {
    open().close();
    Path manifest = data().resolve("tern.json");
    Files.writeString(manifest, "{}");
    assertThatThrownBy(this::open)
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("names no schema version");
    Files.writeString(manifest, "{\"schema\": 2}");
    assertThatThrownBy(this::open)
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("names no number of shards");
    Files.delete(manifest);
    assertThatThrownBy(this::open)
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("no tern.json");
  }

  @Test
  void afterARefusalTheFolderCanBeOpened() throws IOException {
    open().close();
    assertThatThrownBy(() -> RocksStore.open(config().withShards(3)))
        .isInstanceOf(CannotOpen.class);

    assertThat(open().shards()).isEqualTo(2);
  }

  @Test
  void aFileWhereTheFolderShouldBeIsRefused() throws IOException {
    Files.writeString(data(), "not a folder");

    assertThatThrownBy(this::open).isInstanceOf(CannotOpen.class);
  }

  @Test
  void aFolderThatIsNotTernsCannotBeInspected() {
    assertThatThrownBy(() -> Inspection.open(data()))
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("no such folder");
    assertThatThrownBy(() -> Inspection.open(temp))
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("not a data folder");
  }

  // ---- damage
  // ------------------------------------------------------------------------------------

  @Test
  void aTornLastRecordIsACrashNotDamage() throws IOException {
    RocksStore store = open();
    Shard shard = shard(store);
    for (int csn = 1; csn <= 20; csn++) {
      send(shard, csn, "text " + csn);
    }
    Path copy = killedCopy();
    Path wal = newestWal(copy);
    byte[] bytes = Files.readAllBytes(wal);
    Files.write(wal, Arrays.copyOf(bytes, endOf(bytes) - 3));

    RocksStore survivor = openCopy(copy);

    assertThat(head(survivor.storage(shardIndex()))).isEqualTo(19);
  }

  @Test
  void aFlippedBitInTheLogIsRefused() throws IOException {
    RocksStore store = open();
    Shard shard = shard(store);
    for (int csn = 1; csn <= 200; csn++) {
      send(shard, csn, "text " + csn);
    }
    Path copy = killedCopy();
    Path wal = newestWal(copy);
    byte[] bytes = Files.readAllBytes(wal);
    bytes[endOf(bytes) / 2] ^= 1;
    Files.write(wal, bytes);

    assertThatThrownBy(() -> openCopy(copy))
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("may have lost data");
  }

  @Test
  void aLogThatEndsBeforeWhatWasAcknowledgedIsRefused() throws IOException {
    RocksStore store = open();
    Shard shard = shard(store);
    for (int csn = 1; csn <= 20; csn++) {
      send(shard, csn, "text " + csn);
    }
    store.look();
    Path copy = killedCopy();
    Path wal = newestWal(copy);
    byte[] bytes = Files.readAllBytes(wal);
    Files.write(wal, Arrays.copyOf(bytes, endOf(bytes) - 3));

    assertThatThrownBy(() -> openCopy(copy))
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("acknowledged data is lost: batch 20")
        .hasMessageContaining("the newest one found is 19");
  }

  @Test
  void aMissingLogIsRefused() throws IOException {
    RocksStore store = open();
    Shard shard = shard(store);
    send(shard, 1, "one");
    store.look();
    Path copy = killedCopy();
    Files.delete(newestWal(copy));

    assertThatThrownBy(() -> openCopy(copy)).isInstanceOf(CannotOpen.class);
  }

  @Test
  void anOlderCopyOfADatabaseIsRefused() throws IOException {
    RocksStore store = open();
    Shard shard = shard(store);
    send(shard, 1, "one");
    Path copy = killedCopy();
    send(shard, 2, "two");
    store.close();
    Path acked = RocksStore.ackedFile(RocksStore.shardFolder(data(), shardIndex()));
    Files.copy(
        acked,
        RocksStore.ackedFile(RocksStore.shardFolder(copy, shardIndex())),
        StandardCopyOption.REPLACE_EXISTING);

    assertThatThrownBy(() -> openCopy(copy))
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("acknowledged data is lost");
  }

  @Test
  void aMissingOrDamagedMarkIsRefused() throws IOException {
    RocksStore store = open();
    send(shard(store), 1, "one");
    store.close();
    Path acked = RocksStore.ackedFile(RocksStore.shardFolder(data(), shardIndex()));
    byte[] good = Files.readAllBytes(acked);

    Files.write(acked, new byte[8192]);
    assertThatThrownBy(this::open)
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("both pages are damaged");
    Files.delete(acked);
    assertThatThrownBy(this::open)
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining("'acked' is missing");
    Files.write(acked, good);
    assertThat(head(open().storage(shardIndex()))).isEqualTo(1);
  }

  @Test
  void aShardThatIsGoneIsNotBegunAnew() throws IOException {
    RocksStore store = open();
    send(shard(store), 1, "one");
    store.close();
    Path folder = RocksStore.shardFolder(data(), 1 - shardIndex());
    Path elsewhere = temp.resolve("elsewhere");
    Files.move(folder, elsewhere);

    assertThatThrownBy(this::open)
        .isInstanceOf(CannotOpen.class)
        .hasMessageContaining(folder.toString())
        .hasMessageContaining("is missing");
    assertThat(folder).doesNotExist();
    Files.move(elsewhere, folder);
    assertThat(head(open().storage(shardIndex()))).isEqualTo(1);
  }

  @Test
  void aNewFolderWhoseCreationWasCutOffIsFinished() throws IOException {
    open().close();
    Files.move(RocksStore.shardFolder(data(), 1), temp.resolve("elsewhere"));

    assertThat(open().shards()).isEqualTo(2);
  }

  /// Length of the log without the zeros that are allocated ahead of it.
  private static int endOf(byte[] wal) {
    int end = wal.length;
    while (wal[end - 1] == 0) {
      end--;
    }
    return end;
  }

  // ---- the disk
  // ----------------------------------------------------------------------------------

  @Test
  void belowTheReserveNewMessagesAreRefused() {
    var usable = new AtomicLong(100);
    RocksStore store = keep(RocksStore.open(config().withDiskReserveBytes(50), usable::get));
    Shard shard = shard(store);
    assertThat(send(shard, 1, "one")).isInstanceOf(Outcome.Sent.class);

    usable.set(49);
    store.look();
    assertThat(store.hasRoom()).isFalse();
    assertThat(((Outcome.Refused) send(shard, 2, "two")).code()).isEqualTo(ErrorCode.BUSY);
    assertThat(shard.prepare(new Command.Ack(new DeviceId(BOB, 1), CHAT, 1), NOW))
        .isInstanceOf(Outcome.Moved.class);
    shard.commit();

    usable.set(50);
    store.look();
    assertThat(send(shard, 2, "two")).isInstanceOf(Outcome.Sent.class);
  }

  @Test
  void aDiskThatDoesNotAnswerKeepsTheLastReading() {
    var usable = new AtomicLong(100);
    RocksStore store =
        keep(
            RocksStore.open(
                config().withDiskReserveBytes(50),
                () -> {
                  if (usable.get() < 0) {
                    throw new UncheckedIOException(new IOException("no answer"));
                  }
                  return usable.get();
                }));
    usable.set(-1);

    store.look();

    assertThat(store.hasRoom()).isTrue();
  }

  @Test
  void aFailureElsewhereOnTheDiskEndsTheShard() {
    RocksStore store = open();
    Shard shard = shard(store);
    send(shard, 1, "one");
    var _ =
        ((RocksStorage) store.storage(shardIndex())).fail("mark", new IOException("disk error"));

    assertThatThrownBy(() -> send(shard, 2, "two"))
        .isInstanceOf(Storage.LostDurability.class)
        .hasMessageContaining("disk error");
  }

  // ---- inspection
  // --------------------------------------------------------------------------------

  @Test
  void aRunningServersFolderCanBeInspected() throws IOException {
    RocksStore store = open();
    Shard shard = shard(store);
    send(shard, 1, "one");
    store.look();
    List<Path> before = files();

    try (Inspection inspection = Inspection.open(data())) {
      KeyValues found = inspection.shardOfSlot(Slots.of(CHAT));
      assertThat(Objects.requireNonNull(Inspect.chat(found, CHAT)).head()).isEqualTo(1);
      assertThat(inspection.acknowledged(shardIndex())).isEqualTo(1);
      assertThat(inspection.shards()).isEqualTo(2);
    }
    assertThat(files()).isEqualTo(before);
    assertThat(send(shard, 2, "two")).isInstanceOf(Outcome.Sent.class);
  }

  private List<Path> files() throws IOException {
    try (var files = Files.walk(data())) {
      return files.sorted().toList();
    }
  }

  // ---- closing
  // -----------------------------------------------------------------------------------

  @Test
  void closingWaitsForTheReaders() throws Exception {
    RocksStore store = open();
    send(shard(store), 1, "one");
    Storage storage = store.storage(shardIndex());
    Storage.Snapshot snapshot = storage.snapshot();

    Thread closer = Thread.ofPlatform().start(store::close);
    await().until(() -> refusesSnapshots(storage));

    // Closing has begun, and the snapshot is still good.
    assertThat(head(snapshot)).isEqualTo(1);
    assertThat(closer.isAlive()).isTrue();
    snapshot.close();
    closer.join(10_000);
    assertThat(closer.isAlive()).isFalse();
    assertThatThrownBy(() -> head(snapshot)).isInstanceOf(IllegalStateException.class);
  }

  private static boolean refusesSnapshots(Storage storage) {
    try (Storage.Snapshot _ = storage.snapshot()) {
      return false;
    } catch (IllegalStateException e) {
      return true;
    }
  }

  @Test
  void aVisitorThatThrowsLeavesNothingOpen() {
    RocksStore store = open();
    send(shard(store), 1, "one");
    Storage storage = store.storage(shardIndex());
    assertThatThrownBy(() ->
            storage.scan(
                new byte[] {0},
                new byte[] {-1},
                (key, value) -> {
                  throw new UnsupportedOperationException("visitor");
                }))
        .isInstanceOf(UnsupportedOperationException.class);

    // Would wait for ever if the scan still counted as a reader.
    store.close();
  }

  // ---- configuration
  // -----------------------------------------------------------------------------

  @Test
  void theDefaultsAreThese() {
    assertThat(RocksStoreConfig.of(data()))
        .isEqualTo(
            new RocksStoreConfig(
                data(),
                0,
                128L << 20,
                128L << 20,
                512L << 20,
                1024,
                65_536,
                262_144,
                100,
                Duration.ofMinutes(15),
                Duration.ofDays(2),
                1L << 30));
  }

  @Test
  void aBadValueNamesItselfAndWhatWouldBeValid() {
    assertThatThrownBy(() -> config().withShards(257)).hasMessage("shards = 257: must be 0 to 256");
    assertThatThrownBy(() -> config().withHotChatsMax(0))
        .hasMessage("hotChatsMax = 0: must be at least 1");
    assertThatThrownBy(() -> config().withDiskReserveBytes(-1))
        .hasMessage("diskReserveBytes = -1: must be 0 (none) or more");
  }
}
