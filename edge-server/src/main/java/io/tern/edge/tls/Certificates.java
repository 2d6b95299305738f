package io.tern.edge.tls;

import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.ReferenceCountUtil;
import io.tern.edge.config.ConfigProblem;
import io.tern.edge.config.TlsConfig;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import javax.net.ssl.SSLException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The server's certificate, now and after its files have changed: hands out the current TLS
/// contexts. Any thread; a thread of its own looks at the files.
///
/// **Rules of every context**: TLS 1.3 only; the three suites of [#CIPHERS]; no session tickets and
/// no early data (Tern's own resume ticket spares the token, and a full handshake is the only one
/// there is, so nothing can be replayed and there is no ticket key to rotate); renegotiation does
/// not exist in TLS 1.3.
///
/// **Reload.** Connections keep the context they were made with; new ones get the new one. Files
/// that do not fit together (one of them is not written yet) are left aside until they change
/// again, with one line in the log.
///
/// Lives from [#open] to [#close]. Bounds: the current contexts, and those before them until the
/// next look at the files.
public final class Certificates implements AutoCloseable {

  /// The protocol name that TLS clients of Tern's own door offer.
  public static final String ALPN_TERN = "tern/1";

  /// All that TLS 1.3 has and browsers use, in the server's order of preference.
  static final List<String> CIPHERS =
      List.of("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256");

  /// Of a PEM file.
  private static final long FILE_BYTES_MAX = 1 << 20;

  private static final Logger log = LoggerFactory.getLogger(Certificates.class);

  /// What one pair of files is good for.
  ///
  /// @param tern for TLS on TCP
  /// @param http for HTTP/1.1, and so for WebSocket
  private record Current(Identity identity, SslContext tern, SslContext http) {
    void release() {
      ReferenceCountUtil.release(tern);
      ReferenceCountUtil.release(http);
    }
  }

  private final TlsConfig.Provider provider;
  private final Path certificateFile;
  private final Path keyFile;
  private final boolean development;
  private final Counters counters;
  private final Clock clock;
  private final ScheduledExecutorService watcher;
  private final List<Consumer<Identity>> listeners = new CopyOnWriteArrayList<>();

  private volatile Current current;

  /// Of the files that were last looked at, good or not. Confined to the watcher after [#open].
  private byte[] seen;

  private final List<Current> retired = new ArrayList<>();

  /// Reads the certificate, or makes the development certificate, and starts to look at the files.
  ///
  /// @param data where the development certificate is, or will be
  /// @throws ConfigProblem when the configured files will not do
  /// @throws IOException when the development certificate cannot be made
  public static Certificates open(TlsConfig config, Path data, Counters counters, Clock clock)
      throws IOException {
    return new Certificates(config, data, counters, clock);
  }

