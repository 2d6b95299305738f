package io.tern.tools.system;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/// A program that appends 8-byte numbers 1, 2, 3… to a file and says each number on its output when
/// it claims to have it: after an fsync, or (`unsynced`) without one. The control of the power-cut
/// tests.
final class RecordWriter {

  private RecordWriter() {}

  public static void main(String[] args) throws IOException {
    boolean sync = args[1].equals("synced");
    var options = new StandardOpenOption[] {StandardOpenOption.CREATE, StandardOpenOption.WRITE};
    try (var file = FileChannel.open(Path.of(args[0]), options)) {
      file.force(true);
      var number = ByteBuffer.allocate(Long.BYTES);
      for (long n = 1; ; n++) {
        number.clear().putLong(n).flip();
        file.write(number, (n - 1) * Long.BYTES);
        if (sync) {
          file.force(false);
        }
        System.out.println(n);
      }
    }
  }
}
