package io.tern.edge.logging;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.LongSupplier;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The levels of loggers as an operator sets them while the server runs, for a time if wanted. Not
/// kept over a restart. Any thread; a short lock.
///
/// Bounds: [#SET_MAX] loggers, only those of Tern and [#OTHERS].
public final class LogLevels {

  /// What else may be set.
  public static final List<String> OTHERS =
      List.of(Logger.ROOT_LOGGER_NAME, "io.netty", "com.linecorp.armeria", "org.jsmpp");

  /// Longest time that a level may be set for.
  public static final Duration FOR_MAX = Duration.ofHours(24);

  static final int SET_MAX = 100;

  private static final Pattern TERN = Pattern.compile("io\\.tern(\\.[A-Za-z0-9_$]{1,64}){0,8}");

  private static final Logger log = LoggerFactory.getLogger(LogLevels.class);

  /// One logger that has been set.
  ///
  /// @param level what it says at least
  /// @param untilMillis when it goes back; 0 = not by itself
  public record Setting(String logger, String level, long untilMillis) {}

  /// @param before the level of its own that it had; null = as the logger above it
  private record Was(@Nullable String before, long untilMillis) {}

  private final LongSupplier wallMillis;
  private final Map<String, Was> set = new LinkedHashMap<>();

  public LogLevels(LongSupplier wallMillis) {
    this.wallMillis = wallMillis;
  }

  /// Whether an operator may set this logger's level.
  public static boolean isAllowed(String logger) {
    return OTHERS.contains(logger) || TERN.matcher(logger).matches();
  }

  /// What everything says that is not in [#list].
  public String root() {
    return Logging.level(Logger.ROOT_LOGGER_NAME);
  }

  /// The loggers that have been set, in that order.
  public synchronized List<Setting> list() {
    var settings = new ArrayList<Setting>();
    set.forEach((logger, was) ->
        settings.add(new Setting(logger, Logging.level(logger), was.untilMillis())));
    return List.copyOf(settings);
  }

  /// Sets a level, until [#reset] or for a time. Set again it goes back to what it was at first.
  ///
  /// @param time null for ever
  /// @throws IllegalArgumentException when the logger may not be set, or not to this level, the
  ///   time is not within [#FOR_MAX], or too many are set
  public synchronized Setting set(String logger, String level, @Nullable Duration time) {
    if (!isAllowed(logger)) {
      throw new IllegalArgumentException(
          "logger: one under io.tern, or of " + String.join(", ", OTHERS));
    }
    if (time != null && (time.isNegative() || time.isZero() || time.compareTo(FOR_MAX) > 0)) {
      throw new IllegalArgumentException("for: up to " + FOR_MAX.toHours() + " h");
    }
    Was was = set.get(logger);
    if (was == null && set.size() >= SET_MAX) {
      throw new IllegalArgumentException("logger: " + SET_MAX + " are set already");
    }
    String before = was == null ? Logging.ownLevel(logger) : was.before();
    Logging.setLevel(logger, level);
    long until = time == null ? 0 : wallMillis.getAsLong() + time.toMillis();
    set.put(logger, new Was(before, until));
    log.info(
        "log level of {}: {}{}", logger, Logging.level(logger), time == null ? "" : " for " + time);
    return new Setting(logger, Logging.level(logger), until);
  }

  /// Back to what it was. False when it has not been set.
  public synchronized boolean reset(String logger) {
    Was was = set.remove(logger);
    if (was == null) {
      return false;
    }
    Logging.setLevel(logger, was.before());
    log.info("log level of {}: {} again", logger, Logging.level(logger));
    return true;
  }

  /// Ends what was set for a time that is over; to be called on a timer, every second or so.
  public synchronized void tick() {
    long now = wallMillis.getAsLong();
    List<String> over =
        set.entrySet().stream()
            .filter(one -> one.getValue().untilMillis() != 0 && now >= one.getValue().untilMillis())
            .map(Map.Entry::getKey)
            .toList();
    over.forEach(this::reset);
  }

  /// Everything back to what it was.
  public synchronized void resetAll() {
    List.copyOf(set.keySet()).forEach(this::reset);
  }
}
