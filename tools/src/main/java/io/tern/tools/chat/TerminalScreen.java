package io.tern.tools.chat;

import java.util.List;
import org.jline.reader.LineReader;
import org.jline.terminal.Terminal;
import org.jline.utils.AttributedString;
import org.jline.utils.AttributedStyle;
import org.jline.utils.Status;
import org.jspecify.annotations.Nullable;

/// A terminal through JLine: lines go above the prompt, and the last row stays where the terminal
/// can do that. JLine locks for itself.
final class TerminalScreen implements Screen {

  private final LineReader reader;
  private final @Nullable Status status;

  TerminalScreen(Terminal terminal, LineReader reader) {
    this.reader = reader;
    this.status =
        terminal.getType().startsWith(Terminal.TYPE_DUMB) ? null : Status.getStatus(terminal);
  }

  @Override
  public void print(String line) {
    reader.printAbove(line);
  }

  @Override
  public void status(String line) {
    if (status != null) {
      status.update(
          List.of(
              new AttributedString(
                  line, AttributedStyle.DEFAULT.foreground(AttributedStyle.CYAN))));
    }
  }

  @Override
  public boolean hasStatus() {
    return status != null;
  }
}
