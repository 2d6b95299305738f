package io.tern.tools;

import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;

/// Names for people. A development server derives a user's id from their name, and ids do not lead
/// back; so every name somebody typed is kept in a small file, one a line, and ids of unknown
/// people are shown as `@u…`, which may be typed as a name too.
///
/// A chat is named by the other person, a group by `+` and its title or its id (`+friends`,
/// `+g3k9…`): titles are not unique, so programs are told the id.
///
/// Thread-safe. Bounded by what a person types.
public final class Names {

  /// What the name of a group begins with; no shell minds it.
  public static final char GROUP_MARK = '+';

  private static final char ID_MARK = '@';
  private static final int LENGTH_MAX = 64;

  private final Path file;
  private final Map<UserId, String> byId = new HashMap<>();

  public Names(Path file) {
    this.file = file;
    if (Files.exists(file)) {
      try {
        Files.readAllLines(file).stream()
            .filter(name -> !name.isBlank() && name.charAt(0) != ID_MARK)
            .forEach(name -> byId.put(id(name), name));
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  /// The user called `name`.
  public static UserId id(String name) {
    if (name.isBlank() || name.length() > LENGTH_MAX || name.chars().anyMatch(c -> c < ' ')) {
      throw new Failure(
          ExitCode.USAGE, "a name has 1 to " + LENGTH_MAX + " visible characters: '" + name + "'");
    }
    if (name.charAt(0) == GROUP_MARK) {
      throw new Failure(ExitCode.USAGE, "'" + name + "' is a group; a user is wanted here");
    }
    if (name.charAt(0) != ID_MARK) {
      return DevelopmentIssuer.userId(name);
    }
    try {
      long id = Long.parseLong(name.substring(name.startsWith("@u") ? 2 : 1), 36);
      if (UserId.isValid(id)) {
        return new UserId(id);
      }
    } catch (NumberFormatException e) {
      // Said below, as for a number out of range.
    }
    throw new Failure(ExitCode.USAGE, "'" + name + "' is not the id of a user");
  }

  public static boolean isGroup(String name) {
    return !name.isEmpty() && name.charAt(0) == GROUP_MARK;
  }

  /// How to call this chat: the other one, oneself, or the group by its id.
  public String of(ChatId chat, UserId self) {
    return chat.isGroup() ? GROUP_MARK + chat.toString() : of(chat.peerOf(self));
  }

  /// Remembers `name`, also for later commands.
  ///
  /// @throws Failure when it cannot be a name
  public synchronized void learn(String name) {
    if (isGroup(name)) {
      return;
    }
    UserId id = id(name);
    if (name.charAt(0) == ID_MARK || byId.put(id, name) != null) {
      return;
    }
    try {
      Files.createDirectories(file.toAbsolutePath().getParent());
      Files.writeString(file, name + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Calls this user `name` as long as this lives: somebody whose id does not come from their name.
  public synchronized void call(UserId user, String name) {
    byId.put(user, name);
  }

  /// How to call this user.
  public synchronized String of(UserId user) {
    var name = byId.get(user);
    return name == null ? ID_MARK + user.toString() : name;
  }
}
