package io.tern.tools.admin;

import io.tern.accounts.Secret;
import io.tern.edge.admin.AdminCredentials;
import io.tern.edge.admin.AdminCredentials.Credential;
import io.tern.edge.admin.AdminCredentials.Role;
import io.tern.edge.admin.AdminCredentials.Unusable;
import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import io.tern.tools.Json;
import io.tern.tools.OutputOptions;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `tern admin credential`: who may use the admin port. Works on the data folder, whether a server
/// runs on it or not; a running one goes by it at once.
@Command(
    name = "credential",
    description = {
      "Who may use the admin port. Works on the server's data folder, while it runs or not;",
      "what is added is good at once, what is removed is not."
    },
    subcommands = {
      CredentialCommand.Add.class,
      CredentialCommand.ListAll.class,
      CredentialCommand.Remove.class
    })
final class CredentialCommand implements Runnable {

  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Say what to do: a command is missing.");
  }

  /// What all of them have.
  abstract static class Base implements Callable<Integer> {
    @Spec CommandSpec spec;
    @Mixin OutputOptions output;

    @Option(
        names = "--data",
        paramLabel = "DIR",
        required = true,
        description = "The server's data folder.")
    Path data;

    @Override
    public final Integer call() {
      if (!Files.isDirectory(data)) {
        throw new Failure(ExitCode.FAILED, data + " is no folder");
      }
      PrintWriter out = spec.commandLine().getOut();
      try {
        run(AdminCredentials.in(data), out);
        return ExitCode.OK;
      } catch (Unusable e) {
        throw new Failure(ExitCode.USAGE, String.valueOf(e.getMessage()), e);
      } catch (IOException e) {
        throw new Failure(ExitCode.FAILED, String.valueOf(e.getMessage()), e);
      } finally {
        out.flush();
      }
    }

    abstract void run(AdminCredentials credentials, PrintWriter out) throws IOException, Unusable;
  }

  @Command(name = "add", description = "Make a credential; its secret is printed this once.")
  static final class Add extends Base {
    @Parameters(paramLabel = "NAME", description = "What the audit log calls who has it.")
    private String name;

    @Option(
        names = "--role",
        paramLabel = "read|act",
        defaultValue = "read",
        description = "What it may do: look, or also change things (default: ${DEFAULT-VALUE}).")
    private Role role;

    @Override
    void run(AdminCredentials credentials, PrintWriter out) throws IOException, Unusable {
      Secret secret = credentials.add(name, role, Instant.now(), new SecureRandom());
      out.println(
          output.json
              ? Json.object()
                  .put("name", name)
                  .put("role", word(role))
                  .put("secret", secret.reveal())
                  .toString()
              : secret.reveal());
    }
  }

  @Command(name = "list", description = "Who has a credential.")
  static final class ListAll extends Base {
    @Override
    void run(AdminCredentials credentials, PrintWriter out) throws IOException {
      for (Credential credential : credentials.list()) {
        out.println(
            output.json
                ? Json.object()
                    .put("name", credential.name())
                    .put("role", word(credential.role()))
                    .put("created", credential.created().toString())
                    .toString()
                : "%-32s %-4s %s"
                    .formatted(credential.name(), word(credential.role()), credential.created()));
      }
    }
  }

  @Command(name = "remove", description = "Take a credential away.")
  static final class Remove extends Base {
    @Parameters(paramLabel = "NAME", description = "As list says.")
    private String name;

    @Override
    void run(AdminCredentials credentials, PrintWriter out) throws IOException {
      if (!credentials.remove(name)) {
        throw new Failure(ExitCode.FAILED, "there is no credential called " + name);
      }
      out.println(
          output.json ? Json.object().put("removed", name).toString() : name + " is removed");
    }
  }

  private static String word(Role role) {
    return role.name().toLowerCase(Locale.ROOT);
  }
}
