package io.tern.accounts;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.accounts.network.Networks;
import io.tern.accounts.pin.PinHasher;
import io.tern.accounts.sms.SmsSender;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.store.Command;
import io.tern.store.LocalLog;
import io.tern.store.Outcome;
import io.tern.store.Reads;
import io.tern.store.Shard;
import io.tern.store.ShardConfig;
import io.tern.store.Slots;
import io.tern.store.memory.MemoryStorage;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.jspecify.annotations.Nullable;

/// The user service over a real shard on a simulated disk, a phone network that keeps the last text
/// to each number, and a process that can be made to end at any write.
final class World implements Shards {

  static final String PIN_WRONG = "000000";

  /// The process has ended here.
  static final class Crash extends RuntimeException {
    private static final long serialVersionUID = 1;

    Crash() {
      super("crash", null, false, false);
    }
  }

  final MutableClock clock = new MutableClock();
  final RandomGenerator random;
  final MemoryStorage storage = new MemoryStorage();
  final Map<String, String> texts = new ConcurrentHashMap<>();
  final Map<AccountsEvent, Integer> counts = new EnumMap<>(AccountsEvent.class);
  final Set<DeviceId> killed = new HashSet<>();
  SmsSender.SmsOutcome smsOutcome = new SmsSender.SmsOutcome.Accepted("");

  /// Writes until the process ends; then each throws. Whether the last one is still executed.
  int writesLeft = Integer.MAX_VALUE;

  boolean lastIsDone;
  int writes;
  int reads;

  /// Whose networks addresses are.
  Networks networks = Networks.NONE;

  private Duration lookupStep = Duration.ZERO;
  private Shard shard;
  private AccountsConfig config;
  Accounts accounts;

  World(long seed) {
    this(seed, AccountsConfig.DEFAULTS);
  }

  World(long seed, AccountsConfig config) {
    random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
    this.config = config;
    shard = openShard();
    accounts = open(null);
  }

  private Shard openShard() {
    return new Shard(storage, new LocalLog(storage), ShardConfig.of(0, 1));
  }

  Accounts open(@Nullable Records records) {
    return new Accounts(
        config,
        this,
        records == null ? new ShardRecords(this, clock) : records,
        (device, now) -> new AccessToken("token of " + device, now.plusSeconds(900)),
        (number, text) -> {
          texts.put(number, text);
          return smsOutcome;
        },
        new PinHasher(64),
        lookupStep,
        new byte[32],
        () -> networks,
        event -> {
          synchronized (counts) {
            counts.merge(event, 1, Integer::sum);
          }
        },
        clock,
        random);
  }

  void config(AccountsConfig config) {
    this.config = config;
    accounts = open(null);
  }

  void lookupStep(Duration step) {
    lookupStep = step;
    accounts = open(null);
  }

  /// A new life of the process.
  void restart() {
    writesLeft = Integer.MAX_VALUE;
    storage.restart();
    synchronized (this) {
      shard = openShard();
      shard.outbox().forEach(record -> record.duties().forEach(this::run));
    }
    accounts = open(null);
  }

  int count(AccountsEvent event) {
    synchronized (counts) {
      return counts.getOrDefault(event, 0);
    }
  }

  // ---- Shards ---------------------------------------------------------------------------------

  @Override
  public synchronized Outcome execute(Command command) {
    if (writesLeft <= 0) {
      throw new Crash();
    }
    writesLeft--;
    if (writesLeft == 0 && !lastIsDone) {
      throw new Crash();
    }
    writes++;
    Outcome outcome = run(command);
    if (outcome instanceof Outcome.DeviceRemoved(DeviceId device)) {
      killed.add(device);
    }
    if (outcome instanceof Outcome.UserErased erased) {
      erased.duties().forEach(this::run);
    }
    if (outcome instanceof Outcome.Announced announced) {
      announced.duties().forEach(this::run);
    }
    if (writesLeft == 0) {
      throw new Crash();
    }
    return outcome;
  }

  synchronized Outcome run(Command command) {
    Outcome outcome = shard.prepare(command, clock.millis());
    shard.commit();
    return outcome;
  }

  @Override
  public synchronized <T> T read(Function<Snapshots, T> question) {
    reads++;
    return question.apply(slot -> storage);
  }

  // ---- short words ----------------------------------------------------------------------------

  static Caller caller(String address) {
    try {
      return new Caller(InetAddress.getByName(address));
    } catch (UnknownHostException e) {
      throw new AssertionError(e);
    }
  }

  static <T> T ok(Answer<T> answer) {
    if (answer instanceof Answer.Ok<T>(T value)) {
      return value;
    }
    throw new AssertionError("refused: " + answer);
  }

  static Answer.Refused<?> refused(Answer<?> answer, ErrorCode code, String field) {
    assertThat(answer).isInstanceOf(Answer.Refused.class);
    var refused = (Answer.Refused<?>) answer;
    assertThat(refused.code()).isEqualTo(code);
    assertThat(refused.field()).isEqualTo(field);
    return refused;
  }

  String codeOf(String number) {
    return Objects.requireNonNull(texts.get(number), "no text to " + number).substring(0, 6);
  }

  static Registration.NewDevice device(@Nullable String pin) {
    return new Registration.NewDevice("phone", "Anna", "", pin == null ? null : new Secret(pin));
  }

  /// Shows to have the number; a minute later, so that the next code may be asked for.
  Secret ticket(String number) {
    Registration.CodeSent sent =
        ok(accounts.registration().requestCode(number, caller("192.0.2.1")));
    clock.pass(config.resendAfter());
    return ok(accounts
            .registration()
            .verify(number, sent.request(), new Secret(codeOf(number)), caller("192.0.2.1")))
        .ticket();
  }

  Registered register(String number) {
    return register(number, null);
  }

  Registered register(String number, @Nullable String pin) {
    return ok(accounts.registration().register(number, ticket(number), device(pin)));
  }

  Answer<Registered> tryRegister(String number, @Nullable String pin) {
    return accounts.registration().register(number, ticket(number), device(pin));
  }

  /// The device connects, as an edge lets it.
  boolean connects(DeviceId device) {
    return run(new Command.Enrol(device)) instanceof Outcome.Enrolled;
  }

  boolean refreshes(Registered registered) {
    return accounts
            .tokens()
            .refresh(
                registered.device(),
                registered.secret(),
                registered.secretNumber(),
                "attempt-" + random.nextLong() + "-0000000000")
        instanceof Answer.Ok;
  }

  List<ChatId> chats(UserId user) {
    return read(
        snapshots -> Reads.chatsOf(snapshots.of(Slots.of(user)), user, null, Integer.MAX_VALUE));
  }

  /// Valid numbers, of a mobile range that is large.
  static String number(long n) {
    return "+49151%08d".formatted(n % 100_000_000);
  }

  static List<String> numbers(int count) {
    var numbers = new ArrayList<String>();
    for (int i = 0; i < count; i++) {
      numbers.add(number(10_000_000 + i * 10_007L));
    }
    return numbers;
  }
}
