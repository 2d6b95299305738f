package io.tern.edge.admin;

import io.tern.edge.logging.Encoded;
import io.tern.edge.logging.Wordless;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.RandomAccessFile;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What administrators did, or whom they looked at: a [Book] each. Lines are only ever added.
///
/// ```
/// DATA/audit/acts-000000000017.jsonl      named by the first act in it
///   {"act":17,"at":"2026-11-28T12:00:00Z","who":"anna","from":"10.0.0.7","what":"ban","about":{"user":"12","reason":"spam"}}
///   {"act":17,"at":"2026-11-28T12:00:00.012Z","outcome":"done"}
/// DATA/audit/looks-000000000001.jsonl
///   {"look":1,"at":"2026-11-28T11:59:40Z","who":"anna","from":"10.0.0.7","what":"user","about":{"user":"12"},"outcome":"done"}
/// ```
///
/// An act has a line before it takes effect, on disk when [#begin] returns, and a line with its
/// outcome. A look has one line, before what it found is shown; it is with the operating system
/// when [#look] returns, and on disk a second later ([#SYNC_AFTER]), one sync for all of that
/// second: the end of the process takes none of them, a power cut those of the last second. That
/// sync may fail, after they were shown: it is counted, and a power cut may take them later too.
///
/// Acts are numbered without a hole, and so are looks, over restarts too. A line that a crash cut
/// off told nobody anything and let nothing happen: it is cut away at the next start; an act
/// without an outcome is one during which the server ended. Foreign text is encoded ([Encoded]), so
/// that a line is a line.
///
/// Bounds, of each book: `filesMax` files of `fileBytesMax` bytes each, and the outcomes of acts
/// under way when a file was full; the oldest goes when there is one more. A text is cut at
/// [#TEXT_CHARS_MAX] characters.
///
/// Any thread; blocks for a write and a sync, under a lock; a look for a write, and once a second
/// for a sync of others. An interrupt does not cut a write off.
public final class AuditLog implements AutoCloseable {

  /// What is written in an audit log.
  public enum Book {
    ACTS("act"),
    LOOKS("look");

    private final String one;

    Book(String one) {
      this.one = one;
    }
  }

  /// An act that is about to happen, or a look that has.
  ///
  /// @param who the credential's name
  /// @param from the address
  /// @param what the operation
  /// @param about what it is done to and with; no secrets, no phone numbers
  public record Act(String who, String from, String what, Map<String, String> about) {
    @Override
    public String toString() {
      return what + " by " + who;
    }
  }

  /// The lines of one act or look.
  ///
  /// @param begun JSON; a look's with its outcome
  /// @param ended JSON; null = there is none (yet)
  public record Lines(long act, String begun, @Nullable String ended) {
    @Override
    public String toString() {
      return "Lines[" + act + "]";
    }
  }

  /// Some acts, the newest first.
  ///
  /// @param next before which number there are more; 0 = there are none
  public record Page(List<Lines> acts, long next) {}

  /// What it asks of the machine; tests have their own.
  interface Machine {

    /// Returns when what was written to the file is on disk.
    void sync(RandomAccessFile file) throws IOException;

    /// Runs a task so much later, on a thread that may block.
    void later(Duration after, Runnable task);
  }

  private static final Machine MACHINE =
      new Machine() {
        @Override
        public void sync(RandomAccessFile file) throws IOException {
          file.getFD().sync();
        }

        @Override
        public void later(Duration after, Runnable task) {
          CompletableFuture.delayedExecutor(
                  after.toMillis(),
                  TimeUnit.MILLISECONDS,
                  then -> Thread.ofVirtual().name("tern-audit").start(then))
              .execute(task);
        }
      };

  static final int TEXT_CHARS_MAX = 1024;

  /// How long a look may be nowhere but in the memory of the operating system.
  static final Duration SYNC_AFTER = Duration.ofSeconds(1);

  private static final int LINE_BYTES_MAX = 64 * 1024;

  /// What only the first line of an act has; in a text the quotes would be escaped.
  private static final String BEGUN = ",\"who\":\"";

  private static final Logger log = LoggerFactory.getLogger(AuditLog.class);

  private final Book book;

  /// How its lines begin.
  private final String head;

  private final Path folder;
  private final long fileBytesMax;
  private final int filesMax;
  private final InstantSource clock;
  private final Counters counters;
  private final Machine machine;

  /// The next act's number. This and what follows: guarded by this.
  private long next = 1;

  private @Nullable Current current;

  /// Whether looks wait for a sync.
  private boolean unsynced;

  private boolean closed;

  /// The file that is written to. Not a channel: an interrupt would close that.
  ///
  /// @param key what the file system calls it, to notice when somebody moved it away
  private record Current(Path path, @Nullable Object key, RandomAccessFile file) {
    @Override
    public String toString() {
      return path.toString();
    }
  }

