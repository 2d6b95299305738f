package io.tern.edge.config;

import java.io.IOException;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/// A configured address at which the server cannot listen. The message is one line: the key, the
/// address, and why.
public final class CannotListen extends IOException {
  private static final long serialVersionUID = 1;

  /// Why an address cannot be had.
  public enum Reason {
    /// Something listens there already.
    TAKEN("Address already in use", "another process has this port"),
    /// It is no address of this machine.
    NOT_HERE("assign requested address", "this machine has no such address"),
    /// The system keeps the port from this user.
    NOT_PERMITTED("Permission denied", "this user may not listen at this port"),
    /// What the system said is in the message.
    OTHER(null, "");

    /// What every system says of it: neither the JDK nor the native transports have types for it.
    private final @Nullable String said;

    private final String words;

    Reason(@Nullable String said, String words) {
      this.said = said;
      this.words = words;
    }

    private static Reason of(@Nullable Throwable cause) {
      for (Throwable each = cause; each != null; each = each.getCause()) {
        String message = String.valueOf(each.getMessage());
        for (Reason reason : values()) {
          if (reason.said != null && message.contains(reason.said)) {
            return reason;
          }
        }
      }
      return OTHER;
    }
  }

  private final String key;
  private final Reason reason;

  /// @param cause what the attempt ended with
  public CannotListen(String key, InetSocketAddress address, @Nullable Throwable cause) {
    this(key, address, Reason.of(cause), cause);
  }

  private CannotListen(
      String key, InetSocketAddress address, Reason reason, @Nullable Throwable cause) {
    super(
        key
            + " = "
            + Addresses.text(address)
            + ": "
            + (reason == Reason.OTHER ? said(cause) : reason.words),
        cause);
    this.key = key;
    this.reason = reason;
  }

  /// The key of the configuration that says where to listen.
  public String key() {
    return key;
  }

  public Reason reason() {
    return reason;
  }

  private static String said(@Nullable Throwable cause) {
    if (cause == null) {
      return "no answer from the system";
    }
    return cause.getMessage() == null ? cause.toString() : cause.getMessage();
  }
}
