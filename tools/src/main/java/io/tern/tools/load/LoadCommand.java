package io.tern.tools.load;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.UserId;
import io.tern.tools.ConnectOptions;
import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import io.tern.tools.TerminalText;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `tern load`: options in, [LoadRun] in the middle, a report out.
@Command(
    name = "load",
    description = {
      "Make load, measure it, and check by content that nothing is lost, doubled or out of order.",
      "A message is complete when its sender has SENT (it is durable) and the delivered receipt; in"
          + " groups, when its sender has SENT and every member has it.",
      "One thread writes and reads for all: large groups at their peak measure it too, so give"
          + " latencies of groups a --rate below the peak.",
      "Start the server with --set limits.send.rate=0, or it holds every user to its send limit."
    })
public final class LoadCommand implements Callable<Integer> {

  private static final int IN_FLIGHT = 16;
  private static final int USERS = 200;
  private static final double SECONDS_MAX = 365 * 86_400;
  private static final int GROUP_MEMBERS = 20;
  private static final int GROUP_SENDERS = 4;

  /// How the users behave; without any of these they keep 16 messages in flight.
  static final class Mode {
    @Option(
        names = "--in-flight",
        paramLabel = "W",
        description =
            "Closed loop: each user who writes keeps W messages in flight (default: "
                + IN_FLIGHT
                + ").")
    private int inFlight;

    @Option(
        names = "--rate",
        paramLabel = "R",
        description =
            "Open loop: R messages a second of all users together, timed from when each was due.")
    private double rate;

    @Option(names = "--idle", description = "Log in, send nothing, and hold the sessions.")
    private boolean idle;
  }

  @Spec private CommandSpec spec;
  @Mixin private ConnectOptions connect;

  @ArgGroup(exclusive = true)
  private @Nullable Mode mode;

  @Option(
      names = "--users",
      paramLabel = "N",
      description = "How many users (default: " + USERS + ").")
  private @Nullable Integer users;

  @Option(
      names = "--groups",
      paramLabel = "N",
      description =
          "N groups instead of direct chats, each with members of its own; it says how many users"
              + " there are, in place of --users.")
  private @Nullable Integer groups;

  @Option(
      names = "--group-members",
      paramLabel = "M",
      description =
          "How many members each group has, all of them online (default: "
              + GROUP_MEMBERS
              + "). A server has no groups of more than its limits.group-members-max.")
  private @Nullable Integer groupMembers;

  @Option(
      names = "--group-senders",
      paramLabel = "K",
      description =
          "How many members of each group write; the others read (default: "
              + GROUP_SENDERS
              + ", or all of a smaller one).")
  private @Nullable Integer groupSenders;

  @Option(
      names = "--seconds",
      paramLabel = "S",
      defaultValue = "10",
      description = "Length of the measured part (default: ${DEFAULT-VALUE}).")
  private double seconds;

  @Option(
      names = "--until-told",
      description = {
        "The measured part begins with the line 'measuring' on standard output and ends with a line"
            + " on standard input, after --seconds at the latest."
      })
  private boolean untilTold;

  @Option(
      names = "--warmup",
      paramLabel = "S",
      defaultValue = "3",
      description = "Traffic before it (default: ${DEFAULT-VALUE}).")
  private double warmup;

  @Option(
      names = "--size",
      paramLabel = "BYTES",
      defaultValue = "100",
      description = "Size of a message's body (default: ${DEFAULT-VALUE}).")
  private int size;

  @Option(
      names = "--pattern",
      paramLabel = "pairs|random",
      description = "Who talks to whom (default: pairs).")
  private LoadPlan.@Nullable Pattern pattern;

  @Option(
      names = "--drain",
      paramLabel = "S",
      defaultValue = "30",
      description =
          "How long to wait at the end for what is on its way (default: ${DEFAULT-VALUE}).")
  private double drain;

