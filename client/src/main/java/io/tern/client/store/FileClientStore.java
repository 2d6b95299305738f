package io.tern.client.store;

import io.tern.client.ClientStore;
import io.tern.protocol.ChatId;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Remembers in a folder. A change is in the operating system's hands when its method returns, so
/// it survives the end of the process at any moment; [Sync] says what survives a power cut.
///
/// ```
/// journal  "TERNJNL1", then records
/// record   length u32, CRC-32C u32 of what follows, type u8, numbers as varints, bytes
/// lock     held while open: a folder has one user
/// ```
///
/// Opening reads the journal up to its end or its first record that is not whole, which the end of
/// a process or a power cut may have left, and cuts it off there. When the journal is much larger
/// than what it says, it is written anew beside and put in its place at once ([#compactBytes]).
///
/// Bounds: disk is four times what is kept, and [#COMPACT_BYTES_MIN]. Confined to one thread at a
/// time. Every method throws [UncheckedIOException] when the disk fails, and ever after.
public final class FileClientStore implements ClientStore {

  /// What is forced to the disk, once per pass of the event loop.
  public enum Sync {
    /// Nothing: the operating system decides. A power cut may take what is newest; the server still
    /// has what it has answered.
    NONE,
    /// Sends, before they go out for the first time.
    SENDS,
    /// Also positions, before they are acknowledged.
    ALL
  }

  static final int COMPACT_BYTES_MIN = 64 * 1024;
  static final String JOURNAL = "journal";
  private static final String JOURNAL_NEW = "journal.new";
  private static final byte[] MAGIC = {'T', 'E', 'R', 'N', 'J', 'N', 'L', '1'};

  /// Larger than any record can be: a length beyond it is no length.
  private static final int RECORD_BYTES_MAX = 1 << 20;

  private static final byte SEND_ADDED = 1;
  private static final byte SEND_REMOVED = 2;
  private static final byte RENUMBERED = 3;
  private static final byte POSITION = 4;
  private static final byte TICKET = 5;
  private static final byte NO_TICKET = 6;
  private static final byte CHAT = 7;

  private static final Logger log = LoggerFactory.getLogger(FileClientStore.class);

  private final Path folder;
  private final Sync sync;
  private final MemoryClientStore memory = new MemoryClientStore();
  private final FileChannel lockFile;
  private final FileLock lock;
  private final CRC32C crc = new CRC32C();
  private ByteBuffer record = ByteBuffer.allocate(1024);
  private FileChannel journal;
  private long journalBytes;
  private long compactBytes;
  private boolean dirty;
  private boolean failed;
  private boolean closed;

  /// Opens or creates; forces sends to the disk.
  public static FileClientStore open(Path folder) {
    return open(folder, Sync.SENDS);
  }

