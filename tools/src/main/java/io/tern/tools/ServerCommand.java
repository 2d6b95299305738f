package io.tern.tools;

import io.tern.edge.TernServer;
import io.tern.edge.config.CannotListen;
import io.tern.edge.config.ConfigProblem;
import io.tern.edge.config.ServerConfig;
import io.tern.edge.logging.Logging;
import io.tern.store.rocks.CannotOpen;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/// `tern server`: everything in one process. Prints one line when it is ready, then only logs (on
/// stderr); SIGTERM and SIGINT shut it down in order.
@Command(
    name = "server",
    description = {
      "Run a server: everything in one process, which needs a folder and nothing else.",
      "When it is ready it prints one line:",
      "  ready listen=HOST:PORT admin=HOST:PORT data=DIR",
      "and before data=, where there are such doors, http=HOST:PORT (accounts; https= with TLS),",
      "tls=HOST:PORT, websocket=HOST:PORT (wss= with TLS) and fingerprint=sha256:..., which clients give to --pin."
    })
final class ServerCommand implements Callable<Integer> {

  /// Which option says where a door is.
  private static final Map<String, String> DOORS =
      Map.of(
          "net.listen", "--listen",
          "net.tls.listen", "--tls",
          "net.websocket.listen", "--websocket",
          "http.listen", "--http",
          "admin.listen", "--admin");

  @Spec private CommandSpec spec;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "The folder with everything the server keeps; made when it is not there.")
  private @Nullable Path data;

  @Option(
      names = "--listen",
      paramLabel = "HOST:PORT",
      converter = HostPort.Converter.class,
      description = "Where clients connect; port 0 takes any free one.")
  private @Nullable HostPort listen;

  @Option(
      names = "--tls",
      paramLabel = "HOST:PORT",
      converter = HostPort.Converter.class,
      description =
          "Where clients connect with TLS. Without a configured certificate the server makes one for"
              + " development and prints its fingerprint.")
  private @Nullable HostPort tls;

  @Option(
      names = "--websocket",
      paramLabel = "HOST:PORT",
      converter = HostPort.Converter.class,
      description = "Where browsers connect; with TLS unless it is on loopback.")
  private @Nullable HostPort webSocket;

  @Option(
      names = "--admin",
      paramLabel = "HOST:PORT",
      converter = HostPort.Converter.class,
      description = "Where operators ask, and /health and /metrics are; port 0 takes any free one.")
  private @Nullable HostPort admin;

  @Option(
      names = "--http",
      paramLabel = "HOST:PORT",
      converter = HostPort.Converter.class,
      description = "Where accounts are, over HTTP; port 0 takes any free one.")
  private @Nullable HostPort http;

  @Option(
      names = "--config",
      paramLabel = "FILE",
      description = "A configuration file (HOCON). Options on the command line win over it.")
  private @Nullable Path config;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description =
          "Set one configuration key, for example --set limits.send.rate=0. May be repeated.")
  private Map<String, String> set = new LinkedHashMap<>();

  @Override
  public Integer call() throws InterruptedException {
    var server = start();
    var stopped = new CountDownLatch(1);
    Runtime.getRuntime()
        .addShutdownHook(
            Thread.ofPlatform()
                .name("tern-shutdown")
                .unstarted(() -> {
                  server.close();
                  stopped.countDown();
                }));
    var out = spec.commandLine().getOut();
    out.println(server.readyLine());
    out.flush();
    stopped.await();
    return ExitCode.OK;
  }

  private TernServer start() {
    try {
      ServerConfig loaded = ServerConfig.load(config, settings());
      Logging.use(loaded.log().format());
      return TernServer.start(loaded);
    } catch (ConfigProblem e) {
      throw new Failure(ExitCode.USAGE, String.valueOf(e.getMessage()), e);
    } catch (CannotOpen e) {
      throw new Failure(
          ExitCode.FAILED,
          e.getCause() instanceof FileSystemException file
              ? "cannot use the data folder: " + Failure.reason(file)
              : String.valueOf(e.getMessage()),
          e);
    } catch (CannotListen e) {
      throw new Failure(ExitCode.FAILED, "cannot start: " + e.getMessage() + advice(e), e);
    } catch (IOException e) {
      throw new Failure(ExitCode.FAILED, "cannot start: " + Failure.reason(e), e);
    }
  }

  /// Of a door that does not open: which, why, and by what it is given another place.
  private static String advice(CannotListen door) {
    String option = DOORS.get(door.key());
    String how = option == null ? "--set " + door.key() + "=HOST:PORT" : option;
    return switch (door.reason()) {
      case TAKEN -> "; give this server another with " + how;
      case NOT_HERE -> "; name one of its addresses with " + how;
      case NOT_PERMITTED -> "; name one of 1024 and more with " + how;
      case OTHER -> "";
    };
  }

  /// `--set`, with the options that have a name of their own on top.
  private Map<String, String> settings() {
    var settings = new LinkedHashMap<>(set);
    if (data != null) {
      settings.put("data", quoted(data.toString()));
    }
    if (listen != null) {
      settings.put("net.listen", "[" + quoted(listen.toString()) + "]");
    }
    if (tls != null) {
      settings.put("net.tls.listen", "[" + quoted(tls.toString()) + "]");
    }
    if (webSocket != null) {
      settings.put("net.websocket.listen", "[" + quoted(webSocket.toString()) + "]");
    }
    if (http != null) {
      settings.put("http.listen", quoted(http.toString()));
    }
    if (admin != null) {
      settings.put("admin.listen", quoted(admin.toString()));
    }
    return settings;
  }

  /// As a string of the configuration language, whatever characters a path has.
  private static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}
