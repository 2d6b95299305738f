package io.tern.store.rocks;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32;

/// How far a shard has acknowledged, kept apart from RocksDB: the number of a batch that was
/// promised to survive. A database that opens with less has lost acknowledged data, and nothing
/// else would notice: a log that ends early looks like a log that ends.
///
/// ```
/// two pages of 4 KiB, written in turn so that a torn write spoils only the older number:
/// "TERNHIGH"   fixed64 n   fixed32 crc of both   zeros         (fixed: big-endian)
/// ```
///
/// Confined to the store's keeper.
final class HighWater implements AutoCloseable {

  private static final int PAGE_BYTES = 4096;
  private static final int USED_BYTES = 8 + 8 + 4;
  private static final long MAGIC = 0x5445524E48494748L;

  private final FileChannel channel;
  private final ByteBuffer page = ByteBuffer.allocateDirect(PAGE_BYTES);
  private long n;
  private int nextPage;

  private HighWater(FileChannel channel) {
    this.channel = channel;
  }

  static boolean exists(Path file) {
    return Files.exists(file);
  }

  /// A new file that says 0. On the disk when this returns; before, there is none by this name, so
  /// that a creation that is cut off leaves nothing that would be taken for damage.
  static HighWater create(Path file) throws IOException {
    Path unfinished = file.resolveSibling(file.getFileName() + ".new");
    FileChannel channel =
        FileChannel.open(
            unfinished,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.READ,
            StandardOpenOption.WRITE);
    var highWater = new HighWater(channel);
    highWater.writePage();
    highWater.writePage();
    Files.move(unfinished, file, StandardCopyOption.ATOMIC_MOVE);
    Path folder = file.toAbsolutePath().getParent();
    if (folder != null) {
      Folders.sync(folder);
    }
    return highWater;
  }

  /// @throws IOException when neither page can be trusted
  static HighWater open(Path file) throws IOException {
    var highWater =
        new HighWater(FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE));
    long first = highWater.readPage(0);
    long second = highWater.readPage(1);
    if (first < 0 && second < 0) {
      highWater.close();
      throw new IOException("both pages are damaged");
    }
    highWater.n = Math.max(first, second);
    highWater.nextPage = first >= second ? 1 : 0;
    return highWater;
  }

  /// The number in a file that another process may be writing.
  static long read(Path file) throws IOException {
    try (HighWater highWater = new HighWater(FileChannel.open(file, StandardOpenOption.READ))) {
      return Math.max(0, Math.max(highWater.readPage(0), highWater.readPage(1)));
    }
  }

  long n() {
    return n;
  }

  /// Raises the mark; on the disk when this returns. A lower number changes nothing.
  void raise(long to) throws IOException {
    if (to > n) {
      n = to;
      writePage();
    }
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  private void writePage() throws IOException {
    page.clear();
    page.putLong(MAGIC).putLong(n).putInt(crc(n));
    page.clear();
    long offset = (long) nextPage * PAGE_BYTES;
    while (page.hasRemaining()) {
      offset += channel.write(page, offset);
    }
    channel.force(false);
    nextPage = 1 - nextPage;
  }

  /// The page's number, or -1 when it is damaged.
  private long readPage(int index) throws IOException {
    page.clear().limit(USED_BYTES);
    long offset = (long) index * PAGE_BYTES;
    while (page.hasRemaining()) {
      int read = channel.read(page, offset);
      if (read < 0) {
        return -1;
      }
      offset += read;
    }
    page.flip();
    long magic = page.getLong();
    long number = page.getLong();
    return magic == MAGIC && number >= 0 && page.getInt() == crc(number) ? number : -1;
  }

  private static int crc(long n) {
    var crc = new CRC32();
    crc.update(ByteBuffer.allocate(16).putLong(MAGIC).putLong(n).flip());
    return (int) crc.getValue();
  }
}
