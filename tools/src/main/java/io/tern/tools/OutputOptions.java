package io.tern.tools;

import picocli.CommandLine.Option;

/// In which form a command prints.
public final class OutputOptions {

  @Option(names = "--json", description = "One JSON object a line, for programs.")
  public boolean json;
}
