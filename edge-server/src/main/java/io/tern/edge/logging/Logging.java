package io.tern.edge.logging;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.Appender;
import ch.qos.logback.core.OutputStreamAppender;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.logging.ConsoleHandler;
import java.util.logging.Handler;
import java.util.logging.LogManager;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/// The logging of this process, while it runs. Any thread. Without logback (another SLF4J provider)
/// nothing here has an effect.
public final class Logging {

  /// From the most talkative to the quietest.
  public static final List<String> LEVELS =
      List.of("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF");

  private Logging() {}

  /// Every appender that writes lines writes them like this from now on.
  public static void use(LogFormat format) {
    LoggerContext context = context();
    if (context == null) {
      return;
    }
    for (Logger logger : context.getLoggerList()) {
      for (Iterator<Appender<ILoggingEvent>> all = logger.iteratorForAppenders(); all.hasNext(); ) {
        if (all.next() instanceof OutputStreamAppender<ILoggingEvent> appender) {
          var encoder = new LineEncoder();
          encoder.setContext(context);
          encoder.setFormat(format);
          encoder.start();
          appender.setEncoder(encoder);
        }
      }
    }
  }

  /// From now on no library logs what it carries ([Discretion]), at whatever level. Again has no
  /// effect.
  public static void beDiscreet() {
    LoggerContext context = context();
    if (context != null) {
      synchronized (Logging.class) {
        if (context.getTurboFilterList().stream().noneMatch(Discretion.class::isInstance)) {
          var filter = new Discretion();
          filter.setContext(context);
          filter.start();
          context.addTurboFilter(filter);
        }
      }
    }
  }

  /// From now on what is logged by java.util.logging comes as lines like all others, instead of on
  /// the console in a form of its own. Again has no effect.
  public static void takeJavaUtilLogging() {
    synchronized (Logging.class) {
      java.util.logging.Logger root = LogManager.getLogManager().getLogger("");
      for (Handler handler : root.getHandlers()) {
        if (handler instanceof JulHandler) {
          return;
        }
      }
      for (Handler handler : root.getHandlers()) {
        if (handler instanceof ConsoleHandler) {
          root.removeHandler(handler);
        }
      }
      root.addHandler(new JulHandler());
    }
  }

  /// What `logger` says at least from now on.
  ///
  /// @param logger a package or class; `ROOT` = everything that has no level of its own
  /// @param level one of [#LEVELS], in any case; null = as the logger above it
  /// @throws IllegalArgumentException when the level is none, the root would be without one, or the
  ///   logger is one that prints secrets below INFO
  public static void setLevel(String logger, @Nullable String level) {
    Level parsed = null;
    if (level != null) {
      if (!LEVELS.contains(level.toUpperCase(Locale.ROOT))) {
        throw new IllegalArgumentException("level: one of " + String.join(", ", LEVELS));
      }
      parsed = Level.toLevel(level);
    }
    if (parsed != null && !parsed.isGreaterOrEqual(Level.INFO) && Discretion.isTalkative(logger)) {
      throw new IllegalArgumentException(
          "level: " + logger + " prints what it carries below INFO: INFO, WARN, ERROR, OFF");
    }
    if (parsed == null && logger.equals(org.slf4j.Logger.ROOT_LOGGER_NAME)) {
      throw new IllegalArgumentException("level: " + logger + " must have one");
    }
    LoggerContext context = context();
    if (context != null) {
      context.getLogger(logger).setLevel(parsed);
    }
  }

  /// What `logger` says at least; empty without logback.
  public static String level(String logger) {
    LoggerContext context = context();
    return context == null ? "" : context.getLogger(logger).getEffectiveLevel().toString();
  }

  /// The level of its own that `logger` has; null when it goes by the one above it.
  static @Nullable String ownLevel(String logger) {
    LoggerContext context = context();
    Level own = context == null ? null : context.getLogger(logger).getLevel();
    return own == null ? null : own.toString();
  }

  private static @Nullable LoggerContext context() {
    return LoggerFactory.getILoggerFactory() instanceof LoggerContext context ? context : null;
  }
}
