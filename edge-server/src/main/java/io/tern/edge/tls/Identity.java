package io.tern.edge.tls;

import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.cert.CertificateEncodingException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;

/// A certificate with its chain and its private key, found to fit together. Immutable.
///
/// @param chain leaf first
public record Identity(PrivateKey key, List<X509Certificate> chain) {

  /// Kinds of names in RFC 5280.
  private static final Integer DNS = 2;

  private static final Integer ADDRESS = 7;

  public Identity {
    chain = List.copyOf(chain);
  }

  public X509Certificate leaf() {
    return chain.getFirst();
  }

  /// `sha256:` and 64 hexadecimal digits: what a client pins.
  public String fingerprint() {
    return fingerprint(leaf());
  }

  /// The names it is good for: DNS names and IP addresses.
  public List<String> names() {
    try {
      Collection<List<?>> all = leaf().getSubjectAlternativeNames();
      return all == null
          ? List.of()
          : all.stream()
              .filter(one -> one.get(0).equals(DNS) || one.get(0).equals(ADDRESS))
              .map(one -> String.valueOf(one.get(1)))
              .toList();
    } catch (CertificateParsingException e) {
      return List.of();
    }
  }

  static String fingerprint(X509Certificate certificate) {
    try {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(certificate.getEncoded());
      return "sha256:" + HexFormat.of().formatHex(hash);
    } catch (CertificateEncodingException e) {
      throw new IllegalArgumentException(e);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  /// Without the key.
  @Override
  public String toString() {
    return leaf().getSubjectX500Principal() + " until " + leaf().getNotAfter().toInstant();
  }
}
