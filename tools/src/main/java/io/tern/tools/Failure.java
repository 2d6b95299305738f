package io.tern.tools;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;

/// The end of a command that a person can understand: printed as one line, without a stack trace,
/// and the process exits with `exitCode`.
public final class Failure extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final int exitCode;

  public Failure(int exitCode, String message) {
    super(message);
    this.exitCode = exitCode;
  }

  public Failure(int exitCode, String message, Throwable cause) {
    super(message, cause);
    this.exitCode = exitCode;
  }

  public int exitCode() {
    return exitCode;
  }

  /// What a person can use of a file's or a disk's failure: the JDK says of most only which file.
  public static String reason(IOException e) {
    if (e instanceof FileSystemException file && file.getReason() == null) {
      String why =
          switch (file) {
            case NoSuchFileException none -> "there is no such file or folder";
            case AccessDeniedException denied -> "you may not read or write there";
            case FileAlreadyExistsException exists -> "is not a folder";
            case NotDirectoryException no -> "is not a folder";
            default -> "cannot be used";
          };
      return file.getFile() + ": " + why;
    }
    return e.getMessage() == null ? e.toString() : e.getMessage();
  }
}
