package io.tern.client.account;

import io.tern.protocol.UserId;
import java.net.URI;
import org.jspecify.annotations.Nullable;

/// What proves a device, and where. Immutable; prints without what is secret.
///
/// @param server where accounts are, as `https://host:port`
/// @param pin `sha256:` and the fingerprint of the server's certificate; null = as the JDK trusts
/// @param number the account's phone number, for the person to see; empty when not known
/// @param secret the device's, for the next token
/// @param secretNumber its number
/// @param attempt of a refresh whose answer has not come; null when there is none
/// @param token the newest access token
/// @param tokenExpiresMillis when it ends
public record Credentials(
    URI server,
    @Nullable String pin,
    UserId user,
    int device,
    String number,
    String secret,
    long secretNumber,
    @Nullable String attempt,
    String token,
    long tokenExpiresMillis) {

  Credentials withAttempt(String use) {
    return new Credentials(
        server, pin, user, device, number, secret, secretNumber, use, token, tokenExpiresMillis);
  }

  Credentials refreshed(String next, long nextNumber, String newToken, long expiresMillis) {
    return new Credentials(
        server, pin, user, device, number, next, nextNumber, null, newToken, expiresMillis);
  }

  /// The same device under another number.
  public Credentials withNumber(String newNumber) {
    return new Credentials(
        server,
        pin,
        user,
        device,
        newNumber,
        secret,
        secretNumber,
        attempt,
        token,
        tokenExpiresMillis);
  }

  @Override
  public String toString() {
    return "Credentials[" + user + "/" + device + " at " + server + "]";
  }
}
