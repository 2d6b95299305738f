package io.tern.accounts;

import com.google.protobuf.ByteString;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.network.Networks;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.AccountDevice;
import io.tern.accounts.v1.NumberOwner;
import io.tern.accounts.v1.Work;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.store.Command;
import io.tern.store.Outcome;
import io.tern.store.Reads;
import io.tern.store.RecordKey;
import io.tern.store.Slots;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;

/// What the services share: accounts as they are kept, and what is done to the shards. Any thread.
final class Context {

  /// Bounds of what users write; the photo is a reference that the media service gave.
  static final int NAME_BYTES_MAX = 128;

  static final int ABOUT_BYTES_MAX = 512;
  static final int PHOTO_BYTES_MAX = 256;
  static final int DEVICE_NAME_BYTES_MAX = 64;

  final AccountsConfig config;
  final Shards shards;
  final Records records;
  final Cells cells;
  final Pepper pepper;
  final TokenSigner signer;
  final Supplier<Networks> networks;
  final AccountsMeter meter;
  final InstantSource clock;
  final RandomGenerator random;

  Context(
      AccountsConfig config,
      Shards shards,
      Records records,
      TokenSigner signer,
      byte[] pepper,
      Supplier<Networks> networks,
      AccountsMeter meter,
      InstantSource clock,
      RandomGenerator random) {
    this.config = config;
    this.shards = shards;
    this.records = records;
    this.cells = new Cells(records);
    this.pepper = new Pepper(pepper);
    this.signer = signer;
    this.networks = networks;
    this.meter = meter;
    this.clock = clock;
    this.random = random;
  }

  long now() {
    return clock.millis();
  }

  AccessToken token(DeviceId device) {
    meter.add(AccountsEvent.TOKENS_ISSUED);
    return signer.sign(device, Instant.ofEpochMilli(now()));
  }

  // ---- accounts -------------------------------------------------------------------------------

  /// Null when there is none, or it is being deleted.
  @Nullable Account account(UserId user) {
    Account found = cells.get(key(Kinds.ACCOUNT, user), Account.parser());
    return found == null || found.getClosing() ? null : found;
  }

  /// The account of a device that has shown its access token.
  Account require(DeviceId by) {
    return requireIn(account(by.user()), by);
  }

  private static Account requireIn(@Nullable Account account, DeviceId by) {
    if (account == null || account.getClosing() || device(account, by.index()) == null) {
      throw new Refusal(ErrorCode.REVOKED, "");
    }
    return account;
  }

  /// Changes the account of a device that has shown its access token.
  <R> R change(DeviceId by, Function<Account, Step<Account, R>> decide) {
    return cells.change(
        key(Kinds.ACCOUNT, by.user()),
        Account.parser(),
        found -> decide.apply(requireIn(found, by)));
  }

  /// Changes an account that there is; null when there is none or it is being deleted.
  <R> @Nullable R change(UserId user, Function<Account, Step<Account, R>> decide) {
    Optional<R> result =
        cells.change(
            key(Kinds.ACCOUNT, user),
            Account.parser(),
            found -> {
              if (found == null || found.getClosing()) {
                return Step.keep(Optional.empty());
              }
              Step<Account, R> step = decide.apply(found);
              return new Step<>(
                  step.after(), step.write(), step.expiresMillis(), Optional.of(step.result()));
            });
    return result.orElse(null);
  }

  static @Nullable AccountDevice device(Account account, int index) {
    for (AccountDevice device : account.getDevicesList()) {
      if (device.getIndex() == index) {
        return device;
      }
    }
    return null;
  }

  static @Nullable AccountDevice byOrigin(Account account, byte[] origin) {
    ByteString wanted = ByteString.copyFrom(origin);
    for (AccountDevice device : account.getDevicesList()) {
      if (device.getOrigin().equals(wanted)) {
        return device;
      }
    }
    return null;
  }

  /// Whether the answer that told the device its secret may be given again: nobody has used it, and
  /// it is not long ago.
  boolean isRepeatable(AccountDevice device) {
    return device.getNumber() == 1
        && device.getNext().isEmpty()
        && device.getCreatedMs() + Codes.TICKET_LIFE.toMillis() > now();
  }

  /// A device as it comes in; its secret is the same for the same origin, so that a lost answer can
  /// be given again.
  AccountDevice newDevice(UserId user, int index, String name, byte[] origin) {
    return AccountDevice.newBuilder()
        .setIndex(index)
        .setName(name)
        .setCreatedMs(now())
        .setUsedMs(now())
        .setNumber(1)
        .setSecret(hash(firstSecret(user, index, origin)))
        .setOrigin(ByteString.copyFrom(origin))
        .build();
  }

  Registered registered(UserId user, AccountDevice device, boolean sameAccount) {
    var id = new DeviceId(user, device.getIndex());
    Secret secret = firstSecret(user, device.getIndex(), device.getOrigin().toByteArray());
    return new Registered(id, secret, 1, token(id), sameAccount);
  }

  private Secret firstSecret(UserId user, int index, byte[] origin) {
    return pepper.secret(
        "first secret", Pepper.bytes(user.value()), Pepper.bytes((long) index), origin);
  }

  static ByteString hash(Secret secret) {
    return ByteString.copyFrom(Pepper.sha256(secret.bytes()));
  }

  /// In constant time.
  static boolean matches(byte[] one, ByteString other) {
    return MessageDigest.isEqual(one, other.toByteArray());
  }

  static boolean matches(Secret secret, ByteString hash) {
    return MessageDigest.isEqual(Pepper.sha256(secret.bytes()), hash.toByteArray());
  }

  // ---- numbers --------------------------------------------------------------------------------

