package io.tern.client.account;

import io.tern.client.ClientListener;
import io.tern.client.ForwardingListener;
import io.tern.client.TernClient;
import io.tern.client.TernException;
import io.tern.protocol.ErrorCode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Keeps a device's access token fresh for as long as a client runs: fetches the next one when two
/// thirds of its life are over, and hands it to the session, which so outlives its tokens.
///
/// ```java
/// var tokens = AccountTokens.open(file);
/// var config = ClientConfig.of(user, device, edges, tokens::current, store);
/// var client = TernClient.start(config, tokens.watching(listener));
/// tokens.feed(client);
/// ```
///
/// Each use of the secret is written down before it is made, and repeated with the same attempt
/// until it is answered: neither a lost answer nor a crash costs the device its place. What cannot
/// be reached is tried again, after 1 s and up to a minute, and a session that ended meanwhile is
/// opened again then; what the server refuses for good stops this, and the session's end says so to
/// the app.
///
/// Any thread; a daemon thread of its own does the asking. [#close] ends it.
public final class AccountTokens implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(AccountTokens.class);

  private static final long TICK_MILLIS = 1_000;
  private static final long RETRY_MILLIS_MIN = 1_000;
  private static final long RETRY_MILLIS_MAX = 60_000;

  /// A token that ends sooner is not shown to anyone.
  private static final long LEFT_MILLIS_MIN = 10_000;

  private final CredentialsFile file;
  private final AccountApi api;
  private final LongSupplier wallMillis;
  private final SecureRandom random = new SecureRandom();
  private final ScheduledExecutorService worker =
      Executors.newSingleThreadScheduledExecutor(task -> {
        var thread = new Thread(task, "tern-tokens");
        thread.setDaemon(true);
        return thread;
      });

  private volatile Credentials credentials;
  private volatile @Nullable TernClient client;

  /// The session ended because this token had: with the next one it is opened again.
  private volatile @Nullable String endedWith;

  // Confined to the worker, after the start.
  private long refreshAt;
  private long retryMillis = RETRY_MILLIS_MIN;
  private boolean refused;

  /// Reads the file, and fetches a token first if the one there is about to end.
  ///
  /// @throws IOException when the file or the server cannot be read
  /// @throws TernException when the server refuses the device
  public static AccountTokens open(CredentialsFile file) throws IOException {
    var tokens = new AccountTokens(file, System::currentTimeMillis);
    try {
      if (tokens.credentials.tokenExpiresMillis() - System.currentTimeMillis() < LEFT_MILLIS_MIN) {
        tokens.refresh();
      }
    } catch (IOException | RuntimeException e) {
      tokens.close();
      throw e;
    }
    tokens.start();
    return tokens;
  }

  /// Reads the file and nothing else, for an app that starts whether there is a network or not: it
  /// shows what it has and takes sends, and a token that has ended is replaced when that can be.
  ///
  /// @throws IOException when the file cannot be read
  public static AccountTokens openOffline(CredentialsFile file) throws IOException {
    var tokens = new AccountTokens(file, System::currentTimeMillis);
    tokens.start();
    return tokens;
  }

  private void start() {
    worker.scheduleWithFixedDelay(this::tick, TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
  }

  AccountTokens(CredentialsFile file, LongSupplier wallMillis) throws IOException {
    this.file = file;
    this.wallMillis = wallMillis;
    credentials = file.load();
    api = new AccountApi(credentials.server(), credentials.pin());
    plan();
  }

  /// The newest token, for [io.tern.client.ClientConfig]. Does not block.
  public byte[] current() {
    return credentials.token().getBytes(StandardCharsets.US_ASCII);
  }

  public Credentials credentials() {
    return credentials;
  }

  /// From now on `to` gets each new token.
  public void feed(TernClient to) {
    client = to;
    if (endedWith != null) {
      renewSoon();
    }
  }

  /// A listener that passes everything on to `to`, but for a session that ended because its token
  /// had: then a new token is fetched, and the client tries again.
  public ClientListener watching(ClientListener to) {
    return new ForwardingListener(to) {
      @Override
      public void onConnection(ConnectionState state) {
        if (state instanceof ConnectionState.Refused down
            && down.code() == ErrorCode.TOKEN_EXPIRED.number()) {
          endedWith = credentials.token();
          renewSoon();
        }
        super.onConnection(state);
      }
    };
  }

  private void renewSoon() {
    try {
      worker.execute(this::renewAndReconnect);
    } catch (RejectedExecutionException e) {
      // Closed: nobody wants a session any more.
      log.debug("closed", e);
    }
  }

  /// Fetches the next token now. Blocks.
  ///
  /// @throws TernException when the server refuses it
  public Credentials refresh() throws IOException {
    Credentials newer =
        file.locked(() -> {
          Credentials known = file.load();
          if (known.tokenExpiresMillis() > credentials.tokenExpiresMillis()
              && known.tokenExpiresMillis() - wallMillis.getAsLong() > LEFT_MILLIS_MIN) {
            // Another process has just done it.
            return known;
          }
          if (known.attempt() == null) {
            known = known.withAttempt(newAttempt());
            file.save(known);
          }
          Credentials next = api.refresh(known);
          file.save(next);
          return next;
        });
    credentials = newer;
    plan();
    return newer;
  }

  private String newAttempt() {
    var bytes = new byte[24];
    random.nextBytes(bytes);
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }

  private void plan() {
    long now = wallMillis.getAsLong();
    long left = credentials.tokenExpiresMillis() - now;
    refreshAt = now + Math.max(0, left * 2 / 3);
  }

  /// Looks whether it is time.
  void tick() {
    if (refused || wallMillis.getAsLong() < refreshAt) {
      return;
    }
    if (renewed()) {
      tell();
    }
  }

  private void renewAndReconnect() {
    String ended = endedWith;
    if (client != null
        && ended != null
        && !refused
        && (!ended.equals(credentials.token()) || renewed())) {
      tell();
    }
  }

  /// There is a token that the client has not shown.
  private void tell() {
    TernClient fed = client;
    if (fed != null) {
      fed.reauth(current());
      if (endedWith != null) {
        endedWith = null;
        fed.reconnect();
      }
    }
  }

  private boolean renewed() {
    try {
      refresh();
      retryMillis = RETRY_MILLIS_MIN;
      return true;
    } catch (TernException e) {
      if (e.errorClass() == ErrorCode.ErrorClass.LATER
          || e.errorClass() == ErrorCode.ErrorClass.SERVER) {
        later(e.retryMillis());
      } else {
        refused = true;
        log.warn("no more tokens for this device: {}", e.getMessage());
      }
    } catch (IOException e) {
      later(0);
      log.debug("no token now", e);
    } catch (RuntimeException e) {
      later(0);
      log.warn("no token now", e);
    }
    return false;
  }

  private void later(long millis) {
    refreshAt = wallMillis.getAsLong() + Math.max(millis, retryMillis);
    retryMillis = Math.min(RETRY_MILLIS_MAX, retryMillis * 2);
  }

  @Override
  public void close() {
    worker.shutdownNow();
  }
}
