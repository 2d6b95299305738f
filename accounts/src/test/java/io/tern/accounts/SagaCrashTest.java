package io.tern.accounts;

import static io.tern.accounts.World.caller;
import static io.tern.accounts.World.device;
import static io.tern.accounts.World.ok;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.store.Command;
import io.tern.store.Reads;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The process ends before and after every write of everything that takes more than one. The next
/// life finishes what was begun; what was asked may be asked again.
class SagaCrashTest {

  private static final String ANNA = World.number(11_111_111);
  private static final String NEW = World.number(22_222_222);
  private static final String PIN = "271828";

  /// Something that takes several writes.
  private interface Act {
    void run();
  }

  /// Runs `act` to a crash at every write; `check` after each restart, then `act` again to the end
  /// and `check` with done = true.
  private static void crashEverywhere(boolean lastIsDone, Case made) {
    int steps = 0;
    for (int at = 1; ; at++) {
      var world = new World(1_000 + at);
      Scene scene = made.in(world);
      world.lastIsDone = lastIsDone;
      world.writesLeft = at;
      boolean crashed = false;
      try {
        scene.act().run();
      } catch (World.Crash crash) {
        crashed = true;
      }
      world.restart();
      world.accounts.resume();
      scene.check(false);
      if (!crashed) {
        break;
      }
      steps++;
      scene.act().run();
      world.accounts.resume();
      scene.check(true);
      assertThat(world.accounts.resume()).as("work left").isZero();
    }
    System.out.println(steps + " crashes");
    assertThat(steps).isGreaterThan(2);
  }

  private interface Case {
    Scene in(World world);
  }

  private record Scene(Act act, java.util.function.Consumer<Boolean> check) {
    void check(boolean done) {
      check.accept(done);
    }
  }

