package io.tern.tools.account;

import io.tern.client.TernException;
import io.tern.client.account.AccountApi;
import io.tern.client.account.AccountTokens;
import io.tern.client.account.Credentials;
import io.tern.client.account.CredentialsFile;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import io.tern.tools.HttpCommand;
import io.tern.tools.Json;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jline.reader.EndOfFileException;
import org.jline.reader.LineReaderBuilder;
import org.jline.reader.UserInterruptException;
import org.jline.terminal.TerminalBuilder;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `tern account`: each subcommand asks the server's `/v1` one thing.
@Command(
    name = "account",
    description = {
      "Your account: register by phone number, link devices, name, PIN, number, deletion.",
      "tern chat --account FILE and the other commands use it in place of --user."
    },
    subcommands = {
      AccountCommand.Register.class,
      AccountCommand.Verify.class,
      AccountCommand.Link.class,
      AccountCommand.Devices.class,
      AccountCommand.Revoke.class,
      AccountCommand.Profile.class,
      AccountCommand.Pin.class,
      AccountCommand.ChangeNumber.class,
      AccountCommand.RecoveryKey.class,
      AccountCommand.Recover.class,
      AccountCommand.Export.class,
      AccountCommand.Delete.class
    })
public final class AccountCommand implements Runnable {

  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Say what to do: a command is missing.");
  }

  /// What a device that comes in is called.
  static final class DeviceName {
    @Option(
        names = "--device-name",
        paramLabel = "NAME",
        defaultValue = "tern",
        description = "What this device is called (default: ${DEFAULT-VALUE}).")
    private String name;
  }

  /// What somebody with the number alone does not know.
  static final class AccountPin {
    @Option(
        names = "--pin",
        paramLabel = "PIN",
        interactive = true,
        arity = "0..1",
        description = "The account's PIN, where it has one; without a value it is asked for.")
    private @Nullable String value;
  }

  /// What all of them have.
  abstract static class Base extends HttpCommand {
    @Mixin AccountOptions options;

    @Override
    protected final String where() {
      return options.server();
    }

    @Override
    protected final String explain(TernException refused) {
      ErrorCode code = refused.code();
      String detail = String.valueOf(refused.getMessage());
      if (code == ErrorCode.REVOKED) {
        return "this device is not part of the account any more";
      }
      if (code == ErrorCode.TOKEN_INVALID) {
        return "the server does not know this device";
      }
      if (code == ErrorCode.NOT_ALLOWED && detail.endsWith(": code")) {
        return "that is not the code";
      }
      if (code == ErrorCode.NOT_ALLOWED && detail.endsWith(": pin")) {
        return "the account has another PIN" + later(refused);
      }
      if (code == ErrorCode.ARGUMENT && detail.endsWith(": number")) {
        return "this is no phone number; write it with + and the country's code: +12025550123";
      }
      return "the server refused: " + detail + later(refused);
    }

    /// A newcomer takes nobody's place.
    void requireNoAccount() {
      if (Files.exists(options.path())) {
        throw new Failure(
            ExitCode.USAGE,
            "there is an account in " + options.path() + "; --account names another");
      }
    }

    /// Asks in the name of this device.
    Map<String, @Nullable Object> ask(String method, String path, @Nullable Map<String, ?> body)
        throws IOException {
      try (AccountTokens tokens = options.tokens()) {
        Credentials mine = tokens.credentials();
        return new AccountApi(mine.server(), mine.pin()).ask(method, path, mine.token(), body);
      }
    }
  }

  private static long number(Map<String, @Nullable Object> answer, String key) {
    return answer.get(key) instanceof Long number ? number : 0;
  }

  private static String text(Map<String, @Nullable Object> answer, String key) {
    return answer.get(key) instanceof String text ? text : "";
  }

  private static String time(long millis) {
    return millis == 0 ? "never" : Instant.ofEpochMilli(millis).toString();
  }

  /// A request for a code that has not come yet: one value a line, for the next command.
  private record Pending(String use, String number, String request, String device, String name) {

    void save(Path file) throws IOException {
      Files.writeString(file, String.join("\n", use, number, request, device, name));
    }

    static Pending load(Path file, String use) throws IOException {
      if (Files.exists(file)) {
        List<String> lines = Files.readAllLines(file);
        if (lines.size() >= 4 && lines.getFirst().equals(use)) {
          return new Pending(
              use, lines.get(1), lines.get(2), lines.get(3), lines.size() > 4 ? lines.get(4) : "");
        }
      }
      throw new Failure(
          ExitCode.USAGE,
          use.equals("register")
              ? "no code was asked for: tern account register NUMBER"
              : "no code was asked for: tern account number NUMBER");
    }
  }

  @Command(
      name = "register",
      description = "Ask for a code by SMS; tern account verify CODE comes in with it.")
  static final class Register extends Base {
    @Parameters(paramLabel = "NUMBER", description = "Your phone number, as +4915112345678.")
    private String number;

    @Option(names = "--name", paramLabel = "NAME", defaultValue = "", description = "Your name.")
    private String name;

    @Mixin private DeviceName device;

    @Override
    protected void run(PrintWriter out) throws IOException {
      requireNoAccount();
      CredentialsFile file = options.file();
      String request = options.api().requestCode(number);
      new Pending("register", number, request, device.name, name).save(options.pending());
      print(
          out,
          Json.object().put("request", request),
          "a code is on its way to "
              + number
              + ": tern account verify CODE (an account in "
              + file.path()
              + ")");
    }
  }

  @Command(name = "verify", description = "Come in with the code that was sent to you.")
  static final class Verify extends Base {
    @Parameters(paramLabel = "CODE", description = "The code.")
    private String code;

    @Mixin private AccountPin pin;

    @Override
    protected void run(PrintWriter out) throws IOException {
      Pending pending = Pending.load(options.pending(), "register");
      AccountApi api = options.api();
      AccountApi.Proved proved = api.verify(pending.number(), pending.request(), code);
      if (proved.pinNeeded() && pin.value == null) {
        out.println("the number has an account with a PIN: tern account verify CODE --pin");
      }
      Credentials mine =
          api.register(
              pending.number(), proved.ticket(), pending.device(), pending.name(), pin.value);
      come(this, out, mine);
      Files.deleteIfExists(options.pending());
    }
  }

  private static void come(Base command, PrintWriter out, Credentials mine) throws IOException {
    CredentialsFile file = command.options.file();
    file.locked(() -> {
      file.save(mine);
      return mine;
    });
    command.print(
        out,
        Json.object()
            .put("user", mine.user().value())
            .put("device", mine.device())
            .put("account", file.path().toString()),
        "you are " + id(mine.user()) + ", device " + mine.device() + "; proved by " + file.path());
  }

  /// As the other commands take it.
  private static String id(UserId user) {
    return "@" + user;
  }

  @Command(
      name = "link",
      description = {
        "Without TEXT: show a QR code, by which a device of your account lets this one in.",
        "With TEXT: let in the device that shows it."
      })
  static final class Link extends Base {
    @Parameters(
        paramLabel = "TEXT",
        arity = "0..1",
        description = "What the QR code of the new device says.")
    private @Nullable String scanned;

    @Option(names = "--yes", description = "The digits are the same on both; do not ask.")
    private boolean yes;

    @Mixin private DeviceName device;

    private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(500);

    @Override
    protected void run(PrintWriter out) throws IOException {
      if (scanned == null) {
        join(out);
      } else {
        letIn(out, scanned);
      }
    }

    private void join(PrintWriter out) throws IOException {
      requireNoAccount();
      AccountApi api = options.api();
      AccountApi.Link link = api.openLink(device.name);
      if (!output.json) {
        QrCode.lines(link.text()).forEach(out::println);
      }
      print(out, Json.object().put("link", link.text()), link.text());
      String shown = "";
      while (System.currentTimeMillis() < link.expiresMillis()) {
        AccountApi.LinkStatus status = api.linkStatus(link);
        if (!status.compare().equals(shown)) {
          shown = status.compare();
          print(
              out,
              Json.object().put("compare", shown).put("account", status.accountName()),
              "digits " + shown + ", into the account of '" + status.accountName() + "'");
        }
        if (status.state().equals("refused")) {
          throw new Failure(ExitCode.REFUSED, "the other device said no");
        }
        if (status.state().equals("confirmed")) {
          come(this, out, api.completeLink(link));
          return;
        }
        LockSupport.parkNanos(POLL_NANOS);
      }
      throw new Failure(ExitCode.TIMED_OUT, "nobody confirmed it in time");
    }

    private void letIn(PrintWriter out, String text) throws IOException {
      AccountApi.Link link = AccountApi.Link.of(text);
      if (link == null) {
        throw new Failure(ExitCode.USAGE, "that is not what a link says: tern-link:1:…");
      }
      String path = "/v1/links/" + link.link();
      Map<String, @Nullable Object> claimed =
          ask("POST", path + "/claim", Map.of("key", link.key()));
      String compare = text(claimed, "compare");
      print(
          out,
          Json.object().put("compare", compare).put("device_name", text(claimed, "device_name")),
          "'" + text(claimed, "device_name") + "' wants in; it must show the digits " + compare);
      boolean same = yes || said("Are they the same? (y/n) ");
      ask("POST", path + "/confirm", Map.of("yes", same));
      print(out, Json.object().put("confirmed", same), same ? "let in" : "refused");
    }

    private static boolean said(String question) {
      try (var terminal = TerminalBuilder.builder().system(true).dumb(false).build()) {
        String answer = LineReaderBuilder.builder().terminal(terminal).build().readLine(question);
        return answer.strip().toLowerCase(Locale.ROOT).startsWith("y");
      } catch (IOException e) {
        throw new Failure(
            ExitCode.USAGE, "nobody to ask here: --yes says that they are the same", e);
      } catch (EndOfFileException | UserInterruptException e) {
        return false;
      }
    }
  }

  @Command(name = "devices", description = "The devices of the account.")
  static final class Devices extends Base {
    @Override
    protected void run(PrintWriter out) throws IOException {
      if (!(ask("GET", "/v1/devices", null).get("devices") instanceof List<?> devices)) {
        return;
      }
      for (Object item : devices) {
        @SuppressWarnings("unchecked")
        var device = (Map<String, @Nullable Object>) item;
        boolean current = Boolean.TRUE.equals(device.get("current"));
        print(
            out,
            Json.object()
                .put("device", number(device, "device"))
                .put("name", text(device, "name"))
                .put("created", time(number(device, "created_ms")))
                .put("last_used", time(number(device, "last_used_ms")))
                .put("current", current),
            number(device, "device")
                + "\t"
                + text(device, "name")
                + "\tsince "
                + time(number(device, "created_ms"))
                + (current ? "\tthis one" : ""));
      }
    }
  }

  @Command(name = "revoke", description = "Put a device out of the account.")
  static final class Revoke extends Base {
    @Parameters(paramLabel = "N", description = "The device's number; one's own logs out.")
    private int device;

    @Override
    protected void run(PrintWriter out) throws IOException {
      ask("DELETE", "/v1/devices/" + device, null);
      print(out, Json.object().put("revoked", device), "device " + device + " is out");
    }
  }

  @Command(name = "profile", description = "Show or change your name and what you say about you.")
  static final class Profile extends Base {
    @Option(names = "--name", paramLabel = "NAME", description = "Your name from now on.")
    private @Nullable String name;

    @Option(names = "--about", paramLabel = "TEXT", description = "A line about you.")
    private @Nullable String about;

    @Option(
        names = "--username",
        paramLabel = "NAME",
        description = "By which you can be found; '' gives it up.")
    private @Nullable String username;

    @Override
    protected void run(PrintWriter out) throws IOException {
      var change = new LinkedHashMap<String, Object>();
      if (name != null) {
        change.put("name", name);
      }
      if (about != null) {
        change.put("about", about);
      }
      if (!change.isEmpty()) {
        ask("PATCH", "/v1/profile", change);
      }
      if (username != null) {
        if (username.isEmpty()) {
          ask("DELETE", "/v1/username", null);
        } else {
          ask("PUT", "/v1/username", Map.of("username", username));
        }
      }
      Map<String, @Nullable Object> profile = ask("GET", "/v1/profile", null);
      print(
          out,
          Json.object()
              .put("user", number(profile, "user"))
              .put("name", text(profile, "name"))
              .put("about", text(profile, "about"))
              .put("username", text(profile, "username"))
              .put("number", text(profile, "number"))
              .put("registered_ms", number(profile, "registered_ms")),
          id(new UserId(number(profile, "user")))
              + "\t"
              + text(profile, "name")
              + "\t"
              + text(profile, "about")
              + "\t"
              + text(profile, "username")
              + "\t"
              + text(profile, "number"));
    }
  }

  @Command(name = "pin", description = "Set, change or remove the registration PIN.")
  static final class Pin extends Base {
    @Option(
        names = "--set",
        paramLabel = "PIN",
        interactive = true,
        arity = "0..1",
        description = "The PIN from now on; without a value it is asked for.")
    private @Nullable String pin;

    @Option(
        names = "--old",
        paramLabel = "PIN",
        interactive = true,
        arity = "0..1",
        description = "The PIN so far, where there is one.")
    private @Nullable String old;

    @Option(names = "--remove", description = "From now on there is none.")
    private boolean remove;

    @Override
    protected void run(PrintWriter out) throws IOException {
      if (remove == (pin != null)) {
        throw new ParameterException(spec.commandLine(), "--set or --remove");
      }
      if (pin != null) {
        var body = new LinkedHashMap<String, Object>();
        body.put("pin", pin);
        if (old != null) {
          body.put("old", old);
        }
        ask("PUT", "/v1/pin", body);
      } else {
        ask("POST", "/v1/pin/remove", Map.of("old", old == null ? "" : old));
      }
      print(out, Json.object().put("pin", !remove), remove ? "no PIN any more" : "the PIN is set");
    }
  }

  @Command(
      name = "number",
      description = "Move the account to another number: first NUMBER, then --code CODE.")
  static final class ChangeNumber extends Base {
    @Parameters(paramLabel = "NUMBER", arity = "0..1", description = "The new number.")
    private @Nullable String number;

    @Option(names = "--code", paramLabel = "CODE", description = "The code that came to it.")
    private @Nullable String code;

    @Mixin private AccountPin pin;

    @Override
    protected void run(PrintWriter out) throws IOException {
      if ((number == null) == (code == null)) {
        throw new ParameterException(spec.commandLine(), "NUMBER or --code CODE");
      }
      Credentials mine = options.file().load();
      var api = new AccountApi(mine.server(), mine.pin());
      if (number != null) {
        new Pending("number", number, api.requestCode(number), "", "").save(options.pending());
        print(
            out,
            Json.object().put("number", number),
            "a code is on its way to " + number + ": tern account number --code CODE");
        return;
      }
      Pending pending = Pending.load(options.pending(), "number");
      AccountApi.Proved proved =
          api.verify(pending.number(), pending.request(), String.valueOf(code));
      var body = new LinkedHashMap<String, Object>();
      body.put("number", pending.number());
      body.put("ticket", proved.ticket());
      if (pin.value != null) {
        body.put("pin", pin.value);
      }
      ask("POST", "/v1/number", body);
      CredentialsFile file = options.file();
      file.locked(() -> {
        file.save(file.load().withNumber(pending.number()));
        return true;
      });
      Files.deleteIfExists(options.pending());
      print(
          out,
          Json.object().put("number", pending.number()),
          "the account's number is " + pending.number());
    }
  }

  @Command(
      name = "recovery-key",
      description = "Make a key by which you come in without your number. Keep it on paper.")
  static final class RecoveryKey extends Base {
    @Mixin private AccountPin pin;

    @Override
    protected void run(PrintWriter out) throws IOException {
      Map<String, String> body = pin.value == null ? null : Map.of("pin", pin.value);
      String key = text(ask("POST", "/v1/recovery/key", body), "key");
      print(out, Json.object().put("key", key), key);
    }
  }

  @Command(name = "recover", description = "Come in with the recovery key.")
  static final class Recover extends Base {
    @Parameters(paramLabel = "USER", description = "Your user id: @… or a number.")
    private String user;

    @Option(
        names = "--key",
        paramLabel = "KEY",
        required = true,
        interactive = true,
        arity = "0..1",
        description = "The recovery key; without a value it is asked for.")
    private String key;

    @Mixin private DeviceName device;

    @Override
    protected void run(PrintWriter out) throws IOException {
      UserId id =
          user.startsWith("@") ? io.tern.tools.Names.id(user) : new UserId(Long.parseLong(user));
      come(this, out, options.api().recover(id, key, device.name));
    }
  }

  @Command(name = "export", description = "All that the server has of the account, a JSON a line.")
  static final class Export extends Base {
    @Parameters(paramLabel = "FILE", description = "Where it goes.")
    private Path to;

    @Override
    protected void run(PrintWriter out) throws IOException {
      long lines = 0;
      try (AccountTokens tokens = options.tokens()) {
        Credentials mine = tokens.credentials();
        try (InputStream in =
                new AccountApi(mine.server(), mine.pin()).stream("/v1/export", mine.token());
            OutputStream file = Files.newOutputStream(to)) {
          byte[] buffer = new byte[16 * 1024];
          for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
            file.write(buffer, 0, n);
            for (int i = 0; i < n; i++) {
              lines += buffer[i] == '\n' ? 1 : 0;
            }
          }
        }
      }
      print(out, Json.object().put("lines", lines), lines + " lines in " + to);
    }
  }

  @Command(name = "delete", description = "Delete the account for good.")
  static final class Delete extends Base {
    @Option(names = "--yes", required = true, description = "It cannot be undone.")
    private boolean yes;

    @Mixin private AccountPin pin;

    @Override
    protected void run(PrintWriter out) throws IOException {
      ask("POST", "/v1/account/delete", pin.value == null ? Map.of() : Map.of("pin", pin.value));
      options.file().delete();
      print(out, Json.object().put("deleted", yes), "the account is deleted");
    }
  }
}
