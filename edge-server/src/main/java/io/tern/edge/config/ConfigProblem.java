package io.tern.edge.config;

import java.net.InetSocketAddress;

/// A configuration that the server will not start with. The message is one line: the key, its
/// value, and what would be valid.
public final class ConfigProblem extends RuntimeException {
  private static final long serialVersionUID = 1;

  ConfigProblem(String message) {
    super(message);
  }

  /// The usual shape of the line.
  public static ConfigProblem of(String key, Object value, String wanted) {
    Object shown = value instanceof InetSocketAddress address ? Addresses.text(address) : value;
    return new ConfigProblem(key + " = " + shown + ": must be " + wanted);
  }
}
