package io.tern.edge.logging;

/// How a line of the log looks.
public enum LogFormat {
  /// For people: time, level, thread, logger, message, `key=value`; a stack on the lines after it,
  /// each of which begins with a tab.
  TEXT,
  /// For programs: a JSON object (docs/observability.md).
  JSON
}