  /// Throws when the folder is in use, or holds what this version cannot read.
  public static FileClientStore open(Path folder, Sync sync) {
    try {
      return new FileClientStore(folder, sync);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private FileClientStore(Path folder, Sync sync) throws IOException {
    this.folder = folder;
    this.sync = sync;
    Files.createDirectories(folder);
    lockFile =
        FileChannel.open(
            folder.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      lock = lock(lockFile);
      Path path = folder.resolve(JOURNAL);
      Files.deleteIfExists(folder.resolve(JOURNAL_NEW));
      if (Files.notExists(path) || Files.size(path) < MAGIC.length) {
        writeAnew();
      }
      journal = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
      replay();
    } catch (IOException | RuntimeException e) {
      lockFile.close();
      throw e;
    }
  }

  private FileLock lock(FileChannel file) throws IOException {
    FileLock taken;
    try {
      taken = file.tryLock();
    } catch (OverlappingFileLockException e) {
      taken = null;
    }
    if (taken == null) {
      throw new IOException(folder + " is in use by another client");
    }
    return taken;
  }

  // ---- the store

  @Override
  public List<PendingSend> pendingSends() {
    return memory.pendingSends();
  }

  @Override
  public void addSend(PendingSend send) {
    begin(SEND_ADDED, send.chat()).varint(send.csn()).bytes(send.content()).append();
    memory.addSend(send);
  }

  @Override
  public void removeSend(ChatId chat, long csn) {
    begin(SEND_REMOVED, chat).varint(csn).append();
    memory.removeSend(chat, csn);
    compactIfLarge();
  }

  @Override
  public void renumberSends(ChatId chat, long after, long csn) {
    begin(RENUMBERED, chat).varint(after).varint(csn).append();
    memory.renumberSends(chat, after, csn);
  }

  @Override
  public long lastCsn(ChatId chat) {
    return memory.lastCsn(chat);
  }

  @Override
  public long position(ChatId chat) {
    return memory.position(chat);
  }

  @Override
  public void setPosition(ChatId chat, long seq) {
    begin(POSITION, chat).varint(seq).append();
    memory.setPosition(chat, seq);
    compactIfLarge();
  }

  @Override
  public @Nullable ResumeTicket resumeTicket() {
    return memory.resumeTicket();
  }

  @Override
  public void setResumeTicket(@Nullable ResumeTicket ticket) {
    if (ticket == null) {
      begin(NO_TICKET, null).append();
    } else {
      begin(TICKET, null).varint(ticket.count()).bytes(ticket.sealed()).append();
    }
    memory.setResumeTicket(ticket);
    compactIfLarge();
  }

  @Override
  public void sync(boolean newSends) {
    if (dirty && (sync == Sync.ALL || (sync == Sync.SENDS && newSends))) {
      check();
      try {
        journal.force(false);
        dirty = false;
      } catch (IOException e) {
        throw fail(e);
      }
    }
  }

  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    try (lockFile;
        FileChannel open = journal) {
      if (!failed && sync != Sync.NONE) {
        open.force(false);
      }
      lock.release();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  // ---- writing

  private FileClientStore begin(byte type, @Nullable ChatId chat) {
    check();
    record.clear().position(8);
    record.put(type);
    if (chat != null) {
      varint(chat.low());
      varint(chat.high());
    }
    return this;
  }

  private FileClientStore varint(long value) {
    room(10);
    long rest = value;
    while ((rest & ~0x7FL) != 0) {
      record.put((byte) ((rest & 0x7F) | 0x80));
      rest >>>= 7;
    }
    record.put((byte) rest);
    return this;
  }

  private FileClientStore bytes(byte[] value) {
    room(value.length);
    record.put(value);
    return this;
  }

  private void room(int bytes) {
    if (record.remaining() < bytes) {
      int size = Math.max(record.capacity() * 2, record.position() + bytes);
      record = ByteBuffer.allocate(size).put(record.flip());
    }
  }

  private void append() {
    try {
      journalBytes += writeRecord(journal);
      dirty = true;
    } catch (IOException e) {
      throw fail(e);
    }
  }

  /// Writes the record at hand, with its length and check sum.
  private int writeRecord(FileChannel to) throws IOException {
    int payload = record.position() - 8;
    crc.reset();
    crc.update(record.array(), 8, payload);
    record.putInt(0, payload).putInt(4, (int) crc.getValue());
    record.flip();
    int bytes = record.remaining();
    while (record.hasRemaining()) {
      to.write(record);
    }
    return bytes;
  }

  private void compactIfLarge() {
    if (journalBytes > compactBytes) {
      FileChannel old = journal;
      try {
        writeAnew();
        journal =
            FileChannel.open(
                folder.resolve(JOURNAL), StandardOpenOption.READ, StandardOpenOption.WRITE);
        journal.position(journalBytes);
        old.close();
      } catch (IOException e) {
        throw fail(e);
      }
    }
  }

  /// Puts a journal that says just what is kept in the place of the old one.
  private void writeAnew() throws IOException {
    Path fresh = folder.resolve(JOURNAL_NEW);
    try (FileChannel to =
        FileChannel.open(
            fresh,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      to.write(ByteBuffer.wrap(MAGIC));
      ResumeTicket ticket = memory.resumeTicket();
      if (ticket != null) {
        begin(TICKET, null).varint(ticket.count()).bytes(ticket.sealed()).writeRecord(to);
      }
      var failure = new IOException[1];
      memory.forEachChat((id, position, lastCsn, pending) -> {
        try {
          begin(CHAT, id).varint(position + 1).varint(lastCsn + 1).writeRecord(to);
          for (PendingSend send : pending) {
            begin(SEND_ADDED, id).varint(send.csn()).bytes(send.content()).writeRecord(to);
          }
        } catch (IOException e) {
          failure[0] = e;
        }
      });
      if (failure[0] != null) {
        throw failure[0];
      }
      journalBytes = to.position();
      to.force(true);
    }
    Files.move(
        fresh,
        folder.resolve(JOURNAL),
        StandardCopyOption.ATOMIC_MOVE,
        StandardCopyOption.REPLACE_EXISTING);
    try (FileChannel directory = FileChannel.open(folder, StandardOpenOption.READ)) {
      directory.force(true);
    } catch (IOException e) {
      // Some systems cannot open a folder; there the rename is as safe as it gets.
      log.debug("{} cannot be synced", folder, e);
    }
    compactBytes = COMPACT_BYTES_MIN + 4 * journalBytes;
  }

  private void check() {
    if (failed || closed) {
      throw new UncheckedIOException(new IOException(folder + (closed ? " is closed" : " failed")));
    }
  }

  /// What has been written in part must not be followed by anything.
  private UncheckedIOException fail(IOException e) {
    failed = true;
    return new UncheckedIOException(folder + " cannot be written", e);
  }

  // ---- reading

  private void replay() throws IOException {
    byte[] all = Files.readAllBytes(folder.resolve(JOURNAL));
    if (!Arrays.equals(all, 0, MAGIC.length, MAGIC, 0, MAGIC.length)) {
      throw new IOException(folder + " holds no journal that this version can read");
    }
    ByteBuffer in = ByteBuffer.wrap(all).position(MAGIC.length);
    int good = in.position();
    while (in.remaining() >= 8) {
      int length = in.getInt();
      int expected = in.getInt();
      if (length < 1 || length > RECORD_BYTES_MAX || length > in.remaining()) {
        break;
      }
      crc.reset();
      crc.update(all, in.position(), length);
      if ((int) crc.getValue() != expected) {
        break;
      }
      apply(in.slice(in.position(), length));
      in.position(in.position() + length);
      good = in.position();
    }
    if (good < all.length) {
      log.debug("{}: {} bytes at the end of the journal were not whole", folder, all.length - good);
      journal.truncate(good);
    }
    journal.position(good);
    journalBytes = good;
    compactBytes = Math.max(compactBytes, COMPACT_BYTES_MIN);
    compactIfLarge();
  }

  private void apply(ByteBuffer in) throws IOException {
    byte type = in.get();
    switch (type) {
      case SEND_ADDED -> {
        ChatId chat = chat(in);
        memory.addSend(new PendingSend(chat, number(in), rest(in)));
      }
      case SEND_REMOVED -> memory.removeSend(chat(in), number(in));
      case RENUMBERED -> memory.renumberSends(chat(in), number(in), number(in));
      case POSITION -> memory.setPosition(chat(in), number(in));
      case TICKET -> {
        long count = number(in);
        memory.setResumeTicket(new ResumeTicket(rest(in), count));
      }
      case NO_TICKET -> memory.setResumeTicket(null);
      case CHAT -> {
        ChatId chat = chat(in);
        memory.restoreChat(chat, number(in) - 1, number(in) - 1);
      }
      default -> throw new IOException(folder + " was written by a newer version");
    }
  }

  private static ChatId chat(ByteBuffer in) {
    long low = number(in);
    return new ChatId(low, number(in));
  }

  private static long number(ByteBuffer in) {
    long value = 0;
    for (int shift = 0; ; shift += 7) {
      byte b = in.get();
      value |= (b & 0x7FL) << shift;
      if (b >= 0) {
        return value;
      }
    }
  }

  private static byte[] rest(ByteBuffer in) {
    var bytes = new byte[in.remaining()];
    in.get(bytes);
    return bytes;
  }
}
