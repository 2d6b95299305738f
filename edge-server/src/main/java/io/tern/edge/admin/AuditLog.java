package io.tern.edge.admin;

import io.tern.edge.logging.Encoded;
import io.tern.edge.logging.Wordless;
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
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What administrators did: for each act a line before it takes effect, on disk when [#begin]
/// returns, and a line with its outcome. Lines are only ever added.
///
/// ```
/// DATA/audit/acts-000000000017.jsonl      named by the first act in it
///   {"act":17,"at":"2026-11-28T12:00:00Z","who":"anna","from":"10.0.0.7","what":"ban","about":{"user":"12","reason":"spam"}}
///   {"act":17,"at":"2026-11-28T12:00:00.012Z","outcome":"done"}
/// ```
///
/// Acts are numbered without a hole, over restarts too. A line that a crash cut off told nobody
/// anything and let nothing happen: it is cut away at the next start; an act without an outcome is
/// one during which the server ended. Foreign text is encoded ([Encoded]), so that a line is a
/// line.
///
/// Bounds: `filesMax` files of `fileBytesMax` bytes each, and the outcomes of acts under way when a
/// file was full; the oldest goes when there is one more. A text is cut at [#TEXT_CHARS_MAX]
/// characters.
///
/// Any thread; blocks for a write and a sync, under a lock. An interrupt does not cut a write off.
public final class AuditLog implements AutoCloseable {

  /// An act that is about to happen.
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

  /// The lines of one act.
  ///
  /// @param begun JSON
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

  static final int TEXT_CHARS_MAX = 1024;

  private static final int LINE_BYTES_MAX = 64 * 1024;

  /// What only the first line of an act has; in a text the quotes would be escaped.
  private static final String BEGUN = ",\"who\":\"";

  private static final String HEAD = "{\"act\":";
  private static final Logger log = LoggerFactory.getLogger(AuditLog.class);

  private final Path folder;
  private final long fileBytesMax;
  private final int filesMax;
  private final InstantSource clock;

  /// The next act's number. This and what follows: guarded by this.
  private long next = 1;

  private @Nullable Current current;
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
  public static AuditLog open(Path data, long fileBytesMax, int filesMax, InstantSource clock)
      throws IOException {
    return new AuditLog(data.resolve("audit"), fileBytesMax, filesMax, clock);
  }

  private AuditLog(Path folder, long fileBytesMax, int filesMax, InstantSource clock)
      throws IOException {
    this.folder = folder;
    this.fileBytesMax = fileBytesMax;
    this.filesMax = filesMax;
    this.clock = clock;
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
    var line = new StringBuilder(256);
    line.append(HEAD).append(next).append(",\"at\":\"").append(clock.instant()).append('"');
    put(line, "who", act.who());
    put(line, "from", act.from());
    put(line, "what", act.what());
    line.append(",\"about\":{");
    int start = line.length();
    act.about().forEach((key, value) -> put(line, key, value));
    if (line.length() > start) {
      line.deleteCharAt(start);
    }
    line.append("}}\n");
    byte[] bytes = line.toString().getBytes(StandardCharsets.UTF_8);
    append(fileFor(bytes.length), bytes);
    return next++;
  }

  /// Notes how an act has ended.
  ///
  /// @param outcome a few plain words
  /// @throws IOException when that cannot be written
  public synchronized void end(long act, String outcome) throws IOException {
    var line = new StringBuilder(128);
    line.append(HEAD).append(act).append(",\"at\":\"").append(clock.instant()).append('"');
    put(line, "outcome", outcome);
    byte[] bytes = line.append("}\n").toString().getBytes(StandardCharsets.UTF_8);
    append(fileFor(0), bytes);
  }

  private static void put(StringBuilder line, String key, String value) {
    line.append(",\"");
    Encoded.appendJson(line, key, TEXT_CHARS_MAX);
    line.append("\":\"");
    Encoded.appendJson(line, value, TEXT_CHARS_MAX);
    line.append('"');
  }

  /// On disk when it returns; or nothing of it counts.
  private void append(RandomAccessFile file, byte[] line) throws IOException {
    long end = file.getFilePointer();
    try {
      file.write(line);
      file.getFD().sync();
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
  private static void scan(Path path, BiConsumer<Long, String> each, long[] whole)
      throws IOException {
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
  private static long act(String line) {
    int comma = line.indexOf(',');
    if (!line.startsWith(HEAD) || !line.endsWith("}") || comma < 0) {
      return 0;
    }
    try {
      return Long.parseLong(line, HEAD.length(), comma, 10);
    } catch (NumberFormatException e) {
      return 0;
    }
  }

  // ---- files -----------------------------------------------------------------------------------

  private Path path(long first) {
    return folder.resolve("acts-%012d.jsonl".formatted(first));
  }

  /// The first acts of all files, oldest first.
  private List<Long> files() throws IOException {
    var firsts = new ArrayList<Long>();
    try (Stream<Path> all = Files.list(folder)) {
      for (Path path : (Iterable<Path>) all::iterator) {
        String name = path.getFileName().toString();
        if (name.matches("acts-[0-9]{12}\\.jsonl") && Files.isRegularFile(path)) {
          firsts.add(Long.parseLong(name, 5, 17, 10));
        }
      }
    }
    firsts.sort(null);
    return firsts;
  }

  @Override
  public synchronized void close() {
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
