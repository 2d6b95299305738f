package io.tern.edge;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Threads that give way: where the kernel has a niceness for each thread (Linux), they run when
/// the others leave them the core, and are guaranteed a part of one. `Thread.setPriority` does
/// nothing on Linux unless the whole JVM runs as root with an option.
///
/// Elsewhere, and where the call is refused, such a thread is one like all others. Any thread.
final class Niceness {

  /// Above what the process has: a weight of 110 beside the usual 1024, so a tenth of a core. At 19
  /// (a weight of 15) logins would starve beside any other busy process.
  private static final int NICER = 10;

  /// A weight of 335: a quarter of a core, for what is not compiled stays slow.
  private static final int NICER_COMPILERS = 5;

  private static final Path THREADS = Path.of("/proc/self/task");

  /// Of `setpriority(2)`: a process, which on Linux is a thread.
  private static final int PRIO_PROCESS = 0;

  private static final Logger log = LoggerFactory.getLogger(Niceness.class);

  /// As `setpriority(2)` has it: the calling thread.
  private static final int SELF = 0;

  private static final @Nullable MethodHandle GET = find("getpriority", 2);
  private static final @Nullable MethodHandle SET = find("setpriority", 3);

  private Niceness() {}

  /// `task`, on a thread that gives way.
  static Runnable nice(Runnable task) {
    return () -> {
      lower(SELF, NICER);
      task.run();
    };
  }

  /// Lets the threads of this JVM's compilers give way, and those that they start. To call it again
  /// changes nothing. A server that is new, or sees its first crowd, has the C2 compiler busy for
  /// seconds, and SENDs waited for the core that it had (docs/adr/0016).
  static void ofCompilers() {
    if (SET == null) {
      return;
    }
    try (Stream<Path> threads = Files.list(THREADS)) {
      threads
          .filter(Niceness::isCompiler)
          .forEach(thread -> {
            lower(Integer.parseInt(thread.getFileName().toString()), NICER_COMPILERS);
          });
    } catch (IOException | UncheckedIOException e) {
      log.debug("no list of threads", e);
    }
  }

  private static boolean isCompiler(Path thread) {
    try {
      String name = Files.readString(thread.resolve("comm"));
      return name.startsWith("C1 Compiler") || name.startsWith("C2 Compiler");
    } catch (IOException e) {
      // It has ended.
      return false;
    }
  }

  /// Gives `thread` the niceness of the calling one and `nicer` more.
  private static void lower(int thread, int nicer) {
    MethodHandle get = GET;
    MethodHandle set = SET;
    if (get == null || set == null) {
      return;
    }
    try {
      int own = (int) get.invokeExact(PRIO_PROCESS, SELF);
      int failed = (int) set.invokeExact(PRIO_PROCESS, thread, own + nicer);
      log.debug("thread {} gives way: {}", thread, failed == 0);
    } catch (Throwable t) {
      log.debug("setpriority", t);
    }
  }

  /// A function of the C library that takes `ints` and returns one.
  // With --enable-native-access it says nothing; without, the JVM prints a warning and goes on.
  @SuppressWarnings("restricted")
  private static @Nullable MethodHandle find(String name, int ints) {
    if (!System.getProperty("os.name", "").toLowerCase(Locale.ROOT).contains("linux")) {
      return null;
    }
    var args = new MemoryLayout[ints];
    Arrays.fill(args, ValueLayout.JAVA_INT);
    try {
      Linker linker = Linker.nativeLinker();
      return linker
          .defaultLookup()
          .find(name)
          .map(address ->
              linker.downcallHandle(address, FunctionDescriptor.of(ValueLayout.JAVA_INT, args)))
          .orElse(null);
    } catch (RuntimeException | LinkageError e) {
      log.debug("no {} here", name, e);
      return null;
    }
  }
}
