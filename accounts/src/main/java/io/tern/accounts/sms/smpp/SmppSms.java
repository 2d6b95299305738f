package io.tern.accounts.sms.smpp;

import io.tern.accounts.sms.SmsSender;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.locks.ReentrantLock;
import org.jsmpp.InvalidResponseException;
import org.jsmpp.PDUException;
import org.jsmpp.bean.Alphabet;
import org.jsmpp.bean.BindType;
import org.jsmpp.bean.ESMClass;
import org.jsmpp.bean.GeneralDataCoding;
import org.jsmpp.bean.NumberingPlanIndicator;
import org.jsmpp.bean.RegisteredDelivery;
import org.jsmpp.bean.TypeOfNumber;
import org.jsmpp.extra.NegativeResponseException;
import org.jsmpp.extra.ResponseTimeoutException;
import org.jsmpp.session.BindParameter;
import org.jsmpp.session.SMPPSession;
import org.jspecify.annotations.Nullable;

/// Hands texts to an SMSC by SMPP 3.4. Binds as a transmitter when the first text comes, and again
/// after the session broke; one session, whose window the other side sets.
public final class SmppSms implements SmsSender, AutoCloseable {

  // Of SMPP 3.4, section 5.1.3: what may be otherwise later.
  private static final int QUEUE_FULL = 0x14;
  private static final int THROTTLED = 0x58;
  private static final int SYSTEM_ERROR = 0x08;

  /// Whether what is said on the way there, the password and each code, can be read by others.
  public sealed interface Security {

    /// It can: for a private line, or a tunnel.
    record Plain() implements Security {}

    /// TLS 1.2 or 1.3, and the SMSC's certificate names its host.
    ///
    /// @param authorities a PEM file with the certificates of who may have signed it; null = those
    ///   that the JDK trusts
    record Tls(@Nullable Path authorities) implements Security {
      /// @throws IllegalArgumentException when there are no certificates in the file
      public Tls {
        var _ = SmppConnections.trusting(authorities);
      }
    }
  }

  /// Where it goes, and as whom.
  ///
  /// @param source who the message says it is from: digits, or at most 11 letters
  /// @param timeout for binding, and for each answer
  public record Config(
      String host,
      int port,
      Security security,
      String systemId,
      String password,
      String systemType,
      String source,
      Duration timeout) {
    public Config {
      if (host.isBlank() || port < 1 || port > 65_535) {
        throw new IllegalArgumentException("host and port: where the SMSC listens");
      }
      // Fields of SMPP: system_id has 15 characters, password 8, system_type 12.
      if (systemId.length() > 15 || password.length() > 8 || systemType.length() > 12) {
        throw new IllegalArgumentException(
            "system id of at most 15, password of at most 8, system type of at most 12 characters");
      }
      if (!source.matches("\\+?[0-9]{1,15}|[A-Za-z0-9 ]{1,11}")) {
        throw new IllegalArgumentException("source: a number, or at most 11 letters and digits");
      }
      if (timeout.isNegative()
          || timeout.isZero()
          || timeout.compareTo(Duration.ofMinutes(1)) > 0) {
        throw new IllegalArgumentException("timeout: more than 0, at most 1 minute");
      }
    }

    @Override
    public String toString() {
      return "SmppSms.Config[" + host + ":" + port + ", source=" + source + "]";
    }
  }

  private final Config config;
  private final SmppConnections connections;
  private final ReentrantLock binding = new ReentrantLock();
  private volatile @Nullable SMPPSession session;

  public SmppSms(Config config) {
    this.config = config;
    connections =
        new SmppConnections(
            switch (config.security) {
              case Security.Plain plain -> null;
              case Security.Tls(Path authorities) -> SmppConnections.trusting(authorities);
            },
            config.timeout);
  }

  @Override
  public SmsOutcome send(String number, String text) {
    try {
      SMPPSession bound = bound();
      byte[] gsm = text.getBytes(StandardCharsets.US_ASCII);
      String source = config.source.startsWith("+") ? config.source.substring(1) : config.source;
      boolean numeric = source.chars().allMatch(c -> c >= '0' && c <= '9');
      var result =
          bound.submitShortMessage(
              "",
              numeric ? TypeOfNumber.INTERNATIONAL : TypeOfNumber.ALPHANUMERIC,
              numeric ? NumberingPlanIndicator.ISDN : NumberingPlanIndicator.UNKNOWN,
              source,
              TypeOfNumber.INTERNATIONAL,
              NumberingPlanIndicator.ISDN,
              number.substring(1),
              new ESMClass(),
              (byte) 0,
              (byte) 1,
              null,
              null,
              new RegisteredDelivery(0),
              (byte) 0,
              new GeneralDataCoding(Alphabet.ALPHA_DEFAULT),
              (byte) 0,
              gsm);
      return new SmsOutcome.Accepted(result.getMessageId());
    } catch (NegativeResponseException e) {
      int status = e.getCommandStatus();
      String reason = "smpp status 0x" + Integer.toHexString(status);
      return status == QUEUE_FULL || status == THROTTLED || status == SYSTEM_ERROR
          ? new SmsOutcome.RetryLater(reason)
          : new SmsOutcome.Refused(reason);
    } catch (ResponseTimeoutException e) {
      return new SmsOutcome.RetryLater("no answer in time");
    } catch (PDUException e) {
      return new SmsOutcome.Refused("not sendable by SMPP");
    } catch (InvalidResponseException | IOException e) {
      drop();
      return new SmsOutcome.RetryLater(e.getClass().getSimpleName());
    }
  }

  private SMPPSession bound() throws IOException {
    SMPPSession found = session;
    if (found != null && found.getSessionState().isBound()) {
      return found;
    }
    binding.lock();
    try {
      found = session;
      if (found != null && found.getSessionState().isBound()) {
        return found;
      }
      drop();
      var made = new SMPPSession(connections);
      made.setTransactionTimer(config.timeout.toMillis());
      try {
        made.connectAndBind(
            config.host,
            config.port,
            new BindParameter(
                BindType.BIND_TX,
                config.systemId,
                config.password,
                config.systemType,
                TypeOfNumber.UNKNOWN,
                NumberingPlanIndicator.UNKNOWN,
                null),
            config.timeout.toMillis());
      } catch (IOException e) {
        made.unbindAndClose();
        throw e;
      }
      session = made;
      return made;
    } finally {
      binding.unlock();
    }
  }

  private void drop() {
    SMPPSession found = session;
    session = null;
    if (found != null) {
      found.unbindAndClose();
    }
  }

  @Override
  public void close() {
    drop();
  }
}
