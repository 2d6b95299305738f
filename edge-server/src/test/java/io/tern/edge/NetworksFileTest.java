package io.tern.edge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.tern.accounts.network.Networks;
import io.tern.edge.config.ConfigProblem;
import io.tern.edge.config.NetworksConfig;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The file of networks at the start, and when it changes.
class NetworksFileTest {

  @TempDir Path folder;

  private final Counters counters = new Counters();

  private static NetworksConfig config(Path file) {
    return new NetworksConfig(file, Duration.ofMillis(100));
  }

  /// As operators put it there: whole at once.
  private Path put(String text) throws IOException {
    Path beside = Files.writeString(folder.resolve("beside"), text);
    return Files.move(beside, folder.resolve("ranges.tsv"), StandardCopyOption.REPLACE_EXISTING);
  }

  private static long system(NetworksFile networks, String address) {
    return networks.get().systemOf(InetAddress.ofLiteral(address).getAddress());
  }

  private void awaitCount(Count count, long times) {
    await().until(() -> counters.get(count) == times);
  }

  @Test
  void withoutAFileNothingIsKnownAndNobodyLooks() {
    try (var networks =
        NetworksFile.open(new NetworksConfig(null, Duration.ofMillis(100)), counters)) {
      assertThat(networks.get()).isSameAs(Networks.NONE);
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          ;                        | ranges.tsv: must be a file with a range of a known system
          canary;                  | ranges.tsv, line 1: must be first address, last address and number
          9.0.0.0 9.0.0.9 1;canary | ranges.tsv, line 2: must be a whole line with its line end
          9.0.0.9 9.0.0.0 1;       | ranges.tsv, line 1: must be two IP addresses of one kind
          9.0.0.0 9.0.0.9 AS1;     | ranges.tsv, line 1: must be the number of a system
          9.0.0.0 9.0.0.9 1;9.0.0.9 9.0.0.9 2; | ranges.tsv, line 2: must be a range beyond the one before it
          """)
  void aFileThatWillNotDoStopsTheStartWithOneLine(String lines, String wanted) throws IOException {
    String text = lines.equals(";") ? "" : lines.replace(' ', '\t').replace(';', '\n');
    Path file = put(text);
    assertThatThrownBy(() -> NetworksFile.open(config(file), counters))
        .isInstanceOf(ConfigProblem.class)
        .message()
        .startsWith("accounts.networks.file = " + folder + "/" + wanted)
        .doesNotContain("\n", "canary");
    String key = "accounts.networks.file=\"" + file + '"';
    assertThatThrownBy(() -> TernServer.start(TestServer.config(folder.resolve("data"), key)))
        .isInstanceOf(ConfigProblem.class)
        .hasMessageContaining(wanted);
  }

  @Test
  void aChangedFileIsTakenUpOnlyIfItIsGood() throws IOException {
    Path file = put("95.0.0.0\t95.255.255.255\t64496\n");
    try (var networks = NetworksFile.open(config(file), counters)) {
      assertThat(system(networks, "95.1.2.3")).isEqualTo(64496);

      put("95.0.0.0\t95.255.255.255\t64497\n");
      awaitCount(Count.NETWORKS_RELOADS, 1);
      assertThat(system(networks, "95.1.2.3")).isEqualTo(64497);

      put("95.0.0.0\t95.255.255.255\t64498\n95.0.0.0");
      awaitCount(Count.NETWORKS_RELOADS_REFUSED, 1);
      assertThat(system(networks, "95.1.2.3")).isEqualTo(64497);

      Files.delete(file);
      awaitCount(Count.NETWORKS_RELOADS_REFUSED, 2);
      assertThat(system(networks, "95.1.2.3")).isEqualTo(64497);

      put("95.0.0.0\t95.255.255.255\t64499\n");
      awaitCount(Count.NETWORKS_RELOADS, 2);
      assertThat(system(networks, "95.1.2.3")).isEqualTo(64499);
      // Once each, however often it was looked at.
      assertThat(counters.get(Count.NETWORKS_RELOADS_REFUSED)).isEqualTo(2);
    }
  }

  @Test
  void whatEndsAReadingEndsNoLookingOut() throws IOException {
    Path file = put("95.0.0.0\t95.255.255.255\t64496\n");
    NetworksFile.Reader reader =
        path -> {
          if (Files.size(path) > 40) {
            throw new OutOfMemoryError("of a file that is too large for this machine");
          }
          return Networks.read(path);
        };
    try (var networks = new NetworksFile(config(file), counters, reader)) {
      put("95.0.0.0\t95.255.255.255\t64497\tDE\ta long description\n");
      awaitCount(Count.NETWORKS_RELOADS_REFUSED, 1);
      assertThat(system(networks, "95.1.2.3")).isEqualTo(64496);

      put("95.0.0.0\t95.255.255.255\t64498\n");
      awaitCount(Count.NETWORKS_RELOADS, 1);
      assertThat(system(networks, "95.1.2.3")).isEqualTo(64498);
    }
  }
}
