package io.tern.edge.admin;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tern.accounts.Secret;
import io.tern.edge.admin.AdminCredentials.Administrator;
import io.tern.edge.admin.AdminCredentials.Credential;
import io.tern.edge.admin.AdminCredentials.Role;
import io.tern.edge.admin.AdminCredentials.Unusable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.HashSet;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AdminCredentialsTest {

  private static final Instant NOON = Instant.parse("2026-11-28T12:00:00Z");

  @TempDir private Path data;
  private AdminCredentials server;
  private AdminCredentials command;

  @BeforeEach
  void open() {
    server = AdminCredentials.in(data);
    command = AdminCredentials.in(data);
  }

  private Secret add(String name, Role role) throws IOException, Unusable {
    return command.add(name, role, NOON, new SecureRandom());
  }

  private Path file() {
    return data.resolve("admin-credentials");
  }

  @Test
  void withoutAFileNobodyGetsIn() throws IOException {
    assertThat(server.find(new Secret(""))).isNull();
    assertThat(server.find(new Secret("anything"))).isNull();
    assertThat(command.list()).isEmpty();
    assertThat(command.remove("anna")).isFalse();
  }

  @Test
  void whatACommandMakesIsGoodAtOnceAndWhatItRemovesIsNot() throws IOException, Unusable {
    Secret anna = add("anna", Role.ACT);
    assertThat(server.find(anna)).isEqualTo(new Administrator("anna", Role.ACT));
    Secret rita = add("rita", Role.READ);
    assertThat(server.find(rita)).isEqualTo(new Administrator("rita", Role.READ));
    assertThat(server.find(anna)).isEqualTo(new Administrator("anna", Role.ACT));
    assertThat(command.list())
        .containsExactly(
            new Credential("anna", Role.ACT, NOON), new Credential("rita", Role.READ, NOON));

    assertThat(command.remove("anna")).isTrue();
    assertThat(server.find(anna)).isNull();
    assertThat(server.find(rita)).isNotNull();

    // The name is free again, the secret is not.
    Secret again = add("anna", Role.READ);
    assertThat(server.find(anna)).isNull();
    assertThat(server.find(again)).isEqualTo(new Administrator("anna", Role.READ));
  }

  @Test
  void onlyHashesAreAtRestAndOnlyForTheOwner() throws IOException, Unusable {
    var secrets = new HashSet<String>();
    for (int i = 0; i < 20; i++) {
      Secret secret = add("name-" + i, Role.READ);
      assertThat(secret.reveal()).matches("tern-admin-[A-Za-z0-9_-]{43}");
      assertThat(secret.toString()).doesNotContain(secret.reveal());
      secrets.add(secret.reveal());
    }
    assertThat(secrets).hasSize(20);
    String text = Files.readString(file());
    assertThat(text).doesNotContain("tern-admin-");
    for (String secret : secrets) {
      assertThat(text).doesNotContain(secret.substring(11));
    }
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file())))
        .isEqualTo("rw-------");
  }

  @Test
  void aPartOrAVariantOfASecretIsNone() throws IOException, Unusable {
    String anna = add("anna", Role.ACT).reveal();
    for (String wrong :
        new String[] {
          anna.substring(1),
          anna.substring(0, anna.length() - 1),
          anna + "A",
          anna.toUpperCase(java.util.Locale.ROOT),
          anna + "\n",
          Files.readString(file()).strip().split(" ", -1)[3]
        }) {
      assertThat(server.find(new Secret(wrong))).isNull();
    }
  }

  @Test
  void aFileThatIsDamagedOrInOthersHandsLetsNobodyIn() throws IOException, Unusable {
    Secret anna = add("anna", Role.ACT);
    byte[] good = Files.readAllBytes(file());
    Files.writeString(file(), "mallory act now\n", StandardOpenOption.APPEND);
    assertThat(server.find(anna)).isNull();
    assertThatThrownBy(() -> add("bert", Role.READ))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("is damaged");

    Files.write(file(), good);
    assertThat(server.find(anna)).isNotNull();

    Files.setPosixFilePermissions(file(), PosixFilePermissions.fromString("rw-rw----"));
    Files.write(file(), new byte[] {}, StandardOpenOption.APPEND);
    assertThat(AdminCredentials.in(data).find(anna)).isNull();
    assertThatThrownBy(() -> command.list())
        .hasMessageContaining("can be written by others than its owner");
  }

  @Test
  void namesAreShortPlainAndUsedOnceAndThereAreNotTooMany() throws IOException, Unusable {
    for (String bad :
        new String[] {"", "Anna", "-x", "a b", "a\nb act", "a".repeat(33), "ä", "\u001b[31m"}) {
      assertThatThrownBy(() -> add(bad, Role.READ)).as(bad).isInstanceOf(Unusable.class);
    }
    add("anna", Role.READ);
    assertThatThrownBy(() -> add("anna", Role.ACT)).hasMessageContaining("anna already");
    for (int i = 1; i < AdminCredentials.CREDENTIALS_MAX; i++) {
      add("name-" + i, Role.READ);
    }
    assertThatThrownBy(() -> add("one-more", Role.READ)).hasMessageContaining("64 credentials");
  }

  @Test
  void twoWhoAddAtOnceBothSucceed() throws IOException {
    var all =
        IntStream.range(0, 16)
            .mapToObj(i ->
                CompletableFuture.runAsync(() -> {
                  try {
                    AdminCredentials.in(data).add("name-" + i, Role.READ, NOON, new SecureRandom());
                  } catch (IOException | Unusable e) {
                    throw new AssertionError(e);
                  }
                }))
            .toArray(CompletableFuture[]::new);
    CompletableFuture.allOf(all).join();
    assertThat(command.list()).hasSize(16);
  }
}
