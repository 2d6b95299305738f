package io.tern.edge.logging;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.logging.ConsoleHandler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

class JulHandlerTest {

  private static final String NAME = "org.other.JulLibrary";

  private final Logger logger = (Logger) LoggerFactory.getLogger(NAME);
  private final ListAppender<ILoggingEvent> events = new ListAppender<>();

  @BeforeEach
  void listen() {
    events.start();
    logger.addAppender(events);
    Logging.takeJavaUtilLogging();
    Logging.takeJavaUtilLogging();
  }

  @AfterEach
  void stop() {
    logger.detachAppender(events);
  }

  @Test
  void whatIsLoggedThereIsAnEventOfTheSameLoggerAndLevel() {
    var jul = java.util.logging.Logger.getLogger(NAME);
    jul.log(Level.WARNING, "{0} of {1}", new Object[] {1, "two"});
    jul.severe("worse");
    jul.info("fine");
    jul.fine("not told");

    assertThat(events.list)
        .extracting(event -> event.getLevel() + " " + event.getFormattedMessage())
        .containsExactly("WARN 1 of two", "ERROR worse", "INFO fine");
  }

  @Test
  void anExceptionComesWithoutItsWordsAndAnEventIsOneLine() {
    java.util.logging.Logger.getLogger(NAME)
        .log(Level.SEVERE, "failed\r\n\u001b[31mred", new IllegalStateException("pin is 90210"));

    var encoder = new LineEncoder();
    encoder.setFormat(LogFormat.JSON);
    String line = new String(encoder.encode(events.list.getFirst()), StandardCharsets.UTF_8);
    assertThat(line)
        .contains("failed\\r\\n\\u001b[31mred", "java.lang.IllegalStateException")
        .doesNotContain("90210")
        .hasLineCount(1);
  }

  @Test
  void nothingElseWritesItToTheConsole() {
    var handlers = LogManager.getLogManager().getLogger("").getHandlers();
    assertThat(Arrays.stream(handlers).filter(JulHandler.class::isInstance)).hasSize(1);
    assertThat(Arrays.stream(handlers).filter(ConsoleHandler.class::isInstance)).isEmpty();
  }
}
