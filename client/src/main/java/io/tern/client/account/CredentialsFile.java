package io.tern.client.account;

import io.tern.protocol.UserId;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// [Credentials] in a file that only its owner can read. What is written is on disk, whole, when
/// [#save] returns. Any thread.
///
/// Several processes may use one file: [#locked] lets one at a time change it, because two that
/// showed the same secret would look like a thief and the owner.
public final class CredentialsFile {

  private static final long BYTES_MAX = 64 * 1024;

  private final Path file;

  public CredentialsFile(Path file) {
    this.file = file;
  }

  /// Where it is.
  public Path path() {
    return file;
  }

  /// What an owner of the lock does.
  @FunctionalInterface
  public interface Work<T> {
    T run() throws IOException;
  }

  /// Runs `work` while no other thread or process does.
  public synchronized <T> T locked(Work<T> work) throws IOException {
    Path lock = file.resolveSibling(file.getFileName() + ".lock");
    try (FileChannel channel =
            FileChannel.open(
                lock, Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE), ownersOnly());
        var held = channel.lock()) {
      return work.run();
    }
  }

  /// What the file holds.
  ///
  /// @throws IOException with one line, when there is none or it is damaged
  public Credentials load() throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new IOException("no account in " + file);
    }
    if (Files.size(file) > BYTES_MAX) {
      throw new IOException(file + " is no account file");
    }
    try {
      Map<String, @Nullable Object> all = Json.object(Files.readString(file));
      return new Credentials(
          new URI(text(all, "server")),
          (String) all.get("pin"),
          new UserId(number(all, "user")),
          (int) number(all, "device"),
          text(all, "number"),
          text(all, "secret"),
          number(all, "secret_number"),
          (String) all.get("attempt"),
          text(all, "token"),
          number(all, "token_expires_ms"));
    } catch (RuntimeException | java.net.URISyntaxException e) {
      // Not what is in it: secrets are.
      throw new IOException(file + " is damaged");
    }
  }

  public void save(Credentials credentials) throws IOException {
    var all = new LinkedHashMap<String, @Nullable Object>();
    all.put("server", credentials.server().toString());
    all.put("pin", credentials.pin());
    all.put("user", credentials.user().value());
    all.put("device", (long) credentials.device());
    all.put("number", credentials.number());
    all.put("secret", credentials.secret());
    all.put("secret_number", credentials.secretNumber());
    all.put("attempt", credentials.attempt());
    all.put("token", credentials.token());
    all.put("token_expires_ms", credentials.tokenExpiresMillis());
    Path next = file.resolveSibling(file.getFileName() + ".next");
    Files.deleteIfExists(next);
    try (FileChannel channel =
        FileChannel.open(
            next, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), ownersOnly())) {
      ByteBuffer out = ByteBuffer.wrap((Json.write(all) + "\n").getBytes(StandardCharsets.UTF_8));
      while (out.hasRemaining()) {
        channel.write(out);
      }
      channel.force(true);
    }
    Files.move(next, file, StandardCopyOption.ATOMIC_MOVE);
  }

  public void delete() throws IOException {
    Files.deleteIfExists(file);
    Files.deleteIfExists(file.resolveSibling(file.getFileName() + ".lock"));
  }

  private static FileAttribute<?>[] ownersOnly() {
    // Elsewhere the user's own folder has to do.
    return FileSystems.getDefault().supportedFileAttributeViews().contains("posix")
        ? new FileAttribute<?>[] {
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))
        }
        : new FileAttribute<?>[0];
  }

  private static String text(Map<String, @Nullable Object> all, String key) {
    if (all.get(key) instanceof String text) {
      return text;
    }
    throw new IllegalArgumentException(key);
  }

  private static long number(Map<String, @Nullable Object> all, String key) {
    if (all.get(key) instanceof Long number) {
      return number;
    }
    throw new IllegalArgumentException(key);
  }
}
