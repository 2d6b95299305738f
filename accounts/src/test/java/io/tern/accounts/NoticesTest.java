package io.tern.accounts;

import static io.tern.accounts.World.device;
import static io.tern.accounts.World.ok;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.Announcement;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.RegisteredEvent;
import io.tern.protocol.v1.Send;
import io.tern.protocol.v1.Setting;
import io.tern.store.Command;
import io.tern.store.Entry;
import io.tern.store.Outcome;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Who learns that an account was opened on another device: by an entry in their chat, and by the
/// profile.
class NoticesTest {

  private static final String PIN = "271828";
  private static final String ANNA = World.number(11_111_111);

  private final World world = new World(7);
  private Registered anna;
  private Registered bob;
  private ChatId chat;

  @BeforeEach
  void register() {
    anna = world.register(ANNA, PIN);
    bob = world.register(World.number(22_222_222));
    chat = ChatId.direct(anna.device().user(), bob.device().user());
    world.clock.pass(Duration.ofDays(2));
  }

  static void say(World world, DeviceId from, ChatId chat, long csn) {
    var content =
        Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(ByteString.copyFromUtf8("hello"));
    byte[] body = Send.newBuilder().setCsn(csn).setContent(content).build().toByteArray();
    Outcome outcome = world.run(new Command.Send(from, chat, body));
    assertThat(outcome).isInstanceOf(Outcome.Sent.class);
    ((Outcome.Sent) outcome).duties().forEach(world::run);
  }

  private void talk() {
    say(world, anna.device(), chat, 1);
    say(world, bob.device(), chat, 1);
  }

  /// When, as the chat's entries tell; each with the device that came in.
  static List<Long> told(World world, ChatId chat, DeviceId viewer) {
    var told = new ArrayList<Long>();
    List<Entry> entries =
        world.read(snapshots ->
            Reads.after(snapshots.of(Slots.of(chat)), chat, viewer.user(), 1, 1_000, 1_000_000)
                .entries());
    for (Entry entry : entries) {
      try {
        if (entry.kind() == Kind.KIND_REGISTERED_VALUE) {
          ByteString body = Content.parseFrom(entry.content()).getBody();
          told.add(RegisteredEvent.parseFrom(body).getAtMs());
        }
      } catch (InvalidProtocolBufferException e) {
        throw new AssertionError(e);
      }
    }
    return told;
  }

  private List<Long> told() {
    return told(world, chat, bob.device());
  }

  private Registered comeBack() {
    world.clock.pass(Duration.ofMinutes(5));
    return ok(world.accounts.registration().register(ANNA, world.ticket(ANNA), device(PIN)));
  }

  private long shownTo(Registered who) {
    return ok(world.accounts.profiles().of(who.device(), anna.device().user())).registeredMillis();
  }

  private void block(Registered by, Registered other, boolean on) {
    var block = Setting.newBuilder();
    block.getBlockBuilder().setUser(other.device().user().value()).setOn(on);
    var set = new Command.ChangeSettings(by.device(), List.of(block.build()));
    ((Outcome.Sent) world.run(set)).duties().forEach(world::run);
  }

  @Test
  void whomTheUserTalksWithIsTold() {
    talk();
    long made = shownTo(bob);
    assertThat(made).isPositive().isLessThan(world.clock.millis());
    assertThat(told()).isEmpty();
    Registered back = comeBack();
    assertThat(back.device().user()).isEqualTo(anna.device().user());
    long now = shownTo(bob);
    assertThat(now).isGreaterThan(made);
    assertThat(told()).containsExactly(now);
    assertThat(ok(world.accounts.profiles().own(back.device())).registeredMillis()).isEqualTo(now);
    assertThat(world.accounts.resume()).isZero();
  }