  /// Every number leads to one account that says so too.
  private static List<UserId> holders(World world, String... numbers) {
    var holders = new ArrayList<UserId>();
    for (String number : numbers) {
      if (world.accounts.admin().find(number) instanceof Answer.Ok<UserId>(UserId user)) {
        holders.add(user);
      }
    }
    return holders;
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void registering(boolean lastIsDone) {
    crashEverywhere(
        lastIsDone,
        world -> {
          Secret ticket = world.ticket(ANNA);
          var last = new Registered[1];
          return new Scene(
              () -> last[0] = ok(world.accounts.registration().register(ANNA, ticket, device(PIN))),
              done -> {
                assertThat(holders(world, ANNA).size()).isLessThanOrEqualTo(1);
                if (done) {
                  Registered now = Objects.requireNonNull(last[0]);
                  assertThat(holders(world, ANNA)).containsExactly(now.device().user());
                  assertThat(world.connects(now.device())).isTrue();
                  assertThat(world.refreshes(now)).isTrue();
                }
              });
        });
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void takingANumberFromAnAccount(boolean lastIsDone) {
    crashEverywhere(
        lastIsDone,
        world -> {
          Registered old = world.register(ANNA);
          Secret ticket = world.ticket(ANNA);
          var last = new Registered[1];
          return new Scene(
              () ->
                  last[0] = ok(world.accounts.registration().register(ANNA, ticket, device(null))),
              done -> {
                List<UserId> holders = holders(world, ANNA);
                assertThat(holders.size()).isLessThanOrEqualTo(1);
                // Never both: who holds the number, and the one before.
                if (!holders.contains(old.device().user())) {
                  assertThat(world.connects(old.device())).isFalse();
                  assertThat(world.refreshes(old)).isFalse();
                }
                if (done) {
                  Registered now = Objects.requireNonNull(last[0]);
                  assertThat(holders).containsExactly(now.device().user());
                  assertThat(now.device().user()).isNotEqualTo(old.device().user());
                  assertThat(world.connects(now.device())).isTrue();
                }
              });
        });
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void comingBackWithThePin(boolean lastIsDone) {
    crashEverywhere(
        lastIsDone,
        world -> {
          Registered old = world.register(ANNA, PIN);
          Registered bob = world.register(NEW);
          ChatId chat = ChatId.direct(old.device().user(), bob.device().user());
          NoticesTest.say(world, old.device(), chat, 1);
          NoticesTest.say(world, bob.device(), chat, 1);
          Secret ticket = world.ticket(ANNA);
          var last = new Registered[1];
          return new Scene(
              () -> {
                world.clock.pass(java.time.Duration.ofSeconds(2));
                last[0] = ok(world.accounts.registration().register(ANNA, ticket, device(PIN)));
              },
              done -> {
                assertThat(holders(world, ANNA)).containsExactly(old.device().user());
                // The chat tells of the registration when there was one, and once.
                List<Long> told = NoticesTest.told(world, chat, bob.device());
                long shown =
                    ok(world.accounts.profiles().of(bob.device(), old.device().user()))
                        .registeredMillis();
                boolean isBack = !world.refreshes(old);
                assertThat(told).isEqualTo(isBack ? List.of(shown) : List.of());
                if (done) {
                  assertThat(isBack).isTrue();
                  Registered now = Objects.requireNonNull(last[0]);
                  assertThat(now.device().user()).isEqualTo(old.device().user());
                  assertThat(world.connects(now.device())).isTrue();
                  assertThat(world.connects(old.device())).isFalse();
                  assertThat(world.refreshes(old)).isFalse();
                  assertThat(ok(world.accounts.devices().list(now.device()))).hasSize(1);
                }
              });
        });
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void changingTheNumber(boolean lastIsDone) {
    crashEverywhere(
        lastIsDone,
        world -> {
          Registered anna = world.register(ANNA);
          Secret ticket = world.ticket(NEW);
          UserId user = anna.device().user();
          return new Scene(
              () -> {
                var answer = world.accounts.numbers().change(anna.device(), NEW, ticket, null);
                if (answer instanceof Answer.Refused<Answer.Done> refused) {
                  // The life before had done all of it, the ticket's end too.
                  assertThat(refused.field()).isEqualTo("ticket");
                }
              },
              done -> {
                // At every moment one of the two leads here, and the account says which.
                List<UserId> holders = holders(world, ANNA, NEW);
                assertThat(holders).isNotEmpty().containsOnly(user);
                String own = ok(world.accounts.profiles().own(anna.device())).number();
                assertThat(holders(world, own)).containsExactly(user);
                if (done) {
                  assertThat(own).isEqualTo(NEW);
                  assertThat(holders).hasSize(1);
                  // The old one is free.
                  Registered other = world.register(ANNA);
                  assertThat(other.device().user()).isNotEqualTo(user);
                  assertThat(world.connects(anna.device())).isTrue();
                }
              });
        });
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void changingToANumberOfSomebody(boolean lastIsDone) {
    crashEverywhere(
        lastIsDone,
        world -> {
          Registered anna = world.register(ANNA);
          Registered bob = world.register(NEW);
          Secret ticket = world.ticket(NEW);
          return new Scene(
              () -> {
                var answer = world.accounts.numbers().change(anna.device(), NEW, ticket, null);
                if (answer instanceof Answer.Refused<Answer.Done> refused) {
                  assertThat(refused.field()).isEqualTo("ticket");
                }
              },
              done -> {
                assertThat(holders(world, NEW).size()).isLessThanOrEqualTo(1);
                if (done) {
                  assertThat(holders(world, NEW)).containsExactly(anna.device().user());
                  assertThat(holders(world, ANNA)).isEmpty();
                  assertThat(world.connects(bob.device())).isFalse();
                }
              });
        });
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void deletingAnAccount(boolean lastIsDone) {
    crashEverywhere(
        lastIsDone,
        world -> {
          Registered anna = world.register(ANNA);
          UserId user = anna.device().user();
          var bob = new UserId(4_242);
          world.run(new Command.Enrol(new io.tern.protocol.DeviceId(bob, 1)));
          ChatId chat = ChatId.direct(user, bob);
          world.run(new Command.ListChat(user, chat));
          ok(world.accounts.usernames().set(anna.device(), "anna_k"));
          return new Scene(
              () -> {
                var _ = world.accounts.deletion().delete(anna.device(), null);
              },
              done -> {
                boolean gone = !world.connects(anna.device());
                if (gone) {
                  // Once begun, the next life has finished it.
                  assertThat(holders(world, ANNA)).isEmpty();
                  assertThat(world.chats(user)).isEmpty();
                  assertThat(Reads.userExists(world.storage, user)).isFalse();
                  assertThat(Reads.isBlocked(world.storage, chat)).isTrue();
                }
                if (done) {
                  assertThat(gone).isTrue();
                }
              });
        });
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void linkingADevice(boolean lastIsDone) {
    crashEverywhere(
        lastIsDone,
        world -> {
          Registered anna = world.register(ANNA);
          Linking linking = world.accounts.linking();
          Linking.Opened opened = ok(linking.open("tablet", caller("192.0.2.9")));
          ok(linking.claim(anna.device(), opened.link(), opened.key()));
          ok(linking.confirm(anna.device(), opened.link(), true));
          var last = new Registered[1];
          return new Scene(
              () -> last[0] = ok(world.accounts.linking().complete(opened.link(), opened.key())),
              done -> {
                assertThat(ok(world.accounts.devices().list(anna.device())).size())
                    .isLessThanOrEqualTo(2);
                if (done) {
                  Registered now = Objects.requireNonNull(last[0]);
                  assertThat(ok(world.accounts.devices().list(anna.device()))).hasSize(2);
                  assertThat(world.connects(now.device())).isTrue();
                  assertThat(world.refreshes(now)).isTrue();
                  assertThat(world.refreshes(anna)).isTrue();
                }
              });
        });
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void recovering(boolean lastIsDone) {
    crashEverywhere(
        lastIsDone,
        world -> {
          Registered old = world.register(ANNA);
          Secret key = ok(world.accounts.recovery().createKey(old.device(), null));
          var last = new Registered[1];
          return new Scene(
              () ->
                  last[0] =
                      ok(world.accounts.recovery().recover(old.device().user(), key, "phone")),
              done -> {
                if (done) {
                  Registered now = Objects.requireNonNull(last[0]);
                  assertThat(world.connects(now.device())).isTrue();
                  assertThat(world.connects(old.device())).isFalse();
                }
              });
        });
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void givingAUsername(boolean lastIsDone) {
    crashEverywhere(
        lastIsDone,
        world -> {
          Registered anna = world.register(ANNA);
          ok(world.accounts.usernames().set(anna.device(), "first"));
          return new Scene(
              () -> ok(world.accounts.usernames().set(anna.device(), "second")),
              done -> {
                String name = ok(world.accounts.profiles().own(anna.device())).username();
                assertThat(name).isIn("first", "second");
                if (done) {
                  assertThat(name).isEqualTo("second");
                }
              });
        });
  }

  @org.junit.jupiter.api.Test
  void aWriteThatFailsIsSeen() {
    var world = new World(1);
    world.writesLeft = 1;
    assertThatThrownBy(() -> world.register(ANNA)).isInstanceOf(World.Crash.class);
  }
}
