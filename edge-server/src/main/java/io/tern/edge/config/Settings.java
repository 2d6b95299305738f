package io.tern.edge.config;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigException;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigParseOptions;
import com.typesafe.config.ConfigUtil;
import com.typesafe.config.ConfigValue;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Reads and checks single values: whatever is wrong with one becomes a [ConfigProblem] that names
/// it. Confined to the start of the process.
final class Settings {

  /// Below this path keys are the operator's own.
  private static final String OPEN = "auth.keys";

  private final Config config;

  private Settings(Config config) {
    this.config = config;
  }

  /// The defaults, overridden by `file`, overridden by `set`.
  static Settings load(@Nullable Path file, Map<String, String> set) {
    Config defaults =
        ConfigFactory.parseResources(
            Settings.class, "reference.conf", ConfigParseOptions.defaults().setAllowMissing(false));
    Config config = defaults;
    if (file != null) {
      config = checked(read(file), defaults, file.toString()).withFallback(config);
    }
    for (var entry : set.entrySet()) {
      config =
          checked(parse(entry.getKey(), entry.getValue()), defaults, "--set").withFallback(config);
    }
    try {
      return new Settings(config.resolve());
    } catch (ConfigException e) {
      throw new ConfigProblem(oneLine(e));
    }
  }

  private static Config read(Path file) {
    if (Files.isDirectory(file) || !Files.isReadable(file)) {
      throw new ConfigProblem("--config = " + file + ": must be a readable file");
    }
    try {
      return ConfigFactory.parseFile(
          file.toFile(), ConfigParseOptions.defaults().setAllowMissing(false));
    } catch (ConfigException e) {
      throw new ConfigProblem(oneLine(e));
    }
  }

  /// A value is HOCON where it parses, and text where it does not (`127.0.0.1:0` would not).
  private static Config parse(String key, String value) {
    try {
      ConfigUtil.splitPath(key);
    } catch (ConfigException e) {
      throw new ConfigProblem("--set " + key + ": not a key");
    }
    try {
      return ConfigFactory.parseString(key + " = " + value);
    } catch (ConfigException e) {
      return ConfigFactory.parseMap(Map.of(key, value));
    }
  }

  /// Every key must be one of `defaults`.
  private static Config checked(Config given, Config defaults, String source) {
    for (var entry : given.entrySet()) {
      String key = entry.getKey();
      if (key.startsWith(OPEN + ".") || defaults.hasPath(key)) {
        continue;
      }
      String parent = key;
      while (!parent.isEmpty() && !defaults.hasPath(parent)) {
        parent = parent.substring(0, Math.max(0, parent.lastIndexOf('.')));
      }
      String nearest = Nearest.to(key, defaults.entrySet().stream().map(Map.Entry::getKey));
      throw new ConfigProblem(
          source
              + ": no key "
              + key
              + (nearest == null ? "; there are " : "; did you mean " + nearest + "? There are ")
              + (parent.isEmpty() ? names(defaults) : names(defaults, parent)));
    }
    return given;
  }

  private static String names(Config config) {
    return String.join(", ", config.root().keySet().stream().sorted().toList());
  }

  private static String names(Config config, String parent) {
    ConfigValue value = config.getValue(parent);
    if (value instanceof com.typesafe.config.ConfigObject object) {
      return parent + ".{" + String.join(", ", object.keySet().stream().sorted().toList()) + "}";
    }
    return parent;
  }

  private static String oneLine(ConfigException e) {
    return Objects.requireNonNullElse(e.getMessage(), e.toString()).replace('\n', ' ');
  }

  // ---- values ----------------------------------------------------------------------------------

  String text(String key) {
    try {
      String value = config.getString(key);
      if (value.isBlank()) {
        throw ConfigProblem.of(key, "\"\"", "some text");
      }
      return value;
    } catch (ConfigException e) {
      throw ConfigProblem.of(key, shown(key), "text");
    }
  }

