package io.tern.tools.chat;

/// Where a chat is shown: lines that scroll away, and one line that stays. Any thread.
interface Screen {

  /// One line below the last, above what is being typed.
  void print(String line);

  /// Replaces the line that stays. Does nothing where there is none.
  void status(String line);

  /// Whether there is a line that stays; without one, what it would say is printed.
  boolean hasStatus();
}
