package io.tern.edge;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Locale;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Threads that give way: where the kernel has a niceness for each thread (Linux), a thread that is
/// made here runs when the others leave it the core, and is guaranteed a tenth of one.
/// `Thread.setPriority` does nothing on Linux unless the whole JVM runs as root with an option.
///
/// Elsewhere, and where the call is refused, such a thread is one like all others. Any thread.
final class Niceness {

  /// Above what the process has: a weight of 110 beside the usual 1024. At 19 (a weight of 15)
  /// logins would starve beside any other busy process.
  private static final int NICER = 10;

  private static final Logger log = LoggerFactory.getLogger(Niceness.class);

  private static final @Nullable MethodHandle NICE = find();

  private Niceness() {}

  /// `task`, on a thread that gives way.
  static Runnable nice(Runnable task) {
    return () -> {
      lower();
      task.run();
    };
  }

  private static void lower() {
    MethodHandle nice = NICE;
    if (nice == null) {
      return;
    }
    try {
      // On Linux it concerns the calling thread only.
      int now = (int) nice.invokeExact(NICER);
      log.debug("{} has niceness {}", Thread.currentThread().getName(), now);
    } catch (Throwable t) {
      log.debug("nice", t);
    }
  }

  // With --enable-native-access it says nothing; without, the JVM prints a warning and goes on.
  @SuppressWarnings("restricted")
  private static @Nullable MethodHandle find() {
    if (!System.getProperty("os.name", "").toLowerCase(Locale.ROOT).contains("linux")) {
      return null;
    }
    try {
      Linker linker = Linker.nativeLinker();
      return linker
          .defaultLookup()
          .find("nice")
          .map(address ->
              linker.downcallHandle(
                  address, FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT)))
          .orElse(null);
    } catch (RuntimeException | LinkageError e) {
      log.debug("no nice here", e);
      return null;
    }
  }
}
