package io.tern.tools.admin;

import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `tern admin`: its subcommands ask the admin port ([AdminBase]), but for `credential`, which
/// works on the data folder.
@Command(
    name = "admin",
    description = {
      "Operate a server: stats, drain, users, bans, sessions, keys, log levels, certificates, and what",
      "administrators did (docs/admin.md).",
      "Needs a credential: tern admin credential add NAME --role act --data DIR, its secret in",
      "TERN_ADMIN_SECRET or a file."
    },
    subcommands = {
      StatsCommand.class,
      DrainCommand.class,
      UsersCommand.class,
      SessionsCommand.class,
      KeysCommand.class,
      LogLevelCommand.class,
      CertificatesCommand.class,
      AuditCommand.class,
      WhoAmICommand.class,
      CredentialCommand.class
    })
public final class AdminCommand implements Runnable {

  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "Say what to do: a command is missing.");
  }
}