  static RecordKey numberKey(byte[] hash) {
    return RecordKey.ofHash(Kinds.NUMBER, hash);
  }

  /// Whose number it is: the record says so and the account too; null when it is nobody's. Somebody
  /// in the midst of changing to it has it already.
  @Nullable UserId holder(byte[] numberHash) {
    NumberOwner owner = cells.get(numberKey(numberHash), NumberOwner.parser());
    if (owner == null) {
      return null;
    }
    var user = new UserId(owner.getUser());
    Account account = account(user);
    return account != null && holds(account, ByteString.copyFrom(numberHash)) ? user : null;
  }

  static boolean holds(Account account, ByteString numberHash) {
    return account.getNumberHash().equals(numberHash)
        || (account.hasChange()
            && !account.getChange().getMoved()
            && account.getChange().getToHash().equals(numberHash));
  }

  // ---- the shards -----------------------------------------------------------------------------

  /// Lets the device in.
  void enrol(DeviceId device) {
    switch (shards.execute(new Command.Enrol(device))) {
      case Outcome.Enrolled enrolled -> {}
      case Outcome.Refused(ErrorCode code, long csn, String detail) ->
          throw new Refusal(code, "", code.errorClass() == ErrorCode.ErrorClass.LATER ? 1_000 : 0);
      case Outcome other -> throw new IllegalStateException("enrol answered " + other);
    }
  }

  /// The device is out, and its sessions are told.
  void revoke(DeviceId device) {
    Outcome outcome = shards.execute(new Command.Revoke(device));
    if (!(outcome instanceof Outcome.DeviceRemoved)) {
      throw new IllegalStateException("revoke answered " + outcome);
    }
    meter.add(AccountsEvent.DEVICES_REVOKED);
  }

  /// Puts the devices out that the account names as doomed.
  void revokeDoomed(UserId user) {
    Account account = account(user);
    if (account == null || account.getDoomedCount() == 0) {
      return;
    }
    for (int index : account.getDoomedList()) {
      revoke(new DeviceId(user, index));
    }
    change(
        user,
        found -> {
          var left = Account.newBuilder(found).clearDoomed();
          for (int index : found.getDoomedList()) {
            if (!account.getDoomedList().contains(index)) {
              left.addDoomed(index);
            }
          }
          return Step.put(left.build(), true);
        });
  }

  /// When anything of the account was last used.
  long lastUsed(UserId user, Account account) {
    long used = account.getCreatedMs();
    for (AccountDevice device : account.getDevicesList()) {
      used = Math.max(used, device.getUsedMs());
    }
    long seen = shards.read(snapshots -> Reads.lastSeen(snapshots.of(Slots.of(user)), user));
    return Math.max(used, seen);
  }

  /// How long the user still is banned; 0 = is not.
  long bannedMillis(UserId user) {
    long until = shards.read(snapshots -> Reads.bannedUntil(snapshots.of(Slots.of(user)), user));
    return Math.max(0, until - now());
  }

  boolean isKnown(UserId user) {
    return shards.read(snapshots -> Reads.userKnown(snapshots.of(Slots.of(user)), user));
  }

  // ---- work that was begun --------------------------------------------------------------------

  /// Notes that something about the user is to be finished, should this process not do it.
  void begin(UserId user) {
    cells.change(
        work(user),
        Work.parser(),
        found ->
            found == null
                ? Step.put(Work.newBuilder().setBeganMs(now()).build(), true)
                : Step.keep(true));
  }

  /// Takes the note away, unless something of the account still waits to be done.
  void finished(UserId user) {
    Account account = cells.get(key(Kinds.ACCOUNT, user), Account.parser());
    if (account != null
        && (account.getClosing()
            || account.hasChange()
            || account.getDoomedCount() > 0
            || account.getAnnouncement().getAtMs() > 0)) {
      return;
    }
    cells.change(
        work(user), Work.parser(), found -> found == null ? Step.keep(true) : Step.delete(true));
  }

  private static RecordKey work(UserId user) {
    RecordKey own = key(Kinds.WORK, user);
    return new RecordKey(Kinds.WORK_SLOT, own.kind(), own.id());
  }

  static RecordKey key(char kind, UserId user) {
    return RecordKey.ofUser(kind, user);
  }

  // ---- what users write -----------------------------------------------------------------------

  /// Text for people, in one line: nothing that controls, not too long, no space around it.
  static String text(String text, String field, int bytesMax, boolean mayBeEmpty) {
    return checked(text.strip(), field, bytesMax, mayBeEmpty, false);
  }

  /// Likewise; may be of several lines, and empty.
  static String lines(String text, String field, int bytesMax) {
    return checked(text.strip(), field, bytesMax, true, true);
  }

  private static String checked(
      String text, String field, int bytesMax, boolean mayBeEmpty, boolean mayHaveLines) {
    boolean tooLong =
        text.length() > bytesMax || text.getBytes(StandardCharsets.UTF_8).length > bytesMax;
    boolean strange = text.codePoints().anyMatch(c -> isStrange(c) && !(mayHaveLines && c == '\n'));
    if (tooLong || strange || (text.isEmpty() && !mayBeEmpty)) {
      throw new Refusal(ErrorCode.ARGUMENT, field);
    }
    return text;
  }

  private static boolean isStrange(int c) {
    return switch (Character.getType(c)) {
      case Character.CONTROL,
          Character.SURROGATE,
          Character.LINE_SEPARATOR,
          Character.PARAGRAPH_SEPARATOR ->
          true;
      default -> isDirection(c);
    };
  }

  /// What turns the direction of what follows: a name must not rewrite the line it stands in.
  private static boolean isDirection(int c) {
    return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
  }
}