  /// Text that may be empty.
  String textOrEmpty(String key) {
    try {
      return config.getString(key).strip();
    } catch (ConfigException e) {
      throw ConfigProblem.of(key, shown(key), "text, or \"\"");
    }
  }

  /// A list of texts, or some separated by commas; may be empty.
  List<String> texts(String key) {
    List<String> texts;
    try {
      texts = config.getStringList(key);
    } catch (ConfigException e) {
      texts = List.of(textOrEmpty(key).split(","));
    }
    return texts.stream().map(String::strip).filter(text -> !text.isEmpty()).toList();
  }

  /// The first line of the file named; empty when none is.
  String secretIn(String key) {
    String file = textOrEmpty(key);
    if (file.isEmpty()) {
      return "";
    }
    String secret = "";
    try (var lines = Files.lines(Path.of(file))) {
      secret = lines.findFirst().orElse("").strip();
    } catch (IOException | RuntimeException e) {
      // The answer is the same whatever is wrong with the file.
    }
    if (secret.isEmpty()) {
      throw ConfigProblem.of(key, file, "a readable file with the secret as its first line");
    }
    return secret;
  }

  Path path(String key) {
    String value = text(key);
    try {
      return Path.of(value);
    } catch (InvalidPathException e) {
      throw ConfigProblem.of(key, value.replaceAll("\\p{Cntrl}", "?"), "a path");
    }
  }

  int number(String key, int min, int max) {
    String wanted = "a number, " + min + " to " + max;
    long value;
    try {
      value = config.getLong(key);
    } catch (ConfigException e) {
      throw ConfigProblem.of(key, shown(key), wanted);
    }
    if (value < min || value > max) {
      throw ConfigProblem.of(key, value, wanted);
    }
    return (int) value;
  }

  int powerOfTwo(String key, int min, int max) {
    int value = number(key, min, max);
    if (Integer.bitCount(value) != 1) {
      throw ConfigProblem.of(key, value, "a power of two, " + min + " to " + max);
    }
    return value;
  }

  boolean flag(String key) {
    try {
      return config.getBoolean(key);
    } catch (ConfigException e) {
      throw ConfigProblem.of(key, shown(key), "true or false");
    }
  }

  Duration duration(String key, Duration min, Duration max) {
    String wanted = "a time, " + shown(min) + " to " + shown(max);
    Duration value;
    try {
      value = config.getDuration(key);
    } catch (ConfigException e) {
      throw ConfigProblem.of(key, shown(key), wanted);
    }
    if (value.compareTo(min) < 0 || value.compareTo(max) > 0) {
      throw ConfigProblem.of(key, shown(value), wanted);
    }
    return value;
  }

  long bytes(String key, long min, long max) {
    String wanted = "a size, " + shownBytes(min) + " to " + shownBytes(max);
    long value;
    try {
      value = config.getBytes(key);
    } catch (ConfigException e) {
      throw ConfigProblem.of(key, shown(key), wanted);
    }
    if (value < min || value > max) {
      throw ConfigProblem.of(key, shown(key), wanted);
    }
    return value;
  }

  /// One of `words`.
  String word(String key, List<String> words) {
    String value;
    try {
      value = config.getString(key).toLowerCase(Locale.ROOT);
    } catch (ConfigException e) {
      throw ConfigProblem.of(key, shown(key), String.join(", ", words));
    }
    if (!words.contains(value)) {
      throw ConfigProblem.of(key, value, String.join(", ", words));
    }
    return value;
  }

  InetSocketAddress address(String key) {
    return address(key, text(key));
  }

  /// A list of addresses, or one.
  List<InetSocketAddress> addresses(String key) {
    List<String> texts;
    try {
      texts = config.getStringList(key);
    } catch (ConfigException e) {
      texts = List.of(text(key).split(","));
    }
    if (texts.isEmpty()) {
      throw ConfigProblem.of(key, "[]", "at least one HOST:PORT");
    }
    var addresses = new ArrayList<InetSocketAddress>();
    for (String text : texts) {
      addresses.add(address(key, text.strip()));
    }
    return List.copyOf(addresses);
  }

