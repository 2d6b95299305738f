package io.tern.edge;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxy;
import ch.qos.logback.core.AppenderBase;
import io.tern.edge.logging.LineEncoder;
import io.tern.edge.logging.LogFormat;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Values that must be found nowhere, and where they might be: everything that is logged, at every
/// level, and whatever a test adds.
///
/// A value is looked for as it is, in any case, as hex, as base64 (wherever it begins),
/// URL-encoded, and as its SHA-256, SHA-1 and MD5 without a key. Short numbers (codes) only as
/// words of their own, for any six digits come up somewhere.
final class Canaries implements AutoCloseable {

  private static final int KEY = 6;
  private static final int SHORT = 8;

  private final Map<String, String> values = new LinkedHashMap<>();

  /// What is looked for, in lower case, by its first [#KEY] characters.
  private final Map<String, List<Form>> forms = new HashMap<>();

  private final Map<Pattern, String> words = new LinkedHashMap<>();
  private final ConcurrentLinkedQueue<Place> places = new ConcurrentLinkedQueue<>();
  private final Map<ch.qos.logback.classic.Logger, Level> levels = new HashMap<>();
  private final Appender appender = new Appender();

  private record Form(String text, String says) {}

  private record Place(String name, String text) {}

  /// From now on everybody logs everything, here.
  Canaries() {
    var context = (LoggerContext) LoggerFactory.getILoggerFactory();
    for (var logger : context.getLoggerList()) {
      levels.put(logger, logger.getLevel());
      if (!logger.getName().equals(Logger.ROOT_LOGGER_NAME)) {
        logger.setLevel(null);
      }
    }
    var root = context.getLogger(Logger.ROOT_LOGGER_NAME);
    root.setLevel(Level.DEBUG);
    context.getLogger("io.tern").setLevel(Level.TRACE);
    // What is printed besides is the test's own business: it would be hundreds of thousands of
    // lines.
    root.iteratorForAppenders().forEachRemaining(other -> other.addFilter(new OnlyWarnings()));
    appender.setContext(context);
    appender.start();
    root.addAppender(appender);
  }

  private static final class OnlyWarnings extends ch.qos.logback.core.filter.Filter<ILoggingEvent> {
    @Override
    public ch.qos.logback.core.spi.FilterReply decide(ILoggingEvent event) {
      return event.getLevel().isGreaterOrEqual(Level.INFO)
          ? ch.qos.logback.core.spi.FilterReply.NEUTRAL
          : ch.qos.logback.core.spi.FilterReply.DENY;
    }
  }

  private final class Appender extends AppenderBase<ILoggingEvent> {
    private final LineEncoder text = new LineEncoder();
    private final LineEncoder json = new LineEncoder();

    Appender() {
      text.setFormat(LogFormat.TEXT);
      json.setFormat(LogFormat.JSON);
    }

    @Override
    protected void append(ILoggingEvent event) {
      String place = "log of " + event.getLoggerName() + " at " + event.getLevel();
      look(place, new String(text.encode(event), StandardCharsets.UTF_8));
      look(place, new String(json.encode(event), StandardCharsets.UTF_8));
      // And what other encoders would print.
      look(place, event.getFormattedMessage() + " " + event.getThreadName());
      look(place, Arrays.toString(event.getArgumentArray()) + event.getMDCPropertyMap());
      if (event.getThrowableProxy() instanceof ThrowableProxy proxy) {
        look(place, stack(proxy.getThrowable()));
      }
    }
  }

  static String stack(Throwable thrown) {
    var text = new StringWriter();
    thrown.printStackTrace(new PrintWriter(text, true));
    return text.toString();
  }

  /// A text that has come out somewhere.
  void look(String place, String text) {
    places.add(new Place(place, text));
  }

  /// A value that must be nowhere.
  String canary(String name, String value) {
    if (values.put(name, value) != null) {
      throw new IllegalArgumentException("twice: " + name);
    }
    byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
    if (value.length() < SHORT) {
      words.put(
          Pattern.compile("(?<![0-9A-Za-z.:+-])" + Pattern.quote(value) + "(?![0-9A-Za-zµ.:-])"),
          name + " as it is");
    } else {
      form(name, "as it is", value);
      binary(name, bytes);
      form(name, "URL-encoded", URLEncoder.encode(value, StandardCharsets.UTF_8));
    }
    hashes(name, bytes);
    return value;
  }

