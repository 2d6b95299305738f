package io.tern.bench.measure;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/// Lets a thread of a generator give way to its neighbours on the same core: on Linux a nice value
/// belongs to a thread (setpriority(2)), and Java's thread priorities do nothing by default.
public final class Niceness {

  /// The most a thread can give way.
  private static final int NICEST = 19;

  /// PRIO_PROCESS, which with 0 means the calling thread.
  private static final int PROCESS = 0;

  private Niceness() {}

  /// The calling thread runs when others on its core have nothing to do, nearly: the kernel gives
  /// it 15 parts of 1,024 beside a busy one.
  ///
  /// @throws IllegalStateException when the kernel refuses
  @SuppressWarnings("restricted") // A function of libc.
  public static void giveWay() {
    var linker = Linker.nativeLinker();
    MethodHandle setPriority =
        linker.downcallHandle(
            linker.defaultLookup().findOrThrow("setpriority"),
            FunctionDescriptor.of(
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT,
                ValueLayout.JAVA_INT));
    int refused;
    try {
      refused = (int) setPriority.invokeExact(PROCESS, 0, NICEST);
    } catch (Throwable e) {
      throw new IllegalStateException("setpriority", e);
    }
    if (refused != 0) {
      throw new IllegalStateException("setpriority: refused");
    }
  }
}