  private Certificates(TlsConfig config, Path data, Counters counters, Clock clock)
      throws IOException {
    this.counters = counters;
    this.clock = clock;
    if (config.provider() == TlsConfig.Provider.BORINGSSL && !OpenSsl.isAvailable()) {
      throw ConfigProblem.of(
          "tls.provider",
          "boringssl",
          "auto or jdk on this machine (" + OpenSsl.unavailabilityCause() + ")");
    }
    provider = config.provider();
    Path certificate = config.certificate();
    Path key = config.key();
    development = certificate == null || key == null;
    if (certificate == null || key == null) {
      DevelopmentCertificate.ensure(data, clock.instant());
      certificateFile = DevelopmentCertificate.certificateIn(data);
      keyFile = DevelopmentCertificate.keyIn(data);
    } else {
      certificateFile = certificate;
      keyFile = key;
    }
    byte[] certificates = read(certificateFile);
    byte[] keys = read(keyFile);
    seen = hash(certificates, keys);
    try {
      current = contexts(PemFiles.read(certificates, keys, clock.instant()));
    } catch (PemFiles.Unusable e) {
      throw ConfigProblem.of(
          e.key,
          e.key.equals("tls.key") ? keyFile : certificateFile,
          String.valueOf(e.getMessage()));
    }
    watcher =
        Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("tern-certificates").factory());
    watcher.scheduleWithFixedDelay(
        () -> look(false),
        config.reload().toMillis(),
        config.reload().toMillis(),
        TimeUnit.MILLISECONDS);
    log.info("certificate {} ({})", current.identity(), current.identity().fingerprint());
  }

  /// For TLS on TCP: ALPN `tern/1`. Good for making one handler now; ask again for the next
  /// connection. The caller does not release it.
  public SslContext tern() {
    return current.tern();
  }

  /// For HTTP/1.1 and WebSocket.
  public SslContext http() {
    return current.http();
  }

  /// The certificate and key themselves, for a server that makes its own contexts.
  public Identity identity() {
    return current.identity();
  }

  /// Of the current certificate.
  public String fingerprint() {
    return current.identity().fingerprint();
  }

  /// Whether it is the self-signed one.
  public boolean isDevelopment() {
    return development;
  }

  /// What a look at the files has found.
  ///
  /// @param outcome taken up, nothing new, or left aside
  /// @param why it was left aside; empty otherwise. Nothing of what is in the files
  /// @param identity what is served from now on
  public record Reload(Outcome outcome, String why, Identity identity) {

    public enum Outcome {
      TAKEN,
      UNCHANGED,
      REFUSED
    }

    @Override
    public String toString() {
      return outcome + (why.isEmpty() ? "" : ": " + why);
    }
  }

  /// Looks at the files at once, also when they have not changed since they were last refused. A
  /// pair that will not do leaves the old one in place. Any thread that may block for some seconds.
  ///
  /// @throws TimeoutException when the look takes longer
  public Reload reload() throws InterruptedException, TimeoutException {
    try {
      return watcher.submit(() -> look(true)).get(10, TimeUnit.SECONDS);
    } catch (RejectedExecutionException e) {
      return new Reload(Reload.Outcome.REFUSED, "the server ends", identity());
    } catch (ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }

  /// `listener` is told of each new identity, on the watcher's thread.
  public void onChange(Consumer<Identity> listener) {
    listeners.add(listener);
  }

  // ---- reload ----------------------------------------------------------------------------------

  /// Looks at the files once. On the watcher's thread.
  ///
  /// @param asked look closer, also at what was seen before
  private Reload look(boolean asked) {
    String why;
    try {
      retired.forEach(Current::release);
      retired.clear();
      byte[] certificates = read(certificateFile);
      byte[] keys = read(keyFile);
      byte[] is = hash(certificates, keys);
      if (Arrays.equals(is, seen) && !asked) {
        return new Reload(Reload.Outcome.UNCHANGED, "", identity());
      }
      seen = is;
      Identity identity = PemFiles.read(certificates, keys, clock.instant());
      if (identity.equals(identity())) {
        return new Reload(Reload.Outcome.UNCHANGED, "", identity());
      }
      take(identity);
      return new Reload(Reload.Outcome.TAKEN, "", identity);
    } catch (PemFiles.Unusable e) {
      counters.add(Count.CERTIFICATE_RELOADS_REFUSED);
      log.warn(
          "the changed certificate files are left aside: {} must be {}", e.key, e.getMessage());
      why = e.key + " must be " + e.getMessage();
    } catch (IOException e) {
      // Being replaced at this moment, or gone: the next look will see.
      log.debug("certificate files: {}", e.toString());
      why = "the files cannot be read";
    } catch (RuntimeException e) {
      counters.add(Count.CERTIFICATE_RELOADS_REFUSED);
      log.warn("the changed certificate files are left aside", e);
      why = "the files will not do";
    }
    return new Reload(Reload.Outcome.REFUSED, why, identity());
  }

  private void take(Identity identity) throws SSLException {
    Current before = current;
    current = contexts(identity);
    // A loop may be making a handler of it right now.
    retired.add(before);
    counters.add(Count.CERTIFICATE_RELOADS);
    log.info("new certificate {} ({})", identity, identity.fingerprint());
    for (Consumer<Identity> listener : listeners) {
      try {
        listener.accept(identity);
      } catch (RuntimeException e) {
        log.warn("while telling of the new certificate", e);
      }
    }
  }

  private static byte[] read(Path file) throws IOException {
    if (Files.size(file) > FILE_BYTES_MAX) {
      throw new IOException(file + " is larger than 1 MiB");
    }
    return Files.readAllBytes(file);
  }

  private static byte[] hash(byte[] certificates, byte[] key) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      digest.update(MessageDigest.getInstance("SHA-256").digest(certificates));
      return digest.digest(key);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  // ---- contexts --------------------------------------------------------------------------------

  private Current contexts(Identity identity) throws SSLException {
    SslContext tern = context(identity, ALPN_TERN);
    try {
      return new Current(identity, tern, context(identity, "http/1.1"));
    } catch (SSLException | RuntimeException e) {
      ReferenceCountUtil.release(tern);
      throw e;
    }
  }

  private SslContext context(Identity identity, String alpn) throws SSLException {
    boolean boring = provider != TlsConfig.Provider.JDK && OpenSsl.isAvailable();
    return SslContextBuilder.forServer(
            identity.key(), identity.chain().toArray(X509Certificate[]::new))
        // Released with its connection, instead of by a finalizer each.
        .sslProvider(boring ? SslProvider.OPENSSL_REFCNT : SslProvider.JDK)
        .protocols("TLSv1.3")
        .ciphers(CIPHERS)
        .sessionCacheSize(1)
        .applicationProtocolConfig(
            new ApplicationProtocolConfig(
                ApplicationProtocolConfig.Protocol.ALPN,
                ApplicationProtocolConfig.SelectorFailureBehavior.NO_ADVERTISE,
                ApplicationProtocolConfig.SelectedListenerFailureBehavior.ACCEPT,
                alpn))
        .build();
  }

  @Override
  public void close() {
    watcher.shutdownNow();
    try {
      if (watcher.awaitTermination(5, TimeUnit.SECONDS)) {
        retired.forEach(Current::release);
        retired.clear();
        current.release();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }
}
