package io.tern.tools;

import io.tern.edge.TernServer;
import io.tern.edge.config.ServerConfig;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// A server in this process on a free port, and commands that talk to it.
public final class LiveServer implements AutoCloseable {

  /// What a command printed, and how it ended.
  public record Result(int exitCode, String out, String err) {

    public List<String> lines() {
      return out.lines().toList();
    }
  }

  private final Path folder;
  private final TernServer server;

  public LiveServer(Path folder) throws IOException {
    this(folder, new String[0]);
  }

  /// @param settings key, value, key, value…
  public LiveServer(Path folder, String... settings) throws IOException {
    this.folder = folder;
    var set =
        new HashMap<>(
            Map.of(
                "data", '"' + folder.resolve("data").toString() + '"',
                "net.listen", "[\"127.0.0.1:0\"]",
                "admin.listen", "\"127.0.0.1:0\"",
                "http.listen", "off",
                "limits.send.rate", "0",
                "store.shards", "2"));
    for (int i = 0; i < settings.length; i += 2) {
      set.put(settings[i], settings[i + 1]);
    }
    this.server = TernServer.start(ServerConfig.load(null, set));
  }

  /// Where accounts are.
  public InetSocketAddress http() {
    return Objects.requireNonNull(server.http());
  }

  /// Where operators ask.
  public InetSocketAddress admin() {
    return server.admin();
  }

  public Path data() {
    return server.data();
  }

  /// Of the server's certificate, where it has one.
  public String fingerprint() {
    return Objects.requireNonNull(server.fingerprint());
  }

  public HostPort address() {
    return new HostPort("127.0.0.1", server.listen().getPort());
  }

  /// Options that make a command talk to this server and keep its state beside it.
  public List<String> options() {
    return List.of(
        "--connect", address().toString(), "--state", folder.resolve("state").toString());
  }

  /// Runs a user's command; words are separated by spaces.
  public Result run(String line) {
    var words = new ArrayList<>(List.of(line.split(" ", -1)));
    words.addAll(options());
    return Commands.run(words.toArray(String[]::new));
  }

  @Override
  public void close() {
    server.close();
  }

  /// Runs commands as a shell does.
  public static final class Commands {

    private Commands() {}

    public static Result run(String... words) {
      var out = new StringWriter();
      var err = new StringWriter();
      int exitCode =
          Tern.commandLine()
              .setOut(new PrintWriter(out, true))
              .setErr(new PrintWriter(err, true))
              .execute(words);
      return new Result(exitCode, out.toString(), err.toString());
    }
  }
}
