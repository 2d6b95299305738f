package io.tern.tools;

import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.DeviceId;
import io.tern.protocol.Limits;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `tern token`: a token of the development issuer, for clients that are not this command.
@Command(
    name = "token",
    description = {
      "Print a token for a user and device, signed by the development issuer.",
      "Only servers that accept that issuer take it: by default those on loopback."
    })
final class TokenCommand implements Callable<Integer> {

  @Spec private CommandSpec spec;
  @Mixin private OutputOptions output;

  @Option(
      names = {"-u", "--user"},
      paramLabel = "NAME",
      required = true,
      description = "Whose token.")
  private String user;

  @Option(
      names = "--device",
      paramLabel = "N",
      defaultValue = "1",
      description = "For which device of theirs (default: ${DEFAULT-VALUE}).")
  private int device;

  @Override
  public Integer call() {
    if (!DeviceId.isValid(device)) {
      throw new ParameterException(spec.commandLine(), "--device: 1 to " + Limits.DEVICE_INDEX_MAX);
    }
    var id = Names.id(user);
    var token = new String(DevelopmentIssuer.token(id, device), StandardCharsets.US_ASCII);
    var out = spec.commandLine().getOut();
    if (output.json) {
      out.println(
          Json.object()
              .put("user", user)
              .put("id", id.value())
              .put("device", device)
              .put("token", token));
    } else {
      out.println(token);
    }
    out.flush();
    return ExitCode.OK;
  }
}
