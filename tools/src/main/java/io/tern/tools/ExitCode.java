package io.tern.tools;

/// What `tern` tells the shell. The same list ends every command's `--help`.
public final class ExitCode {

  public static final int OK = 0;

  /// Something went wrong, or a check found a fault (lost, doubled, out of order).
  public static final int FAILED = 1;

  /// The command line is wrong.
  public static final int USAGE = 2;

  /// No server answers there, or the connection is gone.
  public static final int UNREACHABLE = 3;

  /// The server answered, and refused.
  public static final int REFUSED = 4;

  /// `--timeout` passed before what was waited for came.
  public static final int TIMED_OUT = 5;

  private ExitCode() {}
}
