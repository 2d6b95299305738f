package io.tern.tools.system;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;

/// A disk that can lose power: a file system in an image file, mounted through a loop device.
///
/// A cut stops the file system without writing its log (`xfs_io -x -c shutdown`, the same ioctl on
/// ext4): what was synced is in the image, what was only in the page cache or in the journal's
/// memory is gone, as on a machine whose plug was pulled. Whoever writes must be stopped before the
/// cut and killed after it: an fsync that is under way while the file system goes down could report
/// success for something that is not there.
///
/// The loop device goes with the mount (`autoclear`). A shutdown hook unmounts; what a killed JVM
/// left behind is unmounted by the next disk that is made.
final class LoopDisk implements AutoCloseable {

  private static final String PREFIX = "tern-disk-";
  private static final long IMAGE_BYTES = 512L << 20;
  private static final Duration UMOUNT_MAX = Duration.ofSeconds(20);

  private final String kind;
  private final Path folder;
  private final Path image;
  private final Path mount;
  private final Thread hook;
  private boolean isMounted;

  private LoopDisk(String kind) throws IOException {
    this.kind = kind;
    folder = Files.createTempDirectory(PREFIX + ProcessHandle.current().pid() + "-");
    image = folder.resolve("image");
    mount = Files.createDirectory(folder.resolve("mount"));
    hook = new Thread(this::release, "loop-disk-cleanup");
  }

  /// Why this machine cannot cut power, or empty when it can.
  static Optional<String> obstacle() {
    if (!"root".equals(System.getProperty("user.name"))) {
      return Optional.of("mounting needs root");
    }
    if (!Files.exists(Path.of("/dev/loop-control"))) {
      return Optional.of("there is no /dev/loop-control");
    }
    if (kinds().isEmpty()) {
      return Optional.of(
          "neither mkfs.xfs with xfs_io nor mkfs.ext4 with perl is installed (package xfsprogs)");
    }
    try (var disk = new LoopDisk(kinds().getFirst())) {
      disk.format();
      return Optional.empty();
    } catch (IOException e) {
      return Optional.of("a loop mount failed: " + e.getMessage());
    }
  }

  /// The file systems that can be cut here, best first.
  static List<String> kinds() {
    var kinds = new ArrayList<String>();
    if (Commands.has("mkfs.xfs") && Commands.has("xfs_io")) {
      kinds.add("xfs");
    }
    if (Commands.has("mkfs.ext4") && Commands.has("perl")) {
      kinds.add("ext4");
    }
    return kinds;
  }

  /// A new, empty disk with the best file system there is.
  static LoopDisk create() throws IOException {
    return create(kinds().getFirst());
  }

  static LoopDisk create(String kind) throws IOException {
    sweep();
    var disk = new LoopDisk(kind);
    try {
      disk.format();
      return disk;
    } catch (IOException e) {
      disk.close();
      throw e;
    }
  }

  private void format() throws IOException {
    Runtime.getRuntime().addShutdownHook(hook);
    try (var file = new RandomAccessFile(image.toFile(), "rw")) {
      file.setLength(IMAGE_BYTES);
    }
    Commands.run("mkfs." + kind, kind.equals("ext4") ? "-qF" : "-q", image.toString());
    mount();
  }

  String kind() {
    return kind;
  }

  /// Where files live, as long as the disk is mounted.
  Path path() {
    return mount;
  }

  /// Pulls the plug under a process: stops it, cuts, kills it, and mounts what is left.
  void cutUnder(Process writer) throws IOException {
    stop(writer);
    fail();
    // By its handle, because Process would also close its output, which may hold claims.
    writer.toHandle().destroyForcibly();
    Awaitility.await("the writer's end")
        .atMost(Duration.ofSeconds(10))
        .until(() -> !writer.isAlive());
    unmount();
    mount();
  }

  private void stop(Process writer) throws IOException {
    Commands.run("kill", "-STOP", Long.toString(writer.pid()));
    Awaitility.await("all threads stopped")
        .pollInterval(Duration.ofMillis(2))
        .atMost(Duration.ofSeconds(20))
        .until(() -> allThreadsStopped(writer.pid()));
  }

  /// A thread inside an fsync counts as stopped only when the fsync has returned.
  private static boolean allThreadsStopped(long pid) throws IOException {
    try (var tasks = Files.list(Path.of("/proc", Long.toString(pid), "task"))) {
      return tasks.allMatch(LoopDisk::isStopped);
    }
  }

  private static boolean isStopped(Path task) {
    try {
      var stat = Files.readString(task.resolve("stat"));
      // The state follows the name, which is in parentheses and may hold anything.
      char state = stat.charAt(stat.lastIndexOf(')') + 2);
      return state == 'T' || state == 'Z' || state == 'X';
    } catch (IOException e) {
      return true; // The thread has ended meanwhile.
    }
  }

  /// The file system fails from now on; nothing that is not yet on the disk gets there.
  void fail() throws IOException {
    if (kind.equals("xfs")) {
      Commands.run("xfs_io", "-x", "-c", "shutdown", mount.toString());
    } else {
      // EXT4_IOC_SHUTDOWN with EXT4_GOING_FLAGS_NOLOGFLUSH
      Commands.run(
          "perl",
          "-e",
          "open(F, '<', $ARGV[0]) or die $!; my $f = pack('I', 2); ioctl(F, 0x8004587d, $f) or die $!",
          mount.toString());
    }
  }

  private void mount() throws IOException {
    Commands.run("mount", "-o", "loop", image.toString(), mount.toString());
    isMounted = true;
  }

  private void unmount() throws IOException {
    if (isMounted) {
      unmount(mount);
      isMounted = false;
    }
  }

  private static void unmount(Path mount) throws IOException {
    try {
      Awaitility.await("unmounted")
          .pollInterval(Duration.ofMillis(20))
          .atMost(UMOUNT_MAX)
          .ignoreExceptions()
          .until(() -> {
            Commands.run("umount", mount.toString());
            return true;
          });
    } catch (ConditionTimeoutException e) {
      Commands.run("umount", "-l", mount.toString());
    }
  }

  @Override
  public void close() {
    release();
    try {
      Runtime.getRuntime().removeShutdownHook(hook);
    } catch (IllegalStateException e) {
      // The JVM is already going down and has run the hook, or will.
    }
  }

  private synchronized void release() {
    try {
      unmount();
      deleteAll(folder);
    } catch (IOException | UncheckedIOException e) {
      System.out.println("CUT: could not clean up " + folder + ": " + e.getMessage());
    }
  }

  /// Unmounts and deletes the disks of JVMs that are no more.
  private static void sweep() throws IOException {
    var temp = Path.of(System.getProperty("java.io.tmpdir"));
    try (var left = Files.newDirectoryStream(temp, PREFIX + "*")) {
      for (var folder : left) {
        var pid = folder.getFileName().toString().substring(PREFIX.length()).split("-", 2)[0];
        if (ProcessHandle.of(Long.parseLong(pid)).isEmpty()) {
          var mount = folder.resolve("mount");
          if (Files.readString(Path.of("/proc/mounts")).contains(" " + mount + " ")) {
            unmount(mount);
          }
          deleteAll(folder);
        }
      }
    }
  }

  private static void deleteAll(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    try (var files = Files.walk(folder)) {
      for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }
}
