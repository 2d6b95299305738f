package io.tern.bench.scenario;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Questions to a running JVM of ours.
final class Jcmd {

  //    1:        123456       34567890  java.lang.Object (java.base@25)
  private static final Pattern ROW =
      Pattern.compile("^\\s*\\d+:\\s+(\\d+)\\s+(\\d+)\\s+(\\S+)", Pattern.MULTILINE);

  private Jcmd() {}

  /// Instances and bytes of a class that survive a full collection.
  record Live(long instances, long bytes) {}

  /// Collects all garbage, then counts what is left, by class.
  static Map<String, Live> liveObjects(long pid) throws IOException, InterruptedException {
    var live = new LinkedHashMap<String, Live>();
    Matcher row = ROW.matcher(ask(pid, "GC.class_histogram"));
    while (row.find()) {
      live.merge(
          row.group(3),
          new Live(Long.parseLong(row.group(1)), Long.parseLong(row.group(2))),
          (a, b) -> new Live(a.instances() + b.instances(), a.bytes() + b.bytes()));
    }
    return live;
  }

  static void collectGarbage(long pid) throws IOException, InterruptedException {
    ask(pid, "GC.run");
  }

  private static String ask(long pid, String question) throws IOException, InterruptedException {
    Process process =
        new ProcessBuilder(
                List.of(
                    Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
                    Long.toString(pid),
                    question))
            .redirectErrorStream(true)
            .start();
    String answer = process.inputReader().readAllAsString();
    if (!process.waitFor(60, TimeUnit.SECONDS) || process.exitValue() != 0) {
      throw new IOException("jcmd " + question + ": " + answer);
    }
    return answer;
  }
}
