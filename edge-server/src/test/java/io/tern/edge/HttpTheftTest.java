package io.tern.edge;

import static io.tern.edge.HttpWorld.body;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.ByteString;
import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.HttpWorld.Person;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameType;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.Instant;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/// What a thief of tokens and secrets gets: nothing, and the owner is told. What a lost answer, a
/// rotation of keys or a restart costs the owner: nothing.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class HttpTheftTest {

  private static final Duration REVOKED_WITHIN = Duration.ofSeconds(5);

  @TempDir static Path shared;

  private HttpWorld world;

  @BeforeAll
  void start() throws IOException {
    world = new HttpWorld(shared);
  }

  @AfterAll
  void end() {
    world.close();
  }

  private static String attempt(int n) {
    return "attempt-%016d".formatted(n);
  }

  private static Answer refresh(HttpWorld world, ObjectNode proof) {
    return world.ask("POST", "/v1/token", null, proof);
  }

  private static void take(Person person, JsonNode pair) {
    person.secret = pair.get("secret").textValue();
    person.secretNumber = pair.get("secret_number").longValue();
    person.token = pair.get("token").textValue();
  }

  /// The session ends with this code, in time.
  private static void assertEnds(RawClient session, ErrorCode code, long sinceNanos) {
    RawClient.Frame frame = session.until(FrameType.ERROR);
    assertThat(frame.error().getCode()).isEqualTo(code.number());
    assertThat(Duration.ofNanos(System.nanoTime() - sinceNanos)).isLessThan(REVOKED_WITHIN);
    session.assertEnd();
  }

  private static void assertRefused(HttpWorld world, Person person, ErrorCode code) {
    try (RawClient again = RawClient.connect(world.server.listen())) {
      again.write(RawClient.preface(), RawClient.hello(HttpWorld.hello(person)));
      assertThat(again.read().error().getCode()).isEqualTo(code.number());
    }
  }

  @Test
  void aLostAnswerCostsNothingAndAStolenSecretIsNoticed() throws IOException {
    Person owner = world.register("Olga");
    ObjectNode stolen = owner.proof(attempt(1));
    Answer first = refresh(world, stolen);
    Answer repeated = refresh(world, stolen);
    assertThat(repeated.status()).isEqualTo(200);
    assertThat(repeated.body().get("secret")).isEqualTo(first.body().get("secret"));
    take(owner, repeated.body());
    assertThat(refresh(world, owner.proof(attempt(2))).status()).isEqualTo(200);

    RawClient session = world.session(owner);
    long began = System.nanoTime();
    // The thief has the secret that was used first; their attempt is another.
    stolen.put("attempt", attempt(3));
    Answer thief = refresh(world, stolen);
    assertThat(thief.code()).isEqualTo(ErrorCode.REVOKED.number());
    assertEnds(session, ErrorCode.REVOKED, began);
    session.close();
    // Nobody has the device now: not by token, not by either secret.
    assertThat(world.ask("GET", "/v1/profile", owner.token, null).code())
        .isEqualTo(ErrorCode.REVOKED.number());
    assertRefused(world, owner, ErrorCode.REVOKED);
    assertThat(refresh(world, owner.proof(attempt(4))).status()).isEqualTo(401);
  }

  @Test
  void anothersSecretOrAnothersDeviceIsNoProof() throws IOException {
    Person owner = world.register("Olga");
    Person tablet = world.link(owner);
    Person stranger = world.register("Sam");
    for (ObjectNode wrong :
        new ObjectNode[] {
          owner.proof(attempt(1)).put("device", tablet.device.index()),
          owner.proof(attempt(1)).put("user", stranger.user()),
          stranger.proof(attempt(1)).put("secret", owner.secret),
          owner.proof(attempt(1)).put("user", 77),
          owner.proof(attempt(1)).put("secret", "x"),
        }) {
      Answer refused = refresh(world, wrong);
      assertThat(refused.code()).isEqualTo(ErrorCode.TOKEN_INVALID.number());
      assertThat(refused.status()).isEqualTo(401);
    }
    // A token is its device's: HELLO with another index is refused.
    try (RawClient session = RawClient.connect(world.server.listen())) {
      session.write(
          RawClient.preface(),
          RawClient.hello(
              HttpWorld.hello(owner).toBuilder().setDevice(tablet.device.index()).build()));
      assertThat(session.read().error().getCode()).isEqualTo(ErrorCode.TOKEN_INVALID.number());
    }
    assertThat(refresh(world, owner.proof(attempt(1))).status()).isEqualTo(200);
  }

  @Test
  void anotherUsersLinkLetsNobodyIn() throws IOException {
    Person owner = world.register("Olga");
    Person thief = world.register("Theo");
    JsonNode link = world.ask("POST", "/v1/links", null, body("device_name", "pad")).body();
    String path = "/v1/links/" + link.get("link").textValue();
    ObjectNode key = body("key", link.get("key").textValue());
    assertThat(world.ask("POST", path + "/claim", owner.token, key).status()).isEqualTo(200);
    // Who photographed the code is too late, and cannot say yes; without the key nothing is told.
    assertThat(world.ask("POST", path + "/claim", thief.token, key).status()).isEqualTo(409);
    assertThat(world.ask("POST", path + "/confirm", thief.token, body("yes", true)).status())
        .isEqualTo(403);
    assertThat(world.ask("POST", path + "/status", null, body("key", "guessed")).status())
        .isEqualTo(403);
    assertThat(world.ask("POST", path + "/complete", null, key).status()).isEqualTo(403);
    assertThat(world.ask("POST", path + "/confirm", owner.token, body("yes", false)).status())
        .isEqualTo(204);
    assertThat(world.ask("POST", path + "/complete", null, key).status()).isEqualTo(403);
    assertThat(world.ask("GET", "/v1/devices", owner.token, null).body().get("devices").size())
        .isEqualTo(1);
  }

  @Test
  void aRevokedDevicesLiveSessionEndsAndNeitherTokenNorTicketBringsItBack() throws IOException {
    Person owner = world.register("Olga");
    Person tablet = world.link(owner);
    RawClient session = RawClient.connect(world.server.listen());
    session.write(RawClient.preface(), RawClient.hello(HttpWorld.hello(tablet)));
    ByteString ticket = session.helloAck().getResume();
    RawClient stays = world.session(owner);

    long began = System.nanoTime();
    assertThat(
            world.ask("DELETE", "/v1/devices/" + tablet.device.index(), owner.token, null).status())
        .isEqualTo(204);
    assertEnds(session, ErrorCode.REVOKED, began);
    session.close();
    assertRefused(world, tablet, ErrorCode.REVOKED);
    try (RawClient again = RawClient.connect(world.server.listen())) {
      again.write(
          RawClient.preface(),
          RawClient.hello(
              HttpWorld.hello(tablet).toBuilder()
                  .clearToken()
                  .setResume(ticket)
                  .setCount(1)
                  .build()));
      assertThat(again.read().error().getCode()).isEqualTo(ErrorCode.REVOKED.number());
    }
    assertThat(refresh(world, tablet.proof(attempt(1))).status()).isEqualTo(401);
    // The other device has heard nothing of it.
    stays.write(RawClient.frame(FrameType.PING, 0, 0, 0, 0, new byte[0]));
    stays.until(FrameType.PONG);
    stays.close();
  }

  @Test
  void aDeletedAccountsSessionsEndAndABannedUsersToo() throws IOException {
    Person owner = world.register("Olga");
    RawClient session = world.session(owner);
    long began = System.nanoTime();
    assertThat(world.ask("POST", "/v1/account/delete", owner.token, body()).status())
        .isEqualTo(204);
    assertEnds(session, ErrorCode.REVOKED, began);
    session.close();
    assertRefused(world, owner, ErrorCode.REVOKED);

    Person banned = world.register("Bart");
    RawClient his = world.session(banned);
    began = System.nanoTime();
    world.server.accounts().admin().ban(banned.device.user(), Long.MAX_VALUE);
    assertEnds(his, ErrorCode.BANNED, began);
    his.close();
    assertRefused(world, banned, ErrorCode.BANNED);
    assertThat(refresh(world, banned.proof(attempt(1))).code())
        .isEqualTo(ErrorCode.BANNED.number());
  }

  @Test
  void anExpiredTokenIsNoProof() throws IOException {
    Person owner = world.register("Olga");
    owner.token = world.expiredToken(owner.device);
    assertRefused(world, owner, ErrorCode.TOKEN_EXPIRED);
  }

  @Test
  void keysRotateUnderLiveSessionsAndOverARestartAndNobodyIsLoggedOut(@TempDir Path folder)
      throws IOException {
    Person owner;
    try (var world = new HttpWorld(folder, "tokens.publish-ahead=0 s")) {
      owner = world.register("Olga");
      String oldToken = owner.token;
      RawClient session = world.session(owner);
      world.server.signingKeys().rotate(Instant.now());
      world.server.signingKeys().rotate(Instant.now());
      Answer next = refresh(world, owner.proof(attempt(1)));
      assertThat(next.status()).isEqualTo(200);
      // Both verify: the session goes on, on either.
      assertThat(world.ask("GET", "/v1/profile", oldToken, null).status()).isEqualTo(200);
      session.write(RawClient.frame(FrameType.PING, 0, 0, 0, 0, new byte[0]));
      session.until(FrameType.PONG);
      session.close();
      world.session(owner).close();
      take(owner, next.body());
      world.session(owner).close();
      assertThat(world.ask("GET", "/.well-known/jwks.json", null, null).body().get("keys").size())
          .isEqualTo(3);
      for (String file : new String[] {"token-keys", "pepper", "resume.key"}) {
        assertThat(
                PosixFilePermissions.toString(Files.getPosixFilePermissions(folder.resolve(file))))
            .isEqualTo("rw-------");
      }
    }
    try (var world = new HttpWorld(folder)) {
      world.session(owner).close();
      assertThat(world.ask("GET", "/v1/profile", owner.token, null).body().get("number"))
          .hasToString('"' + owner.number + '"');
      assertThat(refresh(world, owner.proof(attempt(2))).status()).isEqualTo(200);
    }
  }
}
