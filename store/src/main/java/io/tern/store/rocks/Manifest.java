package io.tern.store.rocks;

import io.tern.store.Keys;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// `tern.json` of a data folder: what was fixed when it was created. Written once, atomically.
///
/// ```
/// {"schema": 2, "shards": 2, "created": "2025-01-01T00:00:00Z"}
/// ```
record Manifest(int schema, int shards) {

  private static final String NAME = "tern.json";
  private static final Pattern SCHEMA = Pattern.compile("\"schema\"\\s*:\\s*(\\d{1,9})\\b");
  private static final Pattern SHARDS = Pattern.compile("\"shards\"\\s*:\\s*(\\d{1,9})\\b");

  /// Null when the folder has none.
  static @Nullable Manifest read(Path data) {
    Path file = data.resolve(NAME);
    String json;
    try {
      if (!Files.exists(file)) {
        return null;
      }
      json = Files.readString(file);
    } catch (IOException e) {
      throw new CannotOpen(data, "cannot read " + NAME, e);
    }
    Matcher schema = SCHEMA.matcher(json);
    if (!schema.find()) {
      throw new CannotOpen(data, NAME + " names no schema version: it is damaged, or not Tern's");
    }
    int version = Integer.parseInt(schema.group(1));
    if (version != Keys.SCHEMA) {
      throw otherVersion(data, version);
    }
    Matcher shards = SHARDS.matcher(json);
    if (!shards.find() || Integer.parseInt(shards.group(1)) < 1) {
      throw new CannotOpen(data, NAME + " names no number of shards: it is damaged");
    }
    return new Manifest(version, Integer.parseInt(shards.group(1)));
  }

  static CannotOpen otherVersion(Path folder, int schema) {
    if (schema < Keys.SCHEMA) {
      return new CannotOpen(
          folder,
          "written by a Tern from before the first release (schema %d; this one knows %d):"
                  .formatted(schema, Keys.SCHEMA)
              + " begin with a new folder");
    }
    return new CannotOpen(
        folder,
        "written by a newer Tern (schema %d; this one knows up to %d): start the newer one"
            .formatted(schema, Keys.SCHEMA));
  }

  void write(Path data, Instant now) throws IOException {
    String json =
        "{\"schema\": %d, \"shards\": %d, \"created\": \"%s\"}\n".formatted(schema, shards, now);
    Path file = data.resolve(NAME);
    Path unfinished = data.resolve(NAME + ".new");
    try (var out =
        FileChannel.open(
            unfinished,
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE,
            StandardOpenOption.TRUNCATE_EXISTING)) {
      var bytes = ByteBuffer.wrap(json.getBytes(StandardCharsets.UTF_8));
      while (bytes.hasRemaining()) {
        out.write(bytes);
      }
      out.force(true);
    }
    Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE);
    Folders.sync(data);
  }
}
