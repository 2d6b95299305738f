package io.tern.accounts;

import static io.tern.accounts.World.ok;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Numbers that change hands among people, over random sequences of what people and networks do.
/// Whatever happens: nobody is let into an account by a number alone, the one who has shown a PIN
/// comes back to their own account and no other, and of two who had the same number at most one is
/// let in under a user's id, ever. Replay one seed with `-Dtern.seed=S`, run more with
/// `-Dtern.accounts.seeds=N`.
class RecyclingModelTest {

  private static final int STEPS = 60;
  private static final int PEOPLE = 4;
  private static final int NUMBERS = 3;

  static LongStream seeds() {
    Long one = Long.getLong("tern.seed");
    return one != null
        ? LongStream.of(one)
        : LongStream.range(0, Long.getLong("tern.accounts.seeds", 80));
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void nobodyComesIntoAnothersAccount(long seed) {
    try {
      new Run(seed).run();
    } catch (AssertionError | RuntimeException e) {
      throw new AssertionError("replay with -Dtern.seed=" + seed, e);
    }
  }

  /// Somebody with PINs and keys in their head, and devices in their pocket.
  private static final class Person {
    final int index;
    final String pin;
    final List<Registered> devices = new ArrayList<>();
    final Map<UserId, Secret> keys = new HashMap<>();

    Person(int index) {
      this.index = index;
      this.pin = "pin of " + index;
    }
  }

  private static final class Run {
    final World world;
    final RandomGenerator random;
    final List<Person> people = new ArrayList<>();

    /// Who reads texts to the number now: networks give numbers to others.
    final int[] reader = new int[NUMBERS];

    /// Whose account it is: who made it.
    final Map<UserId, Person> owner = new HashMap<>();

    Run(long seed) {
      world = new World(seed);
      random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
      for (int i = 0; i < PEOPLE; i++) {
        people.add(new Person(i));
      }
      for (int i = 0; i < NUMBERS; i++) {
        reader[i] = random.nextInt(PEOPLE);
      }
    }

    String number(int n) {
      return World.number(30_000_000 + n * 11_111_111L);
    }

    void run() {
      for (int step = 0; step < STEPS; step++) {
        Person person = people.get(random.nextInt(PEOPLE));
        switch (random.nextInt(14)) {
          case 0, 1 -> reader[random.nextInt(NUMBERS)] = random.nextInt(PEOPLE);
          case 2, 3, 4, 5 -> register(person);
          case 6 -> use(person);
          case 7 -> key(person);
          case 8 -> recover(person);
          case 9 -> change(person);
          case 10 -> delete(person);
          case 11 -> crash(person);
          case 12 -> pin(person);
          default ->
              world.clock.pass(
                  random.nextBoolean()
                      ? Duration.ofDays(random.nextInt(1, 9))
                      : Duration.ofHours(random.nextInt(1, 30)));
        }
        check();
      }
    }

    /// The number that this person reads; -1 = none.
    int numberOf(Person person) {
      int from = random.nextInt(NUMBERS);
      for (int i = 0; i < NUMBERS; i++) {
        int n = (from + i) % NUMBERS;
        if (reader[n] == person.index) {
          return n;
        }
      }
      return -1;
    }

    @Nullable Secret ticket(String number) {
      var sent = world.accounts.registration().requestCode(number, World.caller("192.0.2.1"));
      world.clock.pass(Duration.ofMinutes(1));
      if (sent instanceof Answer.Ok<Registration.CodeSent>(Registration.CodeSent code)) {
        return ok(world
                .accounts
                .registration()
                .verify(
                    number,
                    code.request(),
                    new Secret(world.codeOf(number)),
                    World.caller("192.0.2.1")))
            .ticket();
      }
      return null;
    }

    void register(Person person) {
      int n = numberOf(person);
      Secret ticket = n < 0 ? null : ticket(number(n));
      if (ticket == null) {
        return;
      }
      String pin = random.nextInt(3) == 0 ? null : person.pin;
      var answer = world.accounts.registration().register(number(n), ticket, World.device(pin));
      came(person, answer);
    }

    void came(Person person, Answer<Registered> answer) {
      if (answer instanceof Answer.Ok<Registered>(Registered registered)) {
        UserId user = registered.device().user();
        Person before = owner.putIfAbsent(user, person);
        // A new account is nobody's before; a known one was made by the same person.
        assertThat(before == null || before == person).as("%s is another's", user).isTrue();
        assertThat(before == person || !registered.sameAccount()).isTrue();
        // Coming in puts every other device of that account out.
        person.devices.removeIf(device -> device.device().user().equals(user));
        person.devices.add(registered);
        assertThat(world.connects(registered.device())).isTrue();
      } else {
        var refused = (Answer.Refused<?>) answer;
        assertThat(refused.code())
            .isIn(ErrorCode.NOT_ALLOWED, ErrorCode.RATE, ErrorCode.CONFLICT, ErrorCode.NOT_FOUND);
      }
    }

    void use(Person person) {
      for (int i = 0; i < person.devices.size(); i++) {
        Registered device = person.devices.get(i);
        var answer =
            world
                .accounts
                .tokens()
                .refresh(
                    device.device(),
                    device.secret(),
                    device.secretNumber(),
                    "attempt " + random.nextLong() + " of a person");
        if (answer instanceof Answer.Ok<Tokens.Pair>(Tokens.Pair pair)) {
          person.devices.set(
              i,
              new Registered(device.device(), pair.next(), pair.nextNumber(), pair.token(), true));
        }
      }
    }

    void key(Person person) {
      for (Registered device : person.devices) {
        if (world.accounts.recovery().createKey(device.device(), new Secret(person.pin))
            instanceof Answer.Ok<Secret>(Secret key)) {
          person.keys.put(device.device().user(), key);
        }
      }
    }

    void recover(Person person) {
      if (!person.keys.isEmpty()) {
        UserId user = person.keys.keySet().iterator().next();
        Secret key = Objects.requireNonNull(person.keys.remove(user));
        came(person, world.accounts.recovery().recover(user, key, "phone"));
      }
    }

    void change(Person person) {
      int n = numberOf(person);
      if (n < 0 || person.devices.isEmpty()) {
        return;
      }
      Secret ticket = ticket(number(n));
      if (ticket != null) {
        Registered device = person.devices.getLast();
        var _ =
            world
                .accounts
                .numbers()
                .change(device.device(), number(n), ticket, new Secret(person.pin));
      }
    }

    void delete(Person person) {
      if (!person.devices.isEmpty()) {
        DeviceId device = person.devices.getLast().device();
        var _ = world.accounts.deletion().delete(device, new Secret(person.pin));
      }
    }

    void pin(Person person) {
      if (!person.devices.isEmpty()) {
        DeviceId device = person.devices.getLast().device();
        var old = new Secret(person.pin);
        if (random.nextBoolean()) {
          var _ = world.accounts.pins().set(device, old, old);
        } else {
          var _ = world.accounts.pins().remove(device, old);
        }
      }
    }

    /// The process ends in the midst of somebody's registering.
    void crash(Person person) {
      int n = numberOf(person);
      Secret ticket = n < 0 ? null : ticket(number(n));
      if (ticket == null) {
        return;
      }
      world.lastIsDone = random.nextBoolean();
      world.writesLeft = random.nextInt(1, 14);
      String pin = random.nextBoolean() ? null : person.pin;
      try {
        came(person, world.accounts.registration().register(number(n), ticket, World.device(pin)));
      } catch (World.Crash crash) {
        world.restart();
        world.accounts.resume();
        // It may have been made, though nobody was told.
        if (world.accounts.admin().find(number(n)) instanceof Answer.Ok<UserId>(UserId user)) {
          owner.putIfAbsent(user, person);
        }
        if (random.nextBoolean()) {
          came(
              person, world.accounts.registration().register(number(n), ticket, World.device(pin)));
        }
      }
      world.writesLeft = Integer.MAX_VALUE;
    }

    void check() {
      Map<UserId, List<String>> numbersOf = new HashMap<>();
      for (int n = 0; n < NUMBERS; n++) {
        if (world.accounts.admin().find(number(n)) instanceof Answer.Ok<UserId>(UserId user)) {
          numbersOf.computeIfAbsent(user, u -> new ArrayList<>()).add(number(n));
        }
      }
      // An account has one number, and a number one account.
      assertThat(numbersOf.values()).allSatisfy(numbers -> assertThat(numbers).hasSize(1));
      for (Person person : people) {
        for (Registered device : person.devices) {
          if (world.connects(device.device())) {
            assertThat(owner.get(device.device().user())).isSameAs(person);
          }
        }
      }
    }
  }
}
