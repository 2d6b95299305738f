package io.tern.tools;

import io.tern.protocol.ChatId;
import picocli.CommandLine.Option;

/// Which chat a command is about, for those that cannot do without.
final class ChatOption {

  @Option(
      names = {"-w", "--with"},
      paramLabel = "NAME",
      required = true,
      description = "Whose chat with you, or +GROUP.")
  private String with;

  /// As it was typed.
  String name() {
    return with;
  }

  ChatId chat(ClientCommand.Session session) {
    return session.chat(with);
  }
}
