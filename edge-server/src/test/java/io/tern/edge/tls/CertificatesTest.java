package io.tern.edge.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.tern.edge.config.ConfigProblem;
import io.tern.edge.config.TlsConfig;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import io.tern.edge.tls.Certificates.Reload;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CertificatesTest {

  @TempDir Path folder;

  private final Counters counters = new Counters();

  /// A certificate and its key, each time new.
  private Path newPair(String name) throws IOException {
    Path made = Files.createDirectories(folder.resolve(name));
    DevelopmentCertificate.ensure(made, Instant.now());
    return made;
  }

  private Certificates open(@Nullable Path certificate, @Nullable Path key) throws IOException {
    return open(certificate, key, Clock.systemUTC());
  }

  private Certificates open(@Nullable Path certificate, @Nullable Path key, Clock clock)
      throws IOException {
    var config = new TlsConfig(certificate, key, Duration.ofMillis(100), TlsConfig.Provider.AUTO);
    return Certificates.open(config, folder, counters, clock);
  }

  @Test
  void theDevelopmentCertificateIsMadeOnceAndItsKeyIsTheOwners() throws IOException {
    String first;
    try (var certificates = open(null, null)) {
      first = certificates.fingerprint();
      assertThat(certificates.isDevelopment()).isTrue();
      assertThat(first).matches("sha256:[0-9a-f]{64}");
      assertThat(certificates.identity().toString()).doesNotContain("PrivateKey");
    }
    assertThat(
            PosixFilePermissions.toString(
                Files.getPosixFilePermissions(DevelopmentCertificate.keyIn(folder))))
        .isEqualTo("rw-------");
    try (var again = open(null, null)) {
      assertThat(again.fingerprint()).isEqualTo(first);
    }
  }

  @Test
  void changedFilesAreTakenUpOnlyAsAPairThatFits() throws IOException {
    Path one = newPair("one");
    Path other = newPair("other");
    Path certificate = Files.copy(DevelopmentCertificate.certificateIn(one), folder.resolve("c"));
    Path key = Files.copy(DevelopmentCertificate.keyIn(one), folder.resolve("k"));
    List<String> told = Collections.synchronizedList(new ArrayList<>());
    try (var certificates = open(certificate, key)) {
      String first = certificates.fingerprint();
      certificates.onChange(identity -> told.add(identity.fingerprint()));

      Files.write(certificate, Files.readAllBytes(DevelopmentCertificate.certificateIn(other)));
      await().until(() -> counters.get(Count.CERTIFICATE_RELOADS_REFUSED), refused -> refused == 1);
      assertThat(certificates.fingerprint()).isEqualTo(first);

      Files.write(key, Files.readAllBytes(DevelopmentCertificate.keyIn(other)));
      await().until(() -> counters.get(Count.CERTIFICATE_RELOADS), taken -> taken == 1);
      assertThat(certificates.fingerprint()).isNotEqualTo(first);
      await().until(() -> told.size() == 1);
      assertThat(told).containsExactly(certificates.fingerprint());
    }
  }

  @Test
  void whoAsksForAReloadIsToldWhatCameOfIt() throws Exception {
    Path one = newPair("one");
    Path other = newPair("other");
    Path certificate = Files.copy(DevelopmentCertificate.certificateIn(one), folder.resolve("c"));
    Path key = Files.copy(DevelopmentCertificate.keyIn(one), folder.resolve("k"));
    var config = new TlsConfig(certificate, key, Duration.ofDays(1), TlsConfig.Provider.AUTO);
    try (var certificates = Certificates.open(config, folder, counters, Clock.systemUTC())) {
      String first = certificates.fingerprint();
      assertThat(certificates.identity().names()).contains("localhost", "127.0.0.1");
      assertThat(certificates.reload().outcome()).isEqualTo(Reload.Outcome.UNCHANGED);

      Files.write(certificate, Files.readAllBytes(DevelopmentCertificate.certificateIn(other)));
      for (int i = 1; i <= 2; i++) {
        Reload refused = certificates.reload();
        assertThat(refused.outcome()).isEqualTo(Reload.Outcome.REFUSED);
        assertThat(refused.why()).contains("tls.key must be the private key of the first");
        assertThat(refused.identity().fingerprint()).isEqualTo(first);
      }
      Files.delete(key);
      assertThat(certificates.reload().why()).isEqualTo("the files cannot be read");
      assertThat(certificates.fingerprint()).isEqualTo(first);

      Files.write(key, Files.readAllBytes(DevelopmentCertificate.keyIn(other)));
      Reload taken = certificates.reload();
      assertThat(taken.outcome()).isEqualTo(Reload.Outcome.TAKEN);
      assertThat(taken.why()).isEmpty();
      assertThat(certificates.fingerprint())
          .isEqualTo(taken.identity().fingerprint())
          .isNotEqualTo(first);
      assertThat(counters.get(Count.CERTIFICATE_RELOADS)).isEqualTo(1);
    }
  }

  @Test
  void filesThatWillNotDoStopTheStartWithOneLine() throws IOException {
    Path one = newPair("one");
    Path other = newPair("other");
    Path certificate = DevelopmentCertificate.certificateIn(one);
    Path key = DevelopmentCertificate.keyIn(one);
    Path empty = Files.createFile(folder.resolve("empty"));
    Path secret = folder.resolve("secret");
    Files.writeString(secret, "-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----\n");

    refused(certificate, DevelopmentCertificate.keyIn(other), "the private key of the first");
    refused(empty, key, "a PEM file with X.509 certificates");
    refused(key, key, "a PEM file with X.509 certificates");
    refused(certificate, empty, "a PEM file with a private key that is not encrypted");
    refused(certificate, secret, "a PEM file with a private key that is not encrypted");
    Clock later = Clock.fixed(Instant.now().plus(Duration.ofDays(4000)), ZoneOffset.UTC);
    assertThatThrownBy(() -> open(certificate, key, later))
        .isInstanceOf(ConfigProblem.class)
        .hasMessageContaining("a certificate that is still good");
    Clock earlier = Clock.fixed(Instant.now().minus(Duration.ofDays(10)), ZoneOffset.UTC);
    assertThatThrownBy(() -> open(certificate, key, earlier))
        .isInstanceOf(ConfigProblem.class)
        .hasMessageContaining("a certificate that is good already");
  }

  private void refused(Path certificate, Path key, String wanted) {
    assertThatThrownBy(() -> open(certificate, key))
        .isInstanceOf(ConfigProblem.class)
        .hasMessageContaining(wanted)
        .message()
        .doesNotContain("\n")
        .doesNotContain("canary");
  }
}
