package io.tern.edge.tls;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.StringReader;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECKey;
import java.security.interfaces.RSAKey;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.openssl.PEMKeyPair;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;

/// Reads a certificate chain and a private key, and says in one line what is wrong with them. Any
/// thread.
final class PemFiles {

  /// Certificates in one chain.
  static final int CHAIN_MAX = 10;

  private static final int RSA_BITS_MIN = 2048;
  private static final int EC_BITS_MIN = 256;

  private PemFiles() {}

  /// A file that will not do. The message says which one and why, and has nothing of its content.
  static final class Unusable extends Exception {
    private static final long serialVersionUID = 1;

    /// The configuration key of the file.
    final String key;

    Unusable(String key, String wanted) {
      super(wanted);
      this.key = key;
    }
  }

  /// @throws Unusable when they are not a certificate that is good at `now` and its key
  static Identity read(byte[] certificates, byte[] key, Instant now) throws Unusable {
    List<X509Certificate> chain = chain(certificates);
    var identity = new Identity(key(key), chain);
    check(identity, now);
    return identity;
  }

  private static List<X509Certificate> chain(byte[] pem) throws Unusable {
    var chain = new ArrayList<X509Certificate>();
    try (var parser =
        new PEMParser(
            new InputStreamReader(new ByteArrayInputStream(pem), StandardCharsets.US_ASCII))) {
      for (Object object = parser.readObject(); object != null; object = parser.readObject()) {
        if (object instanceof X509CertificateHolder holder) {
          if (chain.size() == CHAIN_MAX) {
            throw new Unusable("tls.certificate", "a PEM file with at most 10 certificates");
          }
          chain.add(new JcaX509CertificateConverter().getCertificate(holder));
        }
      }
    } catch (IOException | GeneralSecurityException | RuntimeException e) {
      throw new Unusable("tls.certificate", "a PEM file with X.509 certificates");
    }
    if (chain.isEmpty()) {
      throw new Unusable("tls.certificate", "a PEM file with X.509 certificates");
    }
    return chain;
  }

  private static PrivateKey key(byte[] pem) throws Unusable {
    try (var parser = new PEMParser(new StringReader(new String(pem, StandardCharsets.US_ASCII)))) {
      for (Object object = parser.readObject(); object != null; object = parser.readObject()) {
        switch (object) {
          case PEMKeyPair pair -> {
            return new JcaPEMKeyConverter().getPrivateKey(pair.getPrivateKeyInfo());
          }
          case PrivateKeyInfo info -> {
            return new JcaPEMKeyConverter().getPrivateKey(info);
          }
          default -> {
            // Parameters of the curve, which OpenSSL writes before the key.
          }
        }
      }
    } catch (IOException | RuntimeException e) {
      // Falls through: nothing of the file may get into a message.
    }
    throw new Unusable("tls.key", "a PEM file with a private key that is not encrypted");
  }

  private static void check(Identity identity, Instant now) throws Unusable {
    X509Certificate leaf = identity.leaf();
    if (now.isAfter(leaf.getNotAfter().toInstant())) {
      throw new Unusable(
          "tls.certificate",
          "a certificate that is still good; this one ran out on "
              + leaf.getNotAfter().toInstant());
    }
    if (now.isBefore(leaf.getNotBefore().toInstant())) {
      throw new Unusable(
          "tls.certificate",
          "a certificate that is good already; this one is from "
              + leaf.getNotBefore().toInstant());
    }
    boolean strong =
        switch (leaf.getPublicKey()) {
          case RSAKey rsa -> rsa.getModulus().bitLength() >= RSA_BITS_MIN;
          case ECKey ec -> ec.getParams().getOrder().bitLength() >= EC_BITS_MIN;
          default -> false;
        };
    if (!strong) {
      throw new Unusable(
          "tls.certificate", "a certificate for an EC key (P-256 or more) or RSA (2048 or more)");
    }
    if (!fits(identity.key(), leaf.getPublicKey())) {
      throw new Unusable("tls.key", "the private key of the first certificate in tls.certificate");
    }
    for (int i = 1; i < identity.chain().size(); i++) {
      try {
        identity.chain().get(i - 1).verify(identity.chain().get(i).getPublicKey());
      } catch (GeneralSecurityException e) {
        throw new Unusable(
            "tls.certificate",
            "certificates each of which is signed by the next; number " + i + " is not");
      }
    }
  }

  /// Whether what `key` signs `certified` verifies.
  private static boolean fits(PrivateKey key, PublicKey certified) {
    if (!key.getAlgorithm().equals(certified.getAlgorithm())) {
      return false;
    }
    byte[] text = "tern".getBytes(StandardCharsets.US_ASCII);
    try {
      Signature signature =
          Signature.getInstance(
              key.getAlgorithm().equals("RSA") ? "SHA256withRSA" : "SHA256withECDSA");
      signature.initSign(key);
      signature.update(text);
      byte[] signed = signature.sign();
      signature.initVerify(certified);
      signature.update(text);
      return signature.verify(signed);
    } catch (GeneralSecurityException e) {
      return false;
    }
  }
}
