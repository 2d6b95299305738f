package io.tern.accounts;

import static io.tern.accounts.World.device;
import static io.tern.accounts.World.ok;
import static io.tern.accounts.World.refused;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.accounts.HookedRecords.Change;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.time.Duration;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Two act on one account, number or name at the same moment.
class MeetingTest {

  private static final String ANNA = World.number(23_456_789);
  private static final String NEW = World.number(98_765_432);
  private static final String PIN = "314159";

  private final World world = new World(11);

  @AfterEach
  void nothingIsLeftToDo() {
    assertThat(world.accounts.resume()).as("work left").isZero();
  }

  /// What `asked` comes to when `other` acts just before its first such change of a record.
  private <T> Answer<T> meeting(
      Change change, char kind, Runnable other, Function<Accounts, Answer<T>> asked) {
    var hooked = new HookedRecords(new ShardRecords(world, world.clock), change, kind, other);
    Answer<T> answer = asked.apply(world.open(hooked));
    assertThat(hooked.hasMet()).isTrue();
    return answer;
  }

  private UserId userOf(String number) {
    return ok(world.accounts.admin().find(number));
  }

  // ---- the PIN ---------------------------------------------------------------------------------

  @Test
  void aPinThatIsRemovedWhileAnotherIsTriedLetsNobodyIn() {
    Registered anna = world.register(ANNA, PIN);
    Secret ticket = world.ticket(ANNA);
    refused(
        meeting(
            Change.PUT,
            Kinds.ACCOUNT,
            () -> ok(world.accounts.pins().remove(anna.device(), new Secret(PIN))),
            accounts -> accounts.registration().register(ANNA, ticket, device(World.PIN_WRONG))),
        ErrorCode.NOT_ALLOWED,
        "pin");
    assertThat(world.connects(anna.device())).isTrue();
    assertThat(ok(world.accounts.admin().overview(anna.device().user())).hasPin()).isFalse();
  }

  @Test
  void aPinThatIsSetWhileTheNumberIsTakenKeepsTheAccount() {
    Registered anna = world.register(ANNA);
    Secret ticket = world.ticket(ANNA);
    refused(
        meeting(
            Change.PUT,
            Kinds.ACCOUNT,
            () -> ok(world.accounts.pins().set(anna.device(), null, new Secret(PIN))),
            accounts -> accounts.registration().register(ANNA, ticket, device(null))),
        ErrorCode.NOT_ALLOWED,
        "pin");
    assertThat(world.connects(anna.device())).isTrue();
    assertThat(userOf(ANNA)).isEqualTo(anna.device().user());
  }

  // ---- the number ------------------------------------------------------------------------------

  @Test
  void whoHasLeftTheNumberLosesNothingWithIt() {
    Registered anna = world.register(ANNA);
    Secret ticket = world.ticket(ANNA);
    Secret ticketOfNew = world.ticket(NEW);
    Registered other =
        ok(
            meeting(
                Change.PUT,
                Kinds.ACCOUNT,
                () -> ok(world.accounts.numbers().change(anna.device(), NEW, ticketOfNew, null)),
                accounts -> accounts.registration().register(ANNA, ticket, device(null))));
    assertThat(world.connects(anna.device())).isTrue();
    assertThat(world.refreshes(anna)).isTrue();
    assertThat(userOf(NEW)).isEqualTo(anna.device().user());
    assertThat(userOf(ANNA)).isEqualTo(other.device().user());
  }

  @Test
  void whoTakesTheOldNumberBackWhileItIsFreedHasIt() {
    Registered anna = world.register(ANNA);
    Secret ticketOfNew = world.ticket(NEW);
    Secret ticketBack = world.ticket(ANNA);
    refused(
        meeting(
            Change.DELETE,
            Kinds.NUMBER,
            () -> ok(world.accounts.numbers().change(anna.device(), ANNA, ticketBack, null)),
            accounts -> accounts.numbers().change(anna.device(), NEW, ticketOfNew, null)),
        ErrorCode.CONFLICT,
        "number");
    assertThat(userOf(ANNA)).isEqualTo(anna.device().user());
  }

  // ---- the username ----------------------------------------------------------------------------

  @Test
  void aNameThatIsTakenAgainWhileItIsGivenUpStaysItsOwners() {
    Registered anna = world.register(ANNA);
    Registered other = world.register(NEW);
    ok(world.accounts.usernames().set(anna.device(), "anna"));
    ok(
        meeting(
            Change.PUT,
            Kinds.USERNAME,
            () -> ok(world.accounts.usernames().set(anna.device(), "anna")),
            accounts -> accounts.usernames().release(anna.device())));
    world.clock.pass(Duration.ofDays(365));
    refused(world.accounts.usernames().set(other.device(), "anna"), ErrorCode.CONFLICT, "username");
    assertThat(ok(world.accounts.admin().findByUsername("anna"))).isEqualTo(anna.device().user());
  }

  @Test
  void aNameThatIsGivenUpWhileItIsTakenAgainStaysItsOwners() {
    Registered anna = world.register(ANNA);
    Registered other = world.register(NEW);
    // The name is claimed, and the account does not say so yet.
    ok(
        meeting(
            Change.PUT,
            Kinds.ACCOUNT,
            () -> {
              ok(world.accounts.usernames().set(anna.device(), "anna"));
              ok(world.accounts.usernames().release(anna.device()));
            },
            accounts -> accounts.usernames().set(anna.device(), "anna")));
    world.clock.pass(Duration.ofDays(365));
    refused(world.accounts.usernames().set(other.device(), "anna"), ErrorCode.CONFLICT, "username");
  }
}
