package io.tern.tools.admin;

import io.tern.tools.TerminalText;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `tern admin certificates`: what each door with TLS shows.
@Command(
    name = "certificates",
    description = "What each door with TLS shows; with --reload the files are looked at first.")
final class CertificatesCommand extends AdminBase {

  @Option(names = "--reload", description = "Look at the certificate's files now.")
  private boolean reload;

  @Override
  protected void run(PrintWriter out) throws IOException {
    if (reload) {
      Map<String, @Nullable Object> looked = ask("POST", "/v1/certificates/reload", null);
      String outcome = text(looked, "outcome");
      print(
          out,
          json(looked),
          switch (outcome) {
            case "taken" -> "taken up: " + text(looked, "fingerprint");
            case "unchanged" -> "unchanged: " + text(looked, "fingerprint");
            default -> "no door has TLS";
          });
      return;
    }
    for (Map<String, @Nullable Object> door :
        objects(ask("GET", "/v1/certificates", null), "doors")) {
      Map<String, @Nullable Object> certificate = object(door, "certificate");
      print(
          out,
          json(door),
          text(door, "door")
              + "\t"
              + text(door, "address")
              + "\t"
              + names(certificate)
              + "\tuntil "
              + time(number(certificate, "not_after_ms"))
              + "\t"
              + text(certificate, "fingerprint")
              + (flag(certificate, "development") ? "\tdevelopment" : ""));
    }
  }

  private static String names(Map<String, @Nullable Object> certificate) {
    return certificate.get("names") instanceof List<?> names && !names.isEmpty()
        ? String.join(
            " ", names.stream().map(name -> TerminalText.line(String.valueOf(name))).toList())
        : text(certificate, "subject");
  }
}
