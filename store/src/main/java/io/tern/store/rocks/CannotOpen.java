package io.tern.store.rocks;

import java.nio.file.Path;

/// The data folder will not be opened. The message is one line for a person: which folder, what is
/// wrong, and what they can do.
public final class CannotOpen extends RuntimeException {
  private static final long serialVersionUID = 1;

  CannotOpen(Path folder, String why) {
    super(folder + ": " + why);
  }

  CannotOpen(Path folder, String why, Throwable cause) {
    super(folder + ": " + why, cause);
  }
}
