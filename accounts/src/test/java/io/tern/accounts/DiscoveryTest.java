package io.tern.accounts;

import static io.tern.accounts.World.ok;
import static io.tern.accounts.World.refused;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Setting;
import io.tern.store.Command;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/// Who finds whom, and how much can be found out.
class DiscoveryTest {

  private static final String ANNA = World.number(16_161_616);
  private static final String BOB = World.number(17_171_717);
  private static final String NOBODY = World.number(18_181_818);

  private final World world = new World(11);
  private final Registered anna = world.register(ANNA);
  private final Registered bob = world.register(BOB);

  private Discovery discovery() {
    return world.accounts.discovery();
  }

  private List<Optional<UserId>> lookUp(Registered by, String... numbers) {
    return ok(discovery().lookUp(by.device(), List.of(numbers))).users();
  }

  private static Optional<UserId> user(Registered registered) {
    return Optional.of(registered.device().user());
  }

  private void set(DeviceId by, Setting.Builder setting) {
    world.run(new Command.ChangeSettings(by, List.of(setting.build())));
  }

  @Test
  void usersAreFoundByTheirNumbers() {
    assertThat(lookUp(anna, NOBODY, BOB, "no number", "+49 " + BOB.substring(3)))
        .containsExactly(Optional.empty(), user(bob), Optional.empty(), user(bob));
  }

  @Test
  void whoIsHiddenIsAsNobody() {
    ok(discovery().setDiscoverable(bob.device(), Discovery.By.NOBODY));
    assertThat(lookUp(anna, BOB)).isEqualTo(lookUp(anna, NOBODY));
    ok(discovery().setDiscoverable(bob.device(), Discovery.By.CONTACTS));
    assertThat(lookUp(anna, BOB)).containsExactly(Optional.empty());
    var contact = Setting.newBuilder();
    contact.getContactBuilder().setUser(anna.device().user().value()).setName("Anna");
    set(bob.device(), contact);
    assertThat(lookUp(anna, BOB)).containsExactly(user(bob));
  }

  @Test
  void whoIsBlockedFindsNobody() {
    var block = Setting.newBuilder();
    block.getBlockBuilder().setUser(anna.device().user().value()).setOn(true);
    set(bob.device(), block);
    assertThat(lookUp(anna, BOB)).containsExactly(Optional.empty());
    assertThat(lookUp(bob, ANNA)).containsExactly(user(anna));
  }

  @Test
  void eachNumberCostsFoundOrNot() {
    var config = AccountsConfig.DEFAULTS;
    var many = World.numbers(config.lookupsYoung());
    assertThat(ok(discovery().lookUp(anna.device(), many)).left()).isZero();
    var refused =
        refused(discovery().lookUp(anna.device(), List.of(BOB)), ErrorCode.RATE, "numbers");
    assertThat(refused.retryMillis())
        .isBetween(1L, Duration.ofDays(1).toMillis() / config.lookupsPerDay() + 2);
    world.restart();
    refused(discovery().lookUp(anna.device(), List.of(BOB)), ErrorCode.RATE, "numbers");
    world.clock.pass(Duration.ofDays(1));
    assertThat(ok(discovery().lookUp(anna.device(), List.of(BOB))).left())
        .isEqualTo(config.lookupsPerDay() - 1);
    world.clock.pass(Duration.ofDays(100));
    assertThat(ok(discovery().lookUp(anna.device(), List.of(BOB))).left())
        .isEqualTo(config.lookupsMax() - 1);
  }

  @Test
  void aRequestHasItsSize() {
    refused(discovery().lookUp(anna.device(), List.of()), ErrorCode.ARGUMENT, "numbers");
    refused(
        discovery().lookUp(anna.device(), World.numbers(Discovery.NUMBERS_MAX + 1)),
        ErrorCode.ARGUMENT,
        "numbers");
  }

