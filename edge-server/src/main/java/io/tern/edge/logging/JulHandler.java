package io.tern.edge.logging;

import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.SimpleFormatter;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/// What libraries and the JDK log by java.util.logging, as events like all others: one line each,
/// encoded, and exceptions without their words. Any thread.
final class JulHandler extends Handler {

  private static final String NAMELESS = "java.util.logging";

  private final SimpleFormatter formatter = new SimpleFormatter();

  @Override
  public void publish(LogRecord record) {
    if (!isLoggable(record)) {
      return;
    }
    String name = record.getLoggerName();
    var event =
        LoggerFactory.getLogger(name == null || name.isEmpty() ? NAMELESS : name)
            .makeLoggingEventBuilder(level(record.getLevel().intValue()))
            .setMessage("{}")
            .addArgument(formatter.formatMessage(record));
    if (record.getThrown() != null) {
      event = event.setCause(Wordless.of(record.getThrown()));
    }
    event.log();
  }

  private static Level level(int level) {
    if (level >= java.util.logging.Level.SEVERE.intValue()) {
      return Level.ERROR;
    }
    if (level >= java.util.logging.Level.WARNING.intValue()) {
      return Level.WARN;
    }
    if (level >= java.util.logging.Level.INFO.intValue()) {
      return Level.INFO;
    }
    return level >= java.util.logging.Level.FINE.intValue() ? Level.DEBUG : Level.TRACE;
  }

  @Override
  public void flush() {}

  @Override
  public void close() {}
}