  private static InetSocketAddress address(String key, String text) {
    int colon = text.lastIndexOf(':');
    try {
      String host = text.substring(0, Math.max(colon, 0));
      if (host.startsWith("[") && host.endsWith("]")) {
        host = host.substring(1, host.length() - 1);
      }
      int port = Integer.parseInt(text.substring(colon + 1));
      if (host.isEmpty() || port < 0 || port > 65_535) {
        throw ConfigProblem.of(key, text, "HOST:PORT, port 0 to 65535");
      }
      var address = new InetSocketAddress(host, port);
      if (address.isUnresolved()) {
        throw ConfigProblem.of(key, text, "a host that this machine can resolve");
      }
      return address;
    } catch (NumberFormatException e) {
      throw ConfigProblem.of(key, text, "HOST:PORT, port 0 to 65535");
    }
  }

  /// As [#addresses], but there may be none.
  List<InetSocketAddress> addressesOrNone(String key) {
    return words(key).stream().map(text -> address(key, text)).toList();
  }

  /// A list of texts, which may be empty; also as one text with commas.
  List<String> words(String key) {
    try {
      return config.getStringList(key).stream().map(String::strip).toList();
    } catch (ConfigException e) {
      String value = shown(key).strip();
      return value.isEmpty() ? List.of() : Stream.of(value.split(",")).map(String::strip).toList();
    }
  }

  /// Addresses and networks, `10.0.0.0/8` or `::1`; never names, which may change.
  List<ProxyConfig.Network> networks(String key) {
    var networks = new ArrayList<ProxyConfig.Network>();
    for (String text : words(key)) {
      int slash = text.indexOf('/');
      String host = slash < 0 ? text : text.substring(0, slash);
      try {
        InetAddress address = InetAddress.ofLiteral(host);
        int all = address.getAddress().length * 8;
        int bits = slash < 0 ? all : Integer.parseInt(text.substring(slash + 1));
        if (bits < 0 || bits > all) {
          throw ConfigProblem.of(key, text, "an address or a network such as 10.0.0.0/8");
        }
        networks.add(new ProxyConfig.Network(address, bits));
      } catch (IllegalArgumentException e) {
        throw ConfigProblem.of(key, text, "an address or a network such as 10.0.0.0/8");
      }
    }
    return List.copyOf(networks);
  }

  /// A file that can be read, or null when the value is empty.
  @Nullable Path fileOrNone(String key) {
    String value = shown(key);
    if (value.isBlank()) {
      return null;
    }
    Path file = path(key);
    if (!Files.isRegularFile(file) || !Files.isReadable(file)) {
      throw ConfigProblem.of(key, file, "a readable file");
    }
    return file;
  }

  Map<String, Path> files(String key) {
    var files = new LinkedHashMap<String, Path>();
    for (var entry : config.getConfig(key).entrySet()) {
      String name = String.join(".", ConfigUtil.splitPath(entry.getKey()));
      Path file = Path.of(String.valueOf(entry.getValue().unwrapped()));
      if (!Files.isReadable(file)) {
        throw ConfigProblem.of(key + "." + name, file, "a readable file");
      }
      files.put(name, file);
    }
    return files;
  }

  private String shown(String key) {
    return config.hasPath(key) ? config.getValue(key).unwrapped().toString() : "(nothing)";
  }

  private static String shown(Duration duration) {
    return duration.toMillis() % 1000 == 0
        ? duration.toSeconds() + " s"
        : duration.toMillis() + " ms";
  }

  private static String shownBytes(long bytes) {
    if (bytes >= 1 << 20 && bytes % (1 << 20) == 0) {
      return (bytes >> 20) + " MiB";
    }
    return bytes >= 1024 && bytes % 1024 == 0 ? (bytes >> 10) + " KiB" : bytes + " B";
  }
}
