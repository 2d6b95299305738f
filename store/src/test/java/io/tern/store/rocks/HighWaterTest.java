package io.tern.store.rocks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HighWaterTest {

  @TempDir Path folder;

  private Path file() {
    return folder.resolve("acked");
  }

  @Test
  void theMarkOnlyRises() throws IOException {
    try (HighWater mark = HighWater.create(file())) {
      mark.raise(5);
      mark.raise(3);
      assertThat(mark.n()).isEqualTo(5);
    }
    try (HighWater mark = HighWater.open(file())) {
      assertThat(mark.n()).isEqualTo(5);
      mark.raise(6);
      mark.raise(7);
    }
    try (HighWater mark = HighWater.open(file())) {
      assertThat(mark.n()).isEqualTo(7);
    }
    assertThat(HighWater.read(file())).isEqualTo(7);
  }

  @Test
  void aTornWriteCostsOneStepAtMost() throws IOException {
    try (HighWater mark = HighWater.create(file())) {
      for (int n = 1; n <= 10; n++) {
        mark.raise(n);
      }
    }
    byte[] good = Files.readAllBytes(file());
    for (int page = 0; page < 2; page++) {
      byte[] torn = good.clone();
      Arrays.fill(torn, page * 4096 + 8, page * 4096 + 12, (byte) 0xAA);
      Files.write(file(), torn);
      try (HighWater mark = HighWater.open(file())) {
        assertThat(mark.n()).isBetween(9L, 10L);
        mark.raise(11);
      }
      assertThat(HighWater.read(file())).isEqualTo(11);
    }
  }

  @Test
  void aCreationThatWasCutOffIsBegunAgain() throws IOException {
    Path unfinished = folder.resolve("acked.new");
    Files.write(unfinished, new byte[100]);
    assertThat(HighWater.exists(file())).isFalse();

    HighWater.create(file()).close();

    assertThat(HighWater.read(file())).isZero();
    assertThat(Files.size(file())).isLessThanOrEqualTo(8192);
    assertThat(unfinished).doesNotExist();
  }

  @Test
  void aFileThatSaysNothingIsRefused() throws IOException {
    Files.write(file(), new byte[0]);
    assertThatThrownBy(() -> HighWater.open(file())).isInstanceOf(IOException.class);
    Files.write(file(), new byte[8192]);
    assertThatThrownBy(() -> HighWater.open(file())).isInstanceOf(IOException.class);
  }
}
