package io.tern.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.Descriptor;
import io.tern.protocol.v1.GoAway;
import io.tern.protocol.v1.Hello;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// SPEC.md is true: its tables are generated, its rules are tested, its example and its cost are
/// computed.
class SpecTest {

  private static final Path SPEC = Path.of("SPEC.md");
  private static final Path TESTED_IN =
      Path.of("src/test/resources/io/tern/protocol/tested-in.txt");
  private static final Pattern RULE = Pattern.compile("TERN-(\\d+)-(\\d+)");

  @Test
  void tablesAreThoseOfTheRegistry() throws IOException {
    String spec = Files.readString(SPEC);
    String filled = SpecTables.fill(spec);
    if (Boolean.getBoolean("tern.update")) {
      Files.writeString(SPEC, filled);
      spec = filled;
    }
    assertThat(spec).isEqualTo(filled);
    assertThat(filled.split("<!-- generated: ", -1)).hasSize(13);
  }

  /// A rule is tested where its number stands in a test's source, in any module.
  @Test
  void everyRuleIsNamedByATest() throws IOException {
    Set<String> rules = rulesIn(SPEC, Pattern.compile("\\*\\*\\[(TERN-\\d+-\\d+)]\\*\\*"));
    assertThat(rules).hasSizeGreaterThan(50);

    var named = new TreeMap<String, List<Path>>();
    try (Stream<Path> modules = Files.list(Path.of(".."))) {
      for (Path module : modules.filter(m -> Files.isDirectory(m.resolve("src/test"))).toList()) {
        try (Stream<Path> files = Files.walk(module.resolve("src/test"))) {
          for (Path file : files.filter(f -> f.toString().endsWith(".java")).toList()) {
            for (String rule : rulesIn(file, Pattern.compile("(TERN-\\d+-\\d+)"))) {
              named.computeIfAbsent(rule, r -> new ArrayList<>()).add(file);
            }
          }
        }
      }
    }
    Map<String, String> table = testedIn();
    var untested = new TreeSet<>(rules);
    untested.removeAll(named.keySet());
    assertThat(untested).as("rules that no test names").isEqualTo(table.keySet());
    for (Map.Entry<String, String> line : table.entrySet()) {
      assertIsTrue(line.getKey(), line.getValue());
    }

    var unknown = new TreeSet<>(named.keySet());
    unknown.removeAll(rules);
    assertThat(unknown).as("rules that tests name but SPEC.md does not have").isEmpty();
  }

  private static Map<String, String> testedIn() throws IOException {
    var table = new TreeMap<String, String>();
    for (String line : Files.readAllLines(TESTED_IN)) {
      if (!line.startsWith("#")) {
        int space = line.indexOf(' ');
        table.put(line.substring(0, space), line.substring(space + 1));
      }
    }
    return table;
  }

  private static void assertIsTrue(String rule, String where) throws IOException {
    int hash = where.indexOf('#');
    Path file = Path.of("..", where.substring(0, hash));
    assertThat(file).as(rule).exists();
    assertThat(Files.readString(file)).as(rule).contains("void " + where.substring(hash + 1) + "(");
  }

  @Test
  void ruleNumbersAreUniqueAndInTheirSection() throws IOException {
    int section = 0;
    Set<String> seen = new LinkedHashSet<>();
    for (String line : Files.readAllLines(SPEC)) {
      Matcher title = Pattern.compile("## (\\d+)\\. .*").matcher(line);
      if (title.matches()) {
        assertThat(Integer.parseInt(title.group(1))).isEqualTo(++section);
      }
      Matcher rule = Pattern.compile("\\*\\*\\[(" + RULE + ")]\\*\\*").matcher(line);
      while (rule.find()) {
        if (section > 0) {
          assertThat(seen.add(rule.group(1))).as(rule.group(1)).isTrue();
          assertThat(Integer.parseInt(rule.group(2))).as(rule.group(1)).isEqualTo(section);
        }
      }
    }
  }

  @Test
  void aHundredByteTextCostsAtMost320BytesInAll() {
    int sum = 0;
    for (Conversation.Cost row : Conversation.cost()) {
      System.out.printf("%-18s %4d%n", row.frame(), row.bytes());
      sum += row.bytes();
    }
    System.out.printf("%-18s %4d%n", "all", sum);
    assertThat(sum).isLessThanOrEqualTo(320);
  }

  // TERN-11-3
  @Test
  void frozenMessagesKeepTheirFields() {
    assertThat(fields(Hello.getDescriptor()))
        .startsWith(
            "1 ver_min UINT32",
            "2 ver_max UINT32",
            "3 caps UINT64",
            "4 device UINT32",
            "5 token BYTES");
    assertThat(fields(io.tern.protocol.v1.Error.getDescriptor()))
        .containsExactly(
            "1 code UINT32",
            "2 retry_ms UINT32",
            "3 detail STRING",
            "4 field STRING",
            "5 csn UINT64");
    assertThat(fields(GoAway.getDescriptor()))
        .containsExactly(
            "1 code UINT32",
            "2 grace_ms UINT32",
            "3 after_min_ms UINT32",
            "4 after_max_ms UINT32",
            "5 edges STRING");
  }

  private static List<String> fields(Descriptor message) {
    return message.getFields().stream()
        .map(field -> field.getNumber() + " " + field.getName() + " " + field.getType())
        .toList();
  }

  private static Set<String> rulesIn(Path file, Pattern pattern) throws IOException {
    Set<String> rules = new TreeSet<>();
    Matcher matcher = pattern.matcher(Files.readString(file));
    while (matcher.find()) {
      rules.add(matcher.group(1));
    }
    return rules;
  }
}
