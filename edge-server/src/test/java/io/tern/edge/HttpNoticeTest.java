package io.tern.edge;

import static io.tern.edge.HttpWorld.body;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.HttpWorld.Person;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.RegisteredEvent;
import io.tern.protocol.v1.Send;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/// A thief who has number and PIN is not refused; those with whom the user talks see it, live and
/// in the profile. Nobody else sees anything.
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class HttpNoticeTest {

  private static final String PIN = "271828";

  @TempDir static Path shared;

  private HttpWorld world;

  @BeforeAll
  void start() throws IOException {
    world = new HttpWorld(shared, "accounts.resend-after=1 s", "accounts.sms.per-number=20");
  }

  @AfterAll
  void end() {
    world.close();
  }

  private Person withPin(String name) {
    Person person = world.register(name);
    assertThat(world.ask("PUT", "/v1/pin", person.token, body("pin", PIN)).status()).isEqualTo(204);
    return person;
  }

  /// Number and PIN on another device.
  private Person registeredAnew(Person owner) {
    String ticket = ticket(owner.number);
    Answer back =
        world.ask(
            "POST",
            "/v1/registration",
            null,
            body(
                "number",
                owner.number,
                "ticket",
                ticket,
                "device_name",
                "another",
                "name",
                "",
                "pin",
                PIN));
    assertThat(back.status()).as(back.raw()).isEqualTo(201);
    var person = new Person(owner.number, back.body());
    assertThat(person.user()).isEqualTo(owner.user());
    return person;
  }

  /// A second after the code before.
  private String ticket(String number) {
    Answer sent =
        await()
            .until(
                () -> world.ask("POST", "/v1/registration/code", null, body("number", number)),
                answer -> answer.status() == 200);
    var proof =
        body(
            "number",
            number,
            "request",
            sent.body().get("request").textValue(),
            "code",
            world.code(number));
    Answer verified = world.ask("POST", "/v1/registration/verify", null, proof);
    assertThat(verified.status()).as(verified.raw()).isEqualTo(200);
    return verified.body().get("ticket").textValue();
  }

  private static void say(RawClient session, Person to, long csn) {
    var content =
        Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(ByteString.copyFromUtf8("hi"));
    session.write(
        RawClient.frame(
            FrameType.SEND,
            FrameHeader.RID | FrameHeader.CHAT,
            (int) csn,
            to.user(),
            0,
            Send.newBuilder().setCsn(csn).setContent(content).build()));
    session.until(FrameType.SENT);
  }

  private static void block(RawClient session, Person whom) {
    var block = Setting.newBuilder();
    block.getBlockBuilder().setUser(whom.user()).setOn(true);
    session.write(
        RawClient.frame(
            FrameType.SETTINGS,
            FrameHeader.RID,
            99,
            0,
            0,
            Settings.newBuilder().addSet(block).build()));
    session.until(FrameType.SETTINGS_SET);
  }

  private Answer profile(Person of, Person by) {
    return world.ask("GET", "/v1/users/" + of.user() + "/profile", by.token, null);
  }

  private long shown(Person of, Person by) {
    return profile(of, by).body().get("registered_ms").longValue();
  }

  /// The next notice that the session gets.
  private static RawClient.Frame notice(RawClient session) {
    while (true) {
      RawClient.Frame frame = session.until(FrameType.DELIVER);
      Deliver entry = frame.parsed(Deliver.getDefaultInstance());
      if (entry.getContent().getKind() == Kind.KIND_REGISTERED) {
        return frame;
      }
    }
  }

  @Test
  void whoTalksWithTheUserSeesItLiveAndTheThiefSeesThatTheyDo()
      throws InvalidProtocolBufferException {
    Person anna = withPin("Anna");
    Person bob = world.register("Bob");
    RawClient bobs = world.session(bob);
    RawClient annas = world.session(anna);
    say(annas, bob, 1);
    say(bobs, anna, 1);
    long made = shown(anna, bob);
    assertThat(made).isPositive();

    Person thief = registeredAnew(anna);
    RawClient.Frame told = notice(bobs);
    assertThat(told.chat()).isEqualTo(anna.user());
    assertThat(told.flags() & FrameHeader.OWN).isZero();
    Deliver entry = told.parsed(Deliver.getDefaultInstance());
    assertThat(entry.getDevice()).isEqualTo(thief.device.index());
    long at = RegisteredEvent.parseFrom(entry.getContent().getBody()).getAtMs();
    assertThat(at).isGreaterThan(made);
    assertThat(shown(anna, bob)).isEqualTo(at);
    // Before anything that the new device says.
    RawClient thiefs = world.session(thief);
    say(thiefs, bob, 1);
    assertThat(bobs.until(FrameType.DELIVER).seq()).isEqualTo(told.seq() + 1);
    bobs.close();
    thiefs.close();
    annas.close();
  }

  @Test
  void whoIsAwayGetsItWhenTheyComeBack() {
    Person anna = withPin("Anna");
    Person bob = world.register("Bob");
    try (RawClient bobs = world.session(bob);
        RawClient annas = world.session(anna)) {
      say(annas, bob, 1);
      say(bobs, anna, 1);
    }
    registeredAnew(anna);
    try (RawClient bobs = world.session(bob)) {
      assertThat(notice(bobs).chat()).isEqualTo(anna.user());
    }
  }

  @Test
  void aStrangerAndABlockedOneAreAnsweredAlikeBeforeAndAfter() {
    Person anna = withPin("Anna");
    Person bob = world.register("Bob");
    Person stranger = world.register("Sam");
    Person hopeful = world.register("Hugo");
    RawClient annas = world.session(anna);
    RawClient bobs = world.session(bob);
    RawClient hopefuls = world.session(hopeful);
    say(annas, bob, 1);
    say(bobs, anna, 1);
    say(hopefuls, anna, 1);
    block(annas, bob);
    String toBob = profile(anna, bob).raw();
    String toStranger = profile(anna, stranger).raw();
    assertThat(shown(anna, stranger)).isZero();
    assertThat(shown(anna, bob)).isZero();

    registeredAnew(anna);
    assertThat(profile(anna, bob).raw()).isEqualTo(toBob);
    assertThat(profile(anna, stranger).raw()).isEqualTo(toStranger);
    assertThat(profile(anna, hopeful).raw()).isEqualTo(toStranger);
    // What would have come is before the answer to what is asked now.
    for (RawClient session : new RawClient[] {bobs, hopefuls}) {
      session.write(RawClient.frame(FrameType.PING, 0, 0, 0, 0, new byte[0]));
      for (var frame = session.read(); frame.type() != FrameType.PONG; frame = session.read()) {
        assertThat(frame.type()).isNotEqualTo(FrameType.DELIVER);
      }
      session.close();
    }
    annas.close();
  }

  @Test
  void onesOwnProfileSaysWhenAndAHistoryOfTheChatToo() {
    Person anna = withPin("Anna");
    long made = shown(anna, anna);
    Person back = registeredAnew(anna);
    Answer own = world.ask("GET", "/v1/profile", back.token, null);
    assertThat(own.body().get("registered_ms").longValue()).isGreaterThan(made);
  }
}
