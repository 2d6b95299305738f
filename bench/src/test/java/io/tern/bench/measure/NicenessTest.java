package io.tern.bench.measure;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

class NicenessTest {

  @Test
  @EnabledOnOs(OS.LINUX)
  void onlyTheThreadThatAsksGivesWay() throws ExecutionException, InterruptedException {
    int own = niceValue();
    var asking =
        new FutureTask<>(() -> {
          Niceness.giveWay();
          return niceValue();
        });
    Thread.ofPlatform().start(asking);

    assertThat(asking.get()).isEqualTo(19);
    assertThat(niceValue()).isEqualTo(own);
  }

  /// Of the calling thread: the 19th field of its stat (proc(5)).
  private static int niceValue() {
    try {
      String stat = Files.readString(Path.of("/proc/thread-self/stat"));
      List<String> fields = List.of(stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1));
      return Integer.parseInt(fields.get(16));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