  /// A value of bytes that must be nowhere.
  void canary(String name, byte[] value) {
    if (values.put(name, "") != null) {
      throw new IllegalArgumentException("twice: " + name);
    }
    binary(name, value);
    hashes(name, value);
  }

  /// A phone number: also without what says that it is one, and how people write it.
  String number(String name, String e164) {
    canary(name, e164);
    form(name, "without +", e164.substring(1));
    form(name, "as at home", "0" + e164.substring(3));
    form(name, "its end", e164.substring(4));
    return e164;
  }

  private void binary(String name, byte[] bytes) {
    form(name, "hex", HexFormat.of().formatHex(bytes));
    form(name, "hex with colons", HexFormat.ofDelimiter(":").formatHex(bytes));
    form(name, "hex with spaces", HexFormat.ofDelimiter(" ").formatHex(bytes));
    for (int shift = 0; shift < 3; shift++) {
      byte[] shifted = new byte[shift + bytes.length];
      System.arraycopy(bytes, 0, shifted, shift, bytes.length);
      for (var encoder : List.of(Base64.getEncoder(), Base64.getUrlEncoder())) {
        String text = encoder.withoutPadding().encodeToString(shifted);
        // Without the characters that neighbours have a part in.
        form(name, "base64", text.substring(shift == 0 ? 0 : shift + 1, text.length() - 1));
      }
    }
  }

  private void hashes(String name, byte[] bytes) {
    for (String algorithm : List.of("SHA-256", "SHA-1", "MD5")) {
      try {
        byte[] hash = MessageDigest.getInstance(algorithm).digest(bytes);
        form(name, algorithm, HexFormat.of().formatHex(hash));
        form(name, algorithm, Base64.getEncoder().withoutPadding().encodeToString(hash));
        form(name, algorithm, Base64.getUrlEncoder().withoutPadding().encodeToString(hash));
      } catch (NoSuchAlgorithmException e) {
        throw new AssertionError(e);
      }
    }
  }

  private void form(String name, String how, String text) {
    String lower = text.toLowerCase(Locale.ROOT);
    if (lower.length() < SHORT) {
      return;
    }
    List<Form> same = forms.computeIfAbsent(lower.substring(0, KEY), key -> new ArrayList<>());
    if (same.stream().noneMatch(form -> form.text.equals(lower))) {
      same.add(new Form(lower, name + ", " + how));
    }
  }

  /// Whether somebody logged this.
  boolean said(String text) {
    return places.stream().anyMatch(place -> place.text.contains(text));
  }

  int places() {
    return places.size();
  }

  /// Everything that was found somewhere.
  Set<String> found() {
    var found = new TreeSet<String>();
    for (Place place : places) {
      find(place, found);
    }
    return found;
  }

  private void find(Place place, Set<String> found) {
    String lower = place.text.toLowerCase(Locale.ROOT);
    for (int i = 0; i + KEY <= lower.length(); i++) {
      List<Form> candidates = forms.get(lower.substring(i, i + KEY));
      if (candidates != null) {
        for (Form form : candidates) {
          if (lower.startsWith(form.text, i)) {
            found.add(form.says + " in " + place.name + ": " + shown(place.text, i));
          }
        }
      }
    }
    words.forEach((word, says) -> {
      var match = word.matcher(place.text);
      if (match.find()) {
        found.add(says + " in " + place.name + ": " + shown(place.text, match.start()));
      }
    });
  }

  private static String shown(String text, int at) {
    return text.substring(Math.max(0, at - 100), Math.min(text.length(), at + 200))
        .replace('\n', ' ');
  }

  /// Everybody logs as before.
  @Override
  public void close() {
    var context = (LoggerContext) LoggerFactory.getILoggerFactory();
    var root = context.getLogger(Logger.ROOT_LOGGER_NAME);
    root.detachAppender(appender);
    appender.stop();
    root.iteratorForAppenders().forEachRemaining(other -> other.clearAllFilters());
    for (var logger : context.getLoggerList()) {
      logger.setLevel(levels.get(logger));
    }
  }
}