  /// Ten accounts walk through all numbers for a day: what they learn is what their budgets are.
  @Test
  void walkingThroughAllNumbersLearnsTheBudget() {
    var config = AccountsConfig.DEFAULTS;
    var thieves = new ArrayList<Registered>();
    for (int i = 0; i < 10; i++) {
      thieves.add(world.register("+4916%d5%06d".formatted(i % 2 == 0 ? 0 : 2, 100_000 + i)));
    }
    Set<String> tried = new HashSet<>();
    long next = 0;
    for (int hour = 0; hour < 24; hour++) {
      for (Registered thief : thieves) {
        for (int size : new int[] {500, 100, 10, 1}) {
          var numbers = new ArrayList<String>();
          for (int i = 0; i < size; i++) {
            numbers.add(World.number(next++));
          }
          if (discovery().lookUp(thief.device(), numbers) instanceof Answer.Ok) {
            tried.addAll(numbers);
          }
        }
      }
      world.clock.pass(Duration.ofHours(1));
    }
    assertThat(tried.size())
        .isGreaterThan(0)
        .isLessThanOrEqualTo(thieves.size() * (config.lookupsYoung() + config.lookupsPerDay() + 1));
  }

  @Test
  void theSameIsReadForEveryNumber() {
    ok(discovery().setDiscoverable(bob.device(), Discovery.By.NOBODY));
    int unknown = reads(() -> lookUp(anna, NOBODY));
    assertThat(reads(() -> lookUp(anna, BOB))).isEqualTo(unknown);
    assertThat(reads(() -> lookUp(bob, ANNA))).isEqualTo(unknown);
    assertThat(reads(() -> lookUp(anna, "not a number"))).isEqualTo(unknown);
  }

  private int reads(Runnable asked) {
    int before = world.reads;
    asked.run();
    return world.reads - before;
  }

  // ---- usernames -------------------------------------------------------------------------------

  @Test
  void searchIsOffUntilTheOperatorSwitchesItOn() {
    ok(world.accounts.usernames().set(bob.device(), "Bob.Builder_1"));
    refused(
        discovery().byUsername(anna.device(), "bob.builder_1"), ErrorCode.UNSUPPORTED, "username");
    world.config(Configs.search(AccountsConfig.DEFAULTS));
    assertThat(ok(discovery().byUsername(anna.device(), "BOB.builder_1"))).isEqualTo(user(bob));
    assertThat(ok(discovery().byUsername(anna.device(), "bob.builder"))).isEmpty();
    assertThat(ok(discovery().byUsername(anna.device(), "strange name!"))).isEmpty();
  }

  @Test
  void aNameIsOneUsersOnly() {
    ok(world.accounts.usernames().set(bob.device(), "the_name"));
    refused(
        world.accounts.usernames().set(anna.device(), "THE_name"), ErrorCode.CONFLICT, "username");
    ok(world.accounts.usernames().set(bob.device(), "the_name"));
    ok(world.accounts.usernames().set(bob.device(), "other"));
    // Given up, it is kept for who had it.
    world.clock.pass(Duration.ofDays(29));
    refused(
        world.accounts.usernames().set(anna.device(), "the_name"), ErrorCode.CONFLICT, "username");
    world.clock.pass(Duration.ofDays(2));
    ok(world.accounts.usernames().set(anna.device(), "the_name"));
    assertThat(ok(world.accounts.profiles().own(anna.device())).username()).isEqualTo("the_name");
    ok(world.accounts.usernames().release(anna.device()));
    assertThat(ok(world.accounts.profiles().own(anna.device())).username()).isEmpty();
    ok(world.accounts.usernames().set(anna.device(), "the_name"));
  }

  @Test
  void namesHaveRules() {
    for (String name :
        new String[] {
          "",
          "ab",
          "1ab",
          "_ab",
          "ab_",
          "a..b",
          "a._b",
          "a b",
          "näme",
          "admin",
          "Support",
          "x".repeat(33),
          "\u0430nna"
        }) {
      refused(world.accounts.usernames().set(anna.device(), name), ErrorCode.ARGUMENT, "username");
    }
    ok(world.accounts.usernames().set(anna.device(), "x".repeat(32)));
  }
}
