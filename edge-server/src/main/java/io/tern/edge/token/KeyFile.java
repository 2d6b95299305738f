package io.tern.edge.token;

import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;

/// Files of the data folder that hold 32 random bytes: what resume tickets are sealed with, what
/// phone numbers are hashed with.
public final class KeyFile {

  private static final int BYTES = 32;

  private KeyFile() {}

  /// The bytes in `file`, which is made, readable by its owner alone, when it is not there.
  ///
  /// @throws IOException with one line, when it cannot be read or made, or is damaged
  public static byte[] in(Path file) throws IOException {
    var key = new byte[BYTES];
    new SecureRandom().nextBytes(key);
    try {
      Path made =
          Files.createFile(
              file,
              PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      Files.write(made, key, StandardOpenOption.SYNC);
      return key;
    } catch (FileAlreadyExistsException e) {
      byte[] found = Files.readAllBytes(file);
      if (found.length != BYTES) {
        throw new IOException(
            file
                + " is damaged: put it back from a copy. Without resume.key devices log in with"
                + " their tokens; without pepper nobody's phone number is known",
            e);
      }
      return found;
    }
  }
}
