package io.tern.edge.admin;

import io.tern.accounts.Secret;
import io.tern.edge.logging.Wordless;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Who may use the admin port: credentials with a name and a role, in a file of the data folder
/// that only its owner can read. The file has the SHA-256 of each secret; the secrets, 256 random
/// bits each, are told once and are nowhere.
///
/// ```
/// admin-credentials:   NAME ROLE CREATED SHA-256     one a line
/// ```
///
/// The server looks whether the file has changed each time it is asked, so that what a command adds
/// or removes counts at once, and a removed credential's next request is refused. A file that
/// cannot be read, is damaged or that others may write lets nobody in.
///
/// Any thread, any number of processes: changes take the lock of a file beside it. Bound:
/// [#CREDENTIALS_MAX] credentials.
public final class AdminCredentials {

  /// What an administrator may do.
  public enum Role {
    /// Look.
    READ,
    /// Look, and change what can be changed.
    ACT;

    String word() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /// Who has shown a good secret.
  public record Administrator(String name, Role role) {
    @Override
    public String toString() {
      return name + " (" + role.word() + ")";
    }
  }

  /// A credential, without its secret.
  public record Credential(String name, Role role, Instant created) {
    @Override
    public String toString() {
      return name + " (" + role.word() + ")";
    }
  }

  /// What cannot be done with a name, in one line.
  public static final class Unusable extends Exception {
    private static final long serialVersionUID = 1;

    Unusable(String message) {
      super(message);
    }
  }

  public static final int CREDENTIALS_MAX = 64;

  private static final String FILE = "admin-credentials";
  private static final String PREFIX = "tern-admin-";
  private static final int SECRET_BYTES = 32;
  private static final long FILE_BYTES_MAX = 64 * 1024;
  private static final Pattern NAME = Pattern.compile("[a-z0-9][a-z0-9._-]{0,31}");
  private static final FileAttribute<Set<PosixFilePermission>> OWNER_ONLY =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  /// Of this process; other processes are kept out by the lock of the file.
  private static final ReentrantLock CHANGES = new ReentrantLock();

  private static final Logger log = LoggerFactory.getLogger(AdminCredentials.class);

  /// One line of the file.
  private record Entry(Credential credential, byte[] hash) {
    String line() {
      return String.join(
          " ",
          credential.name(),
          credential.role().word(),
          credential.created().toString(),
          HexFormat.of().formatHex(hash));
    }
  }

  /// The file as it was read.
  ///
  /// @param state what it looked like from outside; null = it was not there
  private record Known(@Nullable State state, List<Entry> entries) {}

  private record State(FileTime changed, long bytes, @Nullable Object key) {
    @Override
    public String toString() {
      return "State[" + changed + ", " + bytes + " bytes]";
    }
  }

  private final Path file;
  private volatile Known known = new Known(null, List.of());

  private AdminCredentials(Path file) {
    this.file = file;
  }

  /// Those of a data folder; there need not be any.
  public static AdminCredentials in(Path data) {
    return new AdminCredentials(data.resolve(FILE));
  }

  // ---- for the server --------------------------------------------------------------------------

  /// Whose secret it is, or null. Compares it with every credential, each in constant time.
  public @Nullable Administrator find(Secret secret) {
    byte[] shown = sha256(secret.reveal());
    Administrator found = null;
    for (Entry entry : current()) {
      if (MessageDigest.isEqual(shown, entry.hash())) {
        found = new Administrator(entry.credential().name(), entry.credential().role());
      }
    }
    return found;
  }

  /// As the file says now; none when it cannot be told.
  private List<Entry> current() {
    State state;
    try {
      state = state();
    } catch (IOException e) {
      log.warn("{} cannot be looked at ({}): nobody gets in", FILE, Wordless.kinds(e));
      return List.of();
    }
    Known before = known;
    if (Objects.equals(before.state(), state)) {
      return before.entries();
    }
    List<Entry> entries = List.of();
    try {
      entries = read();
      log.info("{} credentials for the admin port", entries.size());
    } catch (IOException e) {
      log.warn("{}: no credential is good until that is mended", e.getMessage());
    }
    // Read after it was looked at: a change in between is seen by the next look.
    known = new Known(state, entries);
    return entries;
  }

  private @Nullable State state() throws IOException {
    try {
      var attributes = Files.readAttributes(file, BasicFileAttributes.class);
      return new State(attributes.lastModifiedTime(), attributes.size(), attributes.fileKey());
    } catch (NoSuchFileException e) {
      return null;
    }
  }

  // ---- for the command -------------------------------------------------------------------------

