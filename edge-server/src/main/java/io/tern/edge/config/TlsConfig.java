package io.tern.edge.config;

import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// `tls.*`: the certificate of every TLS listener, HTTP's too.
///
/// @param certificate PEM file, leaf first; null for the development certificate
/// @param key PEM file with the leaf's private key; null with `certificate`
/// @param reload how often the two files are looked at
public record TlsConfig(
    @Nullable Path certificate, @Nullable Path key, Duration reload, Provider provider) {

  /// Whose TLS.
  public enum Provider {
    /// BoringSSL where the machine has it, the JDK's elsewhere.
    AUTO,
    BORINGSSL,
    JDK
  }
}
