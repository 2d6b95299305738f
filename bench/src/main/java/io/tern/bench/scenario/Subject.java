package io.tern.bench.scenario;

import io.tern.bench.yardstick.BareLoad;
import io.tern.bench.yardstick.BareServer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// What is measured: a server and the generator that loads it.
enum Subject {
  YARDSTICK {
    @Override
    Child server(Bench bench, List<String> jvmOptions, Path data, Path log) throws IOException {
      return Child.start(
          bench.serverCore(),
          jvmOptions,
          BareServer.class.getName(),
          List.of("--data", data.toString()),
          log);
    }

    @Override
    Child load(Bench bench, List<String> jvmOptions, List<String> args, Path log)
        throws IOException {
      return Child.start(bench.loadCore(), jvmOptions, BareLoad.class.getName(), args, log);
    }
  },
  TERN {
    @Override
    Child server(Bench bench, List<String> jvmOptions, Path data, Path log) throws IOException {
      var args = new ArrayList<String>();
      args.addAll(List.of("server", "--data", data.toString()));
      args.addAll(
          List.of("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--set", "http.listen=off"));
      // A load test sends more than a person may, and logs in more often.
      args.addAll(List.of("--set", "limits.send.rate=0"));
      args.addAll(List.of("--set", "budgets.logins-per-device-per-minute=0"));
      for (String setting : bench.settings()) {
        args.addAll(List.of("--set", setting));
      }
      return Child.start(bench.serverCore(), jvmOptions, TERN_MAIN, args, log);
    }

    @Override
    Child load(Bench bench, List<String> jvmOptions, List<String> args, Path log)
        throws IOException {
      var load = new ArrayList<String>();
      load.add("load");
      load.addAll(args);
      return Child.start(bench.loadCore(), jvmOptions, TERN_MAIN, load, log);
    }
  };

  private static final String TERN_MAIN = "io.tern.tools.Tern";

  /// A server on a free port of loopback, with `data` as its folder.
  abstract Child server(Bench bench, List<String> jvmOptions, Path data, Path log)
      throws IOException;

  /// The generator, with the arguments that both have.
  abstract Child load(Bench bench, List<String> jvmOptions, List<String> args, Path log)
      throws IOException;

  String label() {
    return this == TERN ? "Tern" : "yardstick";
  }
}