  /// Makes a credential and tells its secret, this once.
  ///
  /// @throws Unusable when the name is no name or taken, or there are too many
  /// @throws IOException when the file cannot be read or written
  public Secret add(String name, Role role, Instant now, SecureRandom random)
      throws IOException, Unusable {
    if (!NAME.matcher(name).matches()) {
      throw new Unusable(
          "a name is 1 to 32 of a-z, 0-9, '.', '_' and '-', a letter or digit first");
    }
    var bytes = new byte[SECRET_BYTES];
    random.nextBytes(bytes);
    var secret = new Secret(PREFIX + Base64.getUrlEncoder().withoutPadding().encodeToString(bytes));
    CHANGES.lock();
    try (FileChannel _ = locked()) {
      var entries = new ArrayList<>(read());
      if (entries.stream().anyMatch(entry -> entry.credential().name().equals(name))) {
        throw new Unusable("there is a credential called " + name + " already");
      }
      if (entries.size() >= CREDENTIALS_MAX) {
        throw new Unusable("there are " + CREDENTIALS_MAX + " credentials already");
      }
      entries.add(new Entry(new Credential(name, role, now), sha256(secret.reveal())));
      write(entries);
    } finally {
      CHANGES.unlock();
    }
    return secret;
  }

  /// All of them, in the order they were made.
  public List<Credential> list() throws IOException {
    return read().stream().map(Entry::credential).toList();
  }

  /// Takes a credential away; false when there was none of that name.
  public boolean remove(String name) throws IOException {
    CHANGES.lock();
    try (FileChannel _ = locked()) {
      var entries = new ArrayList<>(read());
      boolean removed = entries.removeIf(entry -> entry.credential().name().equals(name));
      if (removed) {
        write(entries);
      }
      return removed;
    } finally {
      CHANGES.unlock();
    }
  }

  // ---- the file --------------------------------------------------------------------------------

  private List<Entry> read() throws IOException {
    if (!Files.exists(file)) {
      return List.of();
    }
    Set<PosixFilePermission> may = Files.getPosixFilePermissions(file);
    if (may.contains(PosixFilePermission.GROUP_WRITE)
        || may.contains(PosixFilePermission.OTHERS_WRITE)) {
      throw new IOException(file + " can be written by others than its owner");
    }
    if (Files.size(file) > FILE_BYTES_MAX) {
      throw new IOException(file + " is too large");
    }
    var entries = new ArrayList<Entry>();
    for (String line : Files.readAllLines(file, StandardCharsets.US_ASCII)) {
      entries.add(entry(line));
    }
    return List.copyOf(entries);
  }

  private Entry entry(String line) throws IOException {
    String[] parts = line.split(" ", -1);
    try {
      byte[] hash = HexFormat.of().parseHex(parts[3]);
      if (parts.length == 4 && hash.length == 32 && NAME.matcher(parts[0]).matches()) {
        Role role = Role.valueOf(parts[1].toUpperCase(Locale.ROOT));
        return new Entry(new Credential(parts[0], role, Instant.parse(parts[2])), hash);
      }
    } catch (RuntimeException e) {
      // Said below, without the line.
    }
    throw new IOException(file + " is damaged");
  }

  /// All or nothing, and on disk when it returns.
  private void write(List<Entry> entries) throws IOException {
    var text = new StringBuilder();
    entries.forEach(entry -> text.append(entry.line()).append('\n'));
    Path next = file.resolveSibling(FILE + ".next");
    Files.deleteIfExists(next);
    try (FileChannel channel =
        FileChannel.open(
            next, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), OWNER_ONLY)) {
      ByteBuffer out = StandardCharsets.US_ASCII.encode(text.toString());
      while (out.hasRemaining()) {
        channel.write(out);
      }
      channel.force(true);
    }
    Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
    try (FileChannel folder = FileChannel.open(folder(), StandardOpenOption.READ)) {
      folder.force(true);
    }
  }

  /// One process at a time changes the file; closing the channel lets the next one.
  private FileChannel locked() throws IOException {
    Files.createDirectories(folder());
    FileChannel channel =
        FileChannel.open(
            file.resolveSibling(FILE + ".lock"),
            Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
            OWNER_ONLY);
    try {
      channel.lock();
      return channel;
    } catch (IOException | RuntimeException e) {
      channel.close();
      throw e;
    }
  }

  private Path folder() {
    return Objects.requireNonNull(file.toAbsolutePath().getParent());
  }

  private static byte[] sha256(String secret) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(secret.getBytes(StandardCharsets.UTF_8));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every JDK has SHA-256", e);
    }
  }
}
