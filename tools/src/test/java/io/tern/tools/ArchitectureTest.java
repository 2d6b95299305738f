package io.tern.tools;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Message;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Holds the arrows between modules and keeps each third-party library in its package. Sees every
/// module but `bench`, which nothing may depend on anyway.
class ArchitectureTest {

  private static final JavaClasses TERN =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages("io.tern");

  private static final Pattern SLEEP = Pattern.compile("(Thread|TimeUnit\\.\\w+)\\.sleep\\(");

  @Test
  void modulesImportOnlyDownwards() {
    layeredArchitecture()
        .consideringOnlyDependenciesInLayers()
        .withOptionalLayers(true)
        .layer("protocol")
        .definedBy("io.tern.protocol..")
        .layer("client")
        .definedBy("io.tern.client..")
        .layer("store")
        .definedBy("io.tern.store..")
        .layer("router")
        .definedBy("io.tern.router..")
        .layer("accounts")
        .definedBy("io.tern.accounts..")
        .layer("edge")
        .definedBy("io.tern.edge..")
        .layer("tools")
        .definedBy("io.tern.tools..")
        .whereLayer("protocol")
        .mayNotAccessAnyLayer()
        .whereLayer("client")
        .mayOnlyAccessLayers("protocol")
        .whereLayer("store")
        .mayOnlyAccessLayers("protocol")
        .whereLayer("router")
        .mayOnlyAccessLayers("store", "protocol")
        .whereLayer("accounts")
        .mayOnlyAccessLayers("store", "protocol")
        .whereLayer("edge")
        .mayOnlyAccessLayers("accounts", "router", "store", "protocol")
        .whereLayer("tools")
        .mayOnlyAccessLayers("edge", "accounts", "router", "store", "client", "protocol")
        .check(TERN);
  }

  @Test
  void everyPackageBelongsToAModule() {
    classes()
        .should()
        .resideInAnyPackage(
            "io.tern.protocol..",
            "io.tern.client..",
            "io.tern.store..",
            "io.tern.router..",
            "io.tern.accounts..",
            "io.tern.edge..",
            "io.tern.tools..")
        .check(TERN);
  }

  /// Where each library may be imported: library packages, then Tern packages, each list separated
  /// by spaces.
  @ParameterizedTest(name = "{0} only in {1}")
  @CsvSource({
    "org.rocksdb..,              io.tern.store.rocks..",
    "com.lmax.disruptor..,       io.tern.router.ring..",
    "io.netty.channel..,         io.tern.edge.. io.tern.client.netty.. io.tern.protocol.netty.. io.tern.tools..",
    "io.netty.handler..,         io.tern.edge.. io.tern.client.netty.. io.tern.protocol.netty.. io.tern.tools..",
    "com.nimbusds..,             io.tern.edge.token..",
    "org.conscrypt..,            io.tern.edge.token..",
    "com.linecorp.armeria..,     io.tern.edge.http..",
    "com.fasterxml.jackson..,    io.tern.edge.http..",
    "com.google.zxing..,         io.tern.tools.account..",
    "io.github.bucket4j..,       io.tern.accounts.budget..",
    "com.google.i18n..,          io.tern.accounts.number..",
    "com.password4j..,           io.tern.accounts.pin..",
    "org.jsmpp..,                io.tern.accounts.sms.smpp..",
    "org.bouncycastle..,         io.tern.edge.tls..",
    "io.micrometer.. io.prometheus.., io.tern.edge.metrics..",
    "com.typesafe.config..,      io.tern.edge.config..",
    "picocli.. org.jline..,      io.tern.tools..",
    "ch.qos.logback..,           io.tern.edge.logging..",
    "org.HdrHistogram..,         io.tern.tools..",
  })
  void aLibraryLivesInOnePackage(String library, String home) {
    noClasses()
        .that(not(resideInAnyPackage(home.split(" "))))
        .should()
        .dependOnClassesThat(resideInAnyPackage(library.split(" ")))
        .allowEmptyShould(true)
        .check(TERN);
  }

  @Test
  void protocolKnowsNettyBuffersCodecsAndProtobufOnly() {
    classes()
        .that(resideInAPackage("io.tern.protocol.."))
        .should()
        .onlyDependOnClassesThat(
            resideInAnyPackage(
                "io.tern.protocol..",
                "java..",
                "io.netty.buffer..",
                "io.netty.util..",
                "io.netty.channel..",
                "io.netty.handler.codec..",
                "com.google.protobuf..",
                "org.jspecify.."))
        .allowEmptyShould(true)
        .check(TERN);
  }

  /// Else NullAway does not look at it. Packages of generated messages are exempt.
  @Test
  void everyPackageIsNullMarked() {
    assertThat(TERN.stream().map(c -> c.getPackage()).distinct())
        .filteredOn(p -> p.getClasses().stream().noneMatch(c -> c.isAssignableTo(Message.class)))
        .allSatisfy((JavaPackage p) ->
            assertThat(p.isAnnotatedWith(NullMarked.class))
                .as("%s has a @NullMarked package-info.java", p.getName())
                .isTrue());
  }

  /// A test waits for a condition, never for time to pass. Reads the sources, because the tests of
  /// other modules are not on this class path.
  @Test
  void noTestSleeps() throws IOException {
    try (var files = Files.walk(Path.of("..").toRealPath())) {
      assertThat(files.filter(ArchitectureTest::isTestSource)).noneMatch(ArchitectureTest::sleeps);
    }
  }

  private static boolean isTestSource(Path file) {
    return file.toString().contains("/src/test/java/") && file.toString().endsWith(".java");
  }

  private static boolean sleeps(Path file) {
    try {
      return SLEEP.matcher(Files.readString(file)).find();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
