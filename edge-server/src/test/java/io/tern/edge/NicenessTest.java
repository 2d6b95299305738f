package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/// What the kernel says of threads that give way.
@EnabledOnOs(OS.LINUX)
class NicenessTest {

  private static final Path THREADS = Path.of("/proc/self/task");

  /// Of each thread whose name begins so, without those that end while they are looked at.
  private static List<Integer> niceness(String name) throws IOException {
    var found = new ArrayList<Integer>();
    try (Stream<Path> threads = Files.list(THREADS)) {
      for (Path thread : threads.toList()) {
        try {
          if (Files.readString(thread.resolve("comm")).startsWith(name)) {
            found.add(of(thread));
          }
        } catch (IOException e) {
          assertThat(thread).as("a thread that has ended: %s", e).doesNotExist();
        }
      }
    }
    return found;
  }

  /// Field 19 of `/proc/PID/stat`; the second, a name in parentheses, may have spaces.
  private static int of(Path thread) throws IOException {
    String stat = Files.readString(thread.resolve("stat"));
    return Integer.parseInt(stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1)[16]);
  }

  private static int own() throws IOException {
    return of(Path.of("/proc/thread-self"));
  }

  @Test
  void theCompilersGiveWayHoweverOftenTheyAreToldTo() throws IOException {
    int own = own();
    Niceness.ofCompilers();
    Niceness.ofCompilers();
    assertThat(niceness("C1 Compiler")).isNotEmpty().containsOnly(Math.min(19, own + 5));
    // A test's JVM may do without C2.
    assertThat(niceness("C2 Compiler")).allMatch(niceness -> niceness == Math.min(19, own + 5));
    assertThat(own()).isEqualTo(own);
  }

  @Test
  void aThreadGivesWayAloneAndTheOneThatMadeItDoesNot() throws Exception {
    int own = own();
    var nice = new AtomicReference<Integer>();
    Thread thread =
        Thread.ofPlatform()
            .start(
                Niceness.nice(() -> {
                  try {
                    nice.set(own());
                  } catch (IOException e) {
                    throw new AssertionError(e);
                  }
                }));
    thread.join();
    assertThat(nice.get()).isEqualTo(Math.min(19, own + 10));
    assertThat(own()).isEqualTo(own);
  }
}
