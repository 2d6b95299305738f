package io.tern.tools;

import picocli.CommandLine.Option;

/// To whom a command sends.
final class RecipientOption {

  @Option(
      names = {"-t", "--to"},
      paramLabel = "NAME",
      required = true,
      description = "Who shall get it, or +GROUP.")
  private String to;

  /// As it was typed.
  String name() {
    return to;
  }
}
