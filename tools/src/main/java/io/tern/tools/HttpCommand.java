package io.tern.tools;

import io.tern.client.TernException;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// A command that asks a server over HTTP: answers as lines or as JSON, and what goes wrong in
/// words, with the exit code of its kind. Confined to one thread.
public abstract class HttpCommand implements Callable<Integer> {

  @Spec protected CommandSpec spec;
  @Mixin protected OutputOptions output;

  @Override
  public final Integer call() {
    PrintWriter out = spec.commandLine().getOut();
    try {
      run(out);
      return ExitCode.OK;
    } catch (IOException e) {
      // The JDK's client says nothing when nobody listens there.
      String message = e.getMessage();
      throw new Failure(
          ExitCode.UNREACHABLE, message == null ? "nobody answers at " + where() : message, e);
    } catch (TernException e) {
      throw new Failure(ExitCode.REFUSED, explain(e), e);
    } finally {
      out.flush();
    }
  }

  /// Does it, and prints what there is to say.
  protected abstract void run(PrintWriter out) throws IOException;

  /// The server's address, for messages.
  protected abstract String where();

  /// What a refusal means to whoever gave the command.
  protected abstract String explain(TernException refused);

  /// In the form that was asked for.
  public final void print(PrintWriter out, Json json, String line) {
    out.println(output.json ? json.toString() : line);
    out.flush();
  }

  /// When one may try again; empty when that was not said.
  protected static String later(TernException refused) {
    return refused.retryMillis() > 0
        ? "; again in " + Math.ceilDiv(refused.retryMillis(), 1000L) + " s"
        : "";
  }
}