  @Test
  void theRecoveryKeyIsToldToo() {
    talk();
    Secret key = ok(world.accounts.recovery().createKey(anna.device(), new Secret(PIN)));
    ok(world.accounts.recovery().recover(anna.device().user(), key, "phone"));
    assertThat(told()).containsExactly(shownTo(bob));
  }

  @Test
  void theSameRegistrationAskedAgainIsOne() {
    talk();
    Secret ticket = world.ticket(ANNA);
    Registered first = ok(world.accounts.registration().register(ANNA, ticket, device(PIN)));
    world.clock.pass(Duration.ofMinutes(1));
    Registered again = ok(world.accounts.registration().register(ANNA, ticket, device(PIN)));
    assertThat(again.device()).isEqualTo(first.device());
    assertThat(told()).containsExactly(shownTo(bob));
  }

  @Test
  void aLinkedDeviceIsNoRegistration() {
    talk();
    long before = shownTo(bob);
    Linking linking = world.accounts.linking();
    Linking.Opened opened = ok(linking.open("tablet", World.caller("192.0.2.9")));
    ok(linking.claim(anna.device(), opened.link(), opened.key()));
    ok(linking.confirm(anna.device(), opened.link(), true));
    ok(linking.complete(opened.link(), opened.key()));
    assertThat(told()).isEmpty();
    assertThat(shownTo(bob)).isEqualTo(before);
  }

  @Test
  void strangersAreShownWhatTheyAreShownOfAnybody() {
    say(world, anna.device(), chat, 1);
    comeBack();
    assertThat(shownTo(bob)).isZero();
    assertThat(told()).isEmpty();
  }

  @Test
  void whoHasBlockedOrIsBlockedIsNotTold() {
    talk();
    block(bob, anna, true);
    comeBack();
    assertThat(shownTo(bob)).isZero();
    block(bob, anna, false);
    assertThat(shownTo(bob)).isPositive();
    Registered back = comeBack();
    block(back, bob, true);
    comeBack();
    assertThat(shownTo(bob)).isZero();
    assertThat(told()).hasSize(1);
  }

  @Test
  void aNewAccountOfTheNumberStandsInNoChatOfTheOneBefore() {
    talk();
    world.clock.pass(Duration.ofDays(8));
    Registered other = world.register(ANNA);
    assertThat(other.device().user()).isNotEqualTo(anna.device().user());
    assertThat(told()).isEmpty();
    long shown =
        ok(world.accounts.profiles().of(bob.device(), other.device().user())).registeredMillis();
    assertThat(shown).isZero();
  }

  @Test
  void nobodyFillsTheChatsOfOthersByComingBackAgainAndAgain() {
    talk();
    Registered now = anna;
    for (int i = 0; i < Notices.IN_A_DAY_MAX + 3; i++) {
      world.clock.pass(Duration.ofMinutes(5));
      Secret key = ok(world.accounts.recovery().createKey(now.device(), new Secret(PIN)));
      now = ok(world.accounts.recovery().recover(anna.device().user(), key, "phone"));
    }
    assertThat(told()).hasSize(Notices.IN_A_DAY_MAX);
    // The profile goes on telling.
    assertThat(shownTo(bob)).isEqualTo(world.clock.millis());
    world.clock.pass(Duration.ofDays(1));
    comeBack();
    assertThat(told()).hasSize(Notices.IN_A_DAY_MAX + 1);
  }

  @Test
  void oldAccountsWereRegisteredWhenTheyWereMade() {
    var old = Account.newBuilder().setCreatedMs(5_000);
    assertThat(Notices.registeredMillis(old.build())).isEqualTo(5_000);
    // A clock that has gone back makes no time come twice.
    Notices.note(old, 2, 4_000);
    assertThat(old.getRegisteredMs()).isEqualTo(5_001);
    assertThat(old.getAnnouncement())
        .isEqualTo(
            Announcement.newBuilder()
                .setAtMs(5_001)
                .setDevice(2)
                .setSinceMs(0)
                .setCount(1)
                .build());
  }
}