  @Option(
      names = "--server-pid",
      paramLabel = "P",
      defaultValue = "0",
      description = "The server's process, to report its CPU time and memory.")
  private long serverPid;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      description = "Write the result as one JSON object; - writes it to standard output.")
  private @Nullable String json;

  @Override
  public Integer call() {
    var plan = plan();
    checkReport();
    var run = new LoadRun(plan, identities());
    try (run) {
      var result = await(run, plan);
      print(result);
      return result.isSound() && result.unsent() == 0 ? ExitCode.OK : ExitCode.FAILED;
    }
  }

  /// A report that cannot be written is better known before the run than after it.
  private void checkReport() {
    if (json == null || json.equals("-")) {
      return;
    }
    var file = Path.of(json).toAbsolutePath();
    var folder = file.getParent();
    boolean isWritable =
        Files.exists(file)
            ? !Files.isDirectory(file) && Files.isWritable(file)
            : folder != null && Files.isDirectory(folder) && Files.isWritable(folder);
    if (!isWritable) {
      throw new ParameterException(
          spec.commandLine(), "--json: cannot write " + json + ": is its folder there, and yours?");
    }
  }

  private LoadPlan plan() {
    int inFlight = mode == null ? IN_FLIGHT : mode.inFlight;
    double rate = mode == null ? 0 : mode.rate;
    if (mode != null && !mode.idle && inFlight <= 0 && rate <= 0) {
      throw new ParameterException(spec.commandLine(), "--in-flight and --rate must be above 0");
    }
    if (seconds <= 0 || warmup < 0 || drain < 0) {
      throw new ParameterException(
          spec.commandLine(), "--seconds, --warmup, --drain: no such time");
    }
    if (Math.max(seconds, Math.max(warmup, drain)) > SECONDS_MAX) {
      throw new ParameterException(
          spec.commandLine(), "--seconds, --warmup, --drain: at most a year");
    }
    if (groups == null && (groupMembers != null || groupSenders != null)) {
      throw new ParameterException(
          spec.commandLine(), "--group-members and --group-senders: of how many --groups?");
    }
    if (groups != null && (users != null || pattern != null)) {
      throw new ParameterException(
          spec.commandLine(), "--groups says who talks to whom: leave --users and --pattern out");
    }
    try {
      var inGroups = groups == null ? null : inGroups(groups);
      return new LoadPlan(
          connect.server.resolve(),
          connect.tls(),
          inGroups != null ? inGroups.users() : users == null ? USERS : users,
          inGroups,
          inFlight,
          rate,
          duration(seconds),
          duration(warmup),
          size,
          pattern == null ? LoadPlan.Pattern.PAIRS : pattern,
          duration(drain),
          connect.patience(),
          ThreadLocalRandom.current().nextLong(),
          serverPid);
    } catch (IllegalArgumentException e) {
      throw new ParameterException(spec.commandLine(), String.valueOf(e.getMessage()), e);
    }
  }

  private LoadPlan.Groups inGroups(int count) {
    int members = groupMembers == null ? GROUP_MEMBERS : groupMembers;
    int senders = groupSenders == null ? Math.min(GROUP_SENDERS, members) : groupSenders;
    return new LoadPlan.Groups(count, members, senders);
  }

  /// Users of the development issuer that no other run has.
  private static LoadRun.Identities identities() {
    var prefix = "load-" + Long.toString(ThreadLocalRandom.current().nextLong(1L << 48), 36) + "-";
    return new LoadRun.Identities() {
      @Override
      public UserId id(int index) {
        return DevelopmentIssuer.userId(prefix + index);
      }

      @Override
      public byte[] token(int index) {
        return DevelopmentIssuer.token(id(index), 1);
      }
    };
  }

  private LoadResult await(LoadRun run, LoadPlan plan) {
    var err = spec.commandLine().getErr();
    boolean isTerminal = TerminalText.isTerminal();
    if (untilTold) {
      stopWhenTold(run);
    }
    var future = run.start();
    boolean isWarned = false;
    try {
      while (true) {
        try {
          var result = future.get(1, TimeUnit.SECONDS);
          if (isTerminal) {
            err.print("\r\033[K");
            err.flush();
          }
          return result;
        } catch (TimeoutException e) {
          isWarned = isWarned || warn(run, plan, err);
          show(run.progress(), plan, err, isTerminal);
        }
      }
    } catch (ExecutionException e) {
      if (isTerminal) {
        err.println();
      }
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.FAILED, "interrupted", e);
    }
  }

  private void stopWhenTold(LoadRun run) {
    var out = spec.commandLine().getOut();
    var _ =
        run.measuring()
            .thenRun(() -> {
              out.println("measuring");
              out.flush();
            });
    Thread.ofPlatform()
        .daemon()
        .name("load-told")
        .start(() -> {
          try {
            // The end of the input tells as well as a line.
            var _ = new BufferedReader(new InputStreamReader(System.in, UTF_8)).readLine();
          } catch (IOException e) {
            // Nobody is there to tell.
          }
          run.stop();
        });
  }

  /// Numbers under a send limit say how good the limit is, not how fast the server.
  private boolean warn(LoadRun run, LoadPlan plan, PrintWriter err) {
    var limits = run.limits();
    if (limits == null || limits.getSendsPerS() == 0 || (mode != null && mode.idle)) {
      return limits != null;
    }
    double perUser = mode == null || mode.rate == 0 ? Double.MAX_VALUE : mode.rate / plan.senders();
    if (perUser > limits.getSendsPerS()) {
      err.printf(
          "note: the server allows a device %d sends a second; for its own speed start it with"
              + " --set limits.send.rate=0%n",
          limits.getSendsPerS());
    }
    return true;
  }

  private void show(LoadRun.Progress now, LoadPlan plan, PrintWriter err, boolean isTerminal) {
    var line =
        switch (now.phase()) {
          case "logging in" ->
              String.format(
                  Locale.ROOT, "%-10s %,d of %,d users", now.phase(), now.up(), plan.users());
          case "making groups" ->
              String.format(Locale.ROOT, "%-10s %,d made", now.phase(), now.groups());
          default ->
              String.format(
                  Locale.ROOT,
                  "%-10s %4.0f s  %,8d complete/s  sent p99 %7.2f ms  %,7d in flight",
                  now.phase(),
                  now.seconds(),
                  now.completePerSecond(),
                  now.sentP99Ms(),
                  now.inFlight());
        };
    if (isTerminal) {
      err.print("\r" + line + "\033[K");
    } else {
      err.println(line);
    }
    err.flush();
  }

  private void print(LoadResult result) {
    var out = spec.commandLine().getOut();
    if ("-".equals(json)) {
      out.println(result.json());
    } else {
      out.print(result.text());
      if (json != null) {
        try {
          Files.writeString(Path.of(json), result.json() + "\n");
        } catch (IOException e) {
          throw new UncheckedIOException(e);
        }
      }
    }
    out.flush();
  }

  private static Duration duration(double seconds) {
    return Duration.ofNanos((long) (seconds * 1e9));
  }
}