  /// Opens the log of a data folder, and makes it when it is not there.
  ///
  /// @throws IOException with one line, when it cannot be read or made
  public static AuditLog open(
      Path data, Book book, long fileBytesMax, int filesMax, InstantSource clock, Counters counters)
      throws IOException {
    return new AuditLog(data, book, fileBytesMax, filesMax, clock, counters, MACHINE);
  }

  AuditLog(
      Path data,
      Book book,
      long fileBytesMax,
      int filesMax,
      InstantSource clock,
      Counters counters,
      Machine machine)
      throws IOException {
    this.book = book;
    head = "{\"" + book.one + "\":";
    this.folder = data.resolve("audit");
    this.fileBytesMax = fileBytesMax;
    this.filesMax = filesMax;
    this.clock = clock;
    this.counters = counters;
    this.machine = machine;
    if (!Files.isDirectory(folder)) {
      Files.createDirectory(
          folder,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
    List<Long> files = files();
    if (!files.isEmpty()) {
      next = files.getLast();
      goOn(path(files.getLast()));
    }
  }

  /// Takes up the last file where it ends.
  private void goOn(Path path) throws IOException {
    long[] whole = {0};
    scan(path, (act, line) -> next = Math.max(next, act + 1), whole);
    var file = new RandomAccessFile(path.toFile(), "rw");
    if (file.length() > whole[0]) {
      log.warn("{} ends in the middle of a line, which is cut away", path.getFileName());
      file.setLength(whole[0]);
    }
    file.seek(whole[0]);
    current = new Current(path, key(path), file);
  }

  // ---- writing ---------------------------------------------------------------------------------

  /// Notes that an act is about to happen.
  ///
  /// @return its number
  /// @throws IOException when that cannot be written: then it must not happen
  public synchronized long begin(Act act) throws IOException {
    byte[] bytes = bytes(line(act));
    append(fileFor(bytes.length), bytes, true);
    return next++;
  }

  /// Notes that somebody has looked, before they are shown what they found.
  ///
  /// @param outcome a few plain words
  /// @return its number
  /// @throws IOException when that cannot be written: then it must not be shown
  public synchronized long look(Act look, String outcome) throws IOException {
    var line = line(look);
    put(line, "outcome", outcome);
    byte[] bytes = bytes(line);
    append(fileFor(bytes.length), bytes, false);
    if (!unsynced) {
      unsynced = true;
      machine.later(SYNC_AFTER, this::sync);
    }
    return next++;
  }

  private synchronized void sync() {
    if (!unsynced) {
      return;
    }
    unsynced = false;
    Current now = current;
    try {
      if (now == null) {
        throw new IOException("the file could not be written and was closed");
      }
      machine.sync(now.file());
    } catch (IOException e) {
      // They have been shown; only a power cut can still take their lines.
      counters.add(Count.ADMIN_LOOKS_UNSYNCED);
      log.error("looks of the last second are perhaps not on disk", Wordless.of(e));
    }
  }

  /// Without its end.
  private StringBuilder line(Act act) {
    var line = new StringBuilder(256);
    line.append(head).append(next).append(",\"at\":\"").append(clock.instant()).append('"');
    put(line, "who", act.who());
    put(line, "from", act.from());
    put(line, "what", act.what());
    line.append(",\"about\":{");
    int start = line.length();
    act.about().forEach((key, value) -> put(line, key, value));
    if (line.length() > start) {
      line.deleteCharAt(start);
    }
    return line.append('}');
  }

  private static byte[] bytes(StringBuilder line) {
    return line.append("}\n").toString().getBytes(StandardCharsets.UTF_8);
  }

  /// Notes how an act has ended.
  ///
  /// @param outcome a few plain words
  /// @throws IOException when that cannot be written
  public synchronized void end(long act, String outcome) throws IOException {
    var line = new StringBuilder(128);
    line.append(head).append(act).append(",\"at\":\"").append(clock.instant()).append('"');
    put(line, "outcome", outcome);
    append(fileFor(0), bytes(line), true);
  }

  private static void put(StringBuilder line, String key, String value) {
    line.append(",\"");
    Encoded.appendJson(line, key, TEXT_CHARS_MAX);
    line.append("\":\"");
    Encoded.appendJson(line, value, TEXT_CHARS_MAX);
    line.append('"');
  }

  /// Written when it returns, and on disk if `durable`; or nothing of it counts.
  private void append(RandomAccessFile file, byte[] line, boolean durable) throws IOException {
    long end = file.getFilePointer();
    try {
      file.write(line);
      if (durable) {
        machine.sync(file);
      }
    } catch (IOException e) {
      // What is there of the line must not stand before the next one.
      try {
        file.setLength(end);
        file.seek(end);
      } catch (IOException again) {
        e.addSuppressed(again);
        current = null;
        file.close();
      }
      throw e;
    }
  }

  /// The file for `bytes` more; another one when it is full, or when it is not there any more.
  private RandomAccessFile fileFor(int bytes) throws IOException {
    if (closed) {
      throw new IOException("the audit log is closed");
    }
    Current now = current;
    if (now != null && Objects.equals(now.key(), key(now.path()))) {
      boolean full = bytes > 0 && now.file().getFilePointer() + bytes > fileBytesMax;
      if (!full || now.file().getFilePointer() == 0) {
        return now.file();
      }
    }
    Path path = path(next);
    // An empty one is of an attempt that got no further.
    if (!Files.isRegularFile(path) || Files.size(path) > 0) {
      Files.createFile(
          path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    }
    syncFolder();
    sync();
    var file = new RandomAccessFile(path.toFile(), "rw");
    current = new Current(path, key(path), file);
    if (now != null) {
      now.file().close();
    }
    List<Long> files = files();
    for (long first : files.subList(0, Math.max(0, files.size() - filesMax))) {
      Files.deleteIfExists(path(first));
    }
    return file;
  }

  private void syncFolder() throws IOException {
    // A folder can be had by a channel only, which an interrupt would close: it waits.
    boolean interrupted = Thread.interrupted();
    try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
      channel.force(true);
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static @Nullable Object key(Path path) throws IOException {
    try {
      return Files.readAttributes(path, BasicFileAttributes.class).fileKey();
    } catch (NoSuchFileException e) {
      return null;
    }
  }

  // ---- reading ---------------------------------------------------------------------------------

  /// The acts before number `before`, the newest first.
  ///
  /// @param before 0 = from the end
  /// @param max numbers looked at; numbers whose file is gone are passed over
  public Page page(long before, int max) throws IOException {
    long end;
    synchronized (this) {
      end = before == 0 || before > next ? next : before;
    }
    long start = Math.max(1, end - max);
    var begun = new TreeMap<Long, String>();
    var ended = new TreeMap<Long, String>();
    List<Long> files = files();
    for (int i = 0; i < files.size(); i++) {
      boolean endsBefore = i + 1 < files.size() && files.get(i + 1) <= start;
      // The outcome of an act may stand in the file after its own.
      boolean beginsAfter = i > 0 && files.get(i - 1) >= end;
      if (endsBefore || beginsAfter) {
        continue;
      }
      try {
        scan(
            path(files.get(i)),
            (act, line) -> {
              if (act >= start && act < end) {
                (line.contains(BEGUN) ? begun : ended).put(act, line);
              }
            },
            new long[1]);
      } catch (NoSuchFileException e) {
        // The oldest, and it has just gone.
      }
    }
    List<Lines> acts =
        begun.descendingMap().entrySet().stream()
            .map(entry -> new Lines(entry.getKey(), entry.getValue(), ended.get(entry.getKey())))
            .toList();
    return new Page(acts, files.isEmpty() || start <= files.getFirst() ? 0 : start);
  }

  /// Every whole line of a file, and where the last one ends. What is no line of this log is passed
  /// over.
  private void scan(Path path, BiConsumer<Long, String> each, long[] whole) throws IOException {
    try (InputStream in = new BufferedInputStream(Files.newInputStream(path), 64 * 1024)) {
      var line = new ByteArrayOutputStream(512);
      long at = 0;
      for (int b = in.read(); b >= 0; b = in.read()) {
        at++;
        if (b != '\n') {
          if (line.size() < LINE_BYTES_MAX) {
            line.write(b);
          }
          continue;
        }
        whole[0] = at;
        String text = line.toString(StandardCharsets.UTF_8);
        line.reset();
        long act = act(text);
        if (act > 0) {
          each.accept(act, text);
        }
      }
    }
  }

  /// The number of the act that a line is of; 0 when it is none of this log's.
  private long act(String line) {
    int comma = line.indexOf(',');
    if (!line.startsWith(head) || !line.endsWith("}") || comma < 0) {
      return 0;
    }
    try {
      return Long.parseLong(line, head.length(), comma, 10);
    } catch (NumberFormatException e) {
      return 0;
    }
  }

  // ---- files -----------------------------------------------------------------------------------

  private Path path(long first) {
    return folder.resolve("%ss-%012d.jsonl".formatted(book.one, first));
  }

  /// The first acts of all files, oldest first.
  private List<Long> files() throws IOException {
    var firsts = new ArrayList<Long>();
    try (Stream<Path> all = Files.list(folder)) {
      for (Path path : (Iterable<Path>) all::iterator) {
        String name = path.getFileName().toString();
        if (name.matches(book.one + "s-[0-9]{12}\\.jsonl") && Files.isRegularFile(path)) {
          int digits = book.one.length() + 2;
          firsts.add(Long.parseLong(name, digits, digits + 12, 10));
        }
      }
    }
    firsts.sort(null);
    return firsts;
  }

  @Override
  public synchronized void close() {
    sync();
    closed = true;
    Current now = current;
    if (now != null) {
      try {
        now.file().close();
      } catch (IOException e) {
        log.warn("while closing the audit log", Wordless.of(e));
      }
      current = null;
    }
  }
}
