package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Where the pages point to is there.
class DocumentationTest {

  private static final Path ROOT = Path.of("..");
  private static final Pattern LINK = Pattern.compile("\\]\\(([^)\\s]+)\\)");
  private static final Pattern HEADING = Pattern.compile("(?m)^#+ (.*)$");
  private static final Pattern TEST = Pattern.compile("`([A-Z][A-Za-z0-9]*Test)`");

  private static List<Path> pages() throws IOException {
    var pages = new ArrayList<Path>();
    pages.add(ROOT.resolve("README.md"));
    pages.add(ROOT.resolve("protocol/SPEC.md"));
    try (Stream<Path> docs = Files.walk(ROOT.resolve("docs"))) {
      docs.filter(page -> page.toString().endsWith(".md")).sorted().forEach(pages::add);
    }
    return pages;
  }

  private static String read(Path page) {
    try {
      return Files.readString(page);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static List<String> all(Pattern pattern, Path page) {
    return pattern.matcher(read(page)).results().map((MatchResult m) -> m.group(1)).toList();
  }

  /// As GitHub makes them.
  private static Set<String> anchors(Path page) {
    return all(HEADING, page).stream()
        .map(heading ->
            heading
                .toLowerCase(Locale.ROOT)
                .replaceAll("[^\\p{L}\\p{N}_ -]", "")
                .strip()
                .replace(' ', '-'))
        .collect(Collectors.toSet());
  }

  @Test
  void everyLinkLeadsToAFileAndItsHeading() throws IOException {
    var broken = new ArrayList<String>();
    for (Path page : pages()) {
      for (String link : all(LINK, page)) {
        if (link.contains("://")) {
          continue;
        }
        int hash = link.indexOf('#');
        String file = hash < 0 ? link : link.substring(0, hash);
        Path to = file.isEmpty() ? page : page.resolveSibling(file).normalize();
        boolean there =
            Files.exists(to) && (hash < 0 || anchors(to).contains(link.substring(hash + 1)));
        if (!there) {
          broken.add(page + ": " + link);
        }
      }
    }
    assertThat(broken).isEmpty();
  }

  @Test
  void everyTestThatAPageNamesIsThere() throws IOException {
    Set<String> tests;
    try (Stream<Path> modules = Files.list(ROOT)) {
      tests =
          modules
              .map(module -> module.resolve("src/test/java"))
              .filter(Files::isDirectory)
              .flatMap(folder -> classes(folder).stream())
              .collect(Collectors.toSet());
    }
    for (Path page : pages()) {
      assertThat(tests).as("tests that %s names", page).containsAll(all(TEST, page));
    }
  }

  private static List<String> classes(Path folder) {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.map(file -> file.getFileName().toString().replace(".java", "")).toList();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
