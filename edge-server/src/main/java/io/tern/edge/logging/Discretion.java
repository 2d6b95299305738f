package io.tern.edge.logging;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.turbo.TurboFilter;
import ch.qos.logback.core.spi.FilterReply;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Marker;

/// Keeps libraries quiet that, below INFO, print what they carry: whatever level an operator sets,
/// for these it stays at INFO. Any thread.
public final class Discretion extends TurboFilter {

  /// jsmpp prints every PDU as hex at DEBUG: numbers, codes and the password of the binding.
  /// Armeria prints the line and the headers of a request that asks for an upgrade to HTTP/2, which
  /// the JDK's client does with its first one: the path, and whatever credential there is.
  static final List<String> LOGGERS = List.of("org.jsmpp", "com.linecorp.armeria");

  @Override
  public FilterReply decide(
      @Nullable Marker marker,
      Logger logger,
      Level level,
      @Nullable String format,
      Object @Nullable [] arguments,
      @Nullable Throwable thrown) {
    return !level.isGreaterOrEqual(Level.INFO) && isTalkative(logger.getName())
        ? FilterReply.DENY
        : FilterReply.NEUTRAL;
  }

  static boolean isTalkative(String logger) {
    for (String talkative : LOGGERS) {
      if (logger.startsWith(talkative)
          && (logger.length() == talkative.length() || logger.charAt(talkative.length()) == '.')) {
        return true;
      }
    }
    return false;
  }
}
