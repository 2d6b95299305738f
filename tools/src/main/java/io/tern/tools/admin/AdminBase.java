package io.tern.tools.admin;

import io.tern.client.TernException;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import io.tern.tools.HttpCommand;
import io.tern.tools.Json;
import io.tern.tools.Names;
import io.tern.tools.TerminalText;
import java.io.IOException;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;

/// A command that asks the admin port: address, credential, answers as lines or as JSON, refusals
/// in words. Confined to one thread.
public abstract class AdminBase extends HttpCommand {

  /// Ends of bans for good are told as this number.
  private static final long FOR_GOOD = (1L << 53) - 1;

  private static final Pattern LENGTH = Pattern.compile("(0|[1-9][0-9]{0,7})(ms|s|m|h|d)");

  @Mixin protected AdminOptions options;

  @Override
  protected final String where() {
    return options.where();
  }

  /// Asks the admin port.
  ///
  /// @param body null = none
  protected final Map<String, @Nullable Object> ask(
      String method, String path, @Nullable Map<String, ?> body) throws IOException {
    return options.api().ask(method, path, options.secret(), body);
  }

  @Override
  protected final String explain(TernException refused) {
    String detail = String.valueOf(refused.getMessage());
    ErrorCode code = refused.code();
    if (code == ErrorCode.TOKEN_INVALID || code == ErrorCode.IDENTITY_REQUIRED) {
      return "that credential is not good there: tern admin credential list shows which are";
    }
    if (code == ErrorCode.NOT_ALLOWED) {
      return "that credential may only look: tern admin credential add --role act makes one that"
          + " may act";
    }
    if (code == ErrorCode.NOT_FOUND && detail.matches(".*: (user|number|username|device)")) {
      return "there is no such " + (detail.endsWith(": device") ? "device" : "user");
    }
    if (code == ErrorCode.NOT_FOUND && detail.endsWith(": seq")) {
      return "there is no such entry";
    }
    if (code == ErrorCode.NOT_FOUND && detail.endsWith(": session")) {
      return "that device has no live session";
    }
    if (code == ErrorCode.CONFLICT && detail.endsWith(": drain")) {
      return "a drain is under way: tern admin drain --status, --cancel";
    }
    if (code == ErrorCode.BUSY && detail.endsWith(": audit")) {
      return "nothing was done or shown: the server cannot write its audit log";
    }
    return "the server refused: " + detail + later(refused);
  }

  /// The path of a user: `@ID` as the other commands write it, a number with `+`, the decimal id,
  /// or a username.
  protected final String userPath(String user) throws IOException {
    if (user.startsWith("@")) {
      return "/v1/users/" + Names.id(user).value();
    }
    if (user.matches("[1-9][0-9]{0,14}")) {
      return "/v1/users/" + user;
    }
    Map<String, @Nullable Object> found =
        ask("POST", "/v1/users/find", Map.of(user.startsWith("+") ? "number" : "username", user));
    return "/v1/users/" + number(found, "user");
  }

  // ---- answers ---------------------------------------------------------------------------------

  protected static long number(Map<String, @Nullable Object> answer, String key) {
    return answer.get(key) instanceof Long number ? number : 0;
  }

  /// A text of the answer, safe to print.
  protected static String text(Map<String, @Nullable Object> answer, String key) {
    return answer.get(key) instanceof String text ? TerminalText.line(text) : "";
  }

  protected static boolean flag(Map<String, @Nullable Object> answer, String key) {
    return Boolean.TRUE.equals(answer.get(key));
  }

  /// A number with a fraction.
  protected static double decimal(Map<String, @Nullable Object> answer, String key) {
    return answer.get(key) instanceof Number number ? number.doubleValue() : 0;
  }

  /// An object within the answer.
  @SuppressWarnings("unchecked")
  protected static Map<String, @Nullable Object> object(
      Map<String, @Nullable Object> answer, String key) {
    return answer.get(key) instanceof Map<?, ?> map
        ? (Map<String, @Nullable Object>) map
        : Map.of();
  }

  /// The objects of a list of the answer.
  @SuppressWarnings("unchecked")
  protected static List<Map<String, @Nullable Object>> objects(
      Map<String, @Nullable Object> answer, String key) {
    return answer.get(key) instanceof List<?> list
        ? list.stream()
            .filter(Map.class::isInstance)
            .map(item -> (Map<String, @Nullable Object>) item)
            .toList()
        : List.of();
  }

  /// A length of time as operators write it, in milliseconds.
  protected static long millis(String option, String length) {
    Matcher matcher = LENGTH.matcher(length);
    if (!matcher.matches()) {
      throw new Failure(ExitCode.USAGE, option + ": as 500ms, 30s, 10m, 12h or 7d");
    }
    long n = Long.parseLong(matcher.group(1));
    return switch (matcher.group(2)) {
      case "ms" -> n;
      case "s" -> n * 1_000;
      case "m" -> n * 60_000;
      case "h" -> n * 3_600_000;
      default -> n * 86_400_000;
    };
  }

  protected static String time(long millis) {
    return millis == 0
        ? "never"
        : millis >= FOR_GOOD ? "for good" : Instant.ofEpochMilli(millis).toString();
  }

  /// As the other commands take it.
  protected static String id(long user) {
    return UserId.isValid(user) ? "@" + new UserId(user) : Long.toString(user);
  }

  /// An answer as it came.
  @SuppressWarnings("unchecked")
  protected static Json json(Map<String, @Nullable Object> answer) {
    Json json = Json.object();
    answer.forEach((key, value) -> {
      switch (value) {
        case Long number -> json.put(key, number);
        case Double number -> json.put(key, number);
        case Boolean flag -> json.put(key, flag);
        case String text -> json.put(key, text);
        case Map<?, ?> map -> json.put(key, json((Map<String, @Nullable Object>) map));
        case List<?> list
            when list.stream().allMatch(String.class::isInstance) && !list.isEmpty() ->
            json.putStrings(key, (List<String>) list);
        case List<?> _ ->
            json.put(key, objects(answer, key).stream().map(AdminBase::json).toList());
        case null -> json.put(key, (String) null);
        default -> json.put(key, value.toString());
      }
    });
    return json;
  }
}
