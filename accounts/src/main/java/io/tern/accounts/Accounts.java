package io.tern.accounts;

import io.tern.accounts.network.Networks;
import io.tern.accounts.pin.PinHasher;
import io.tern.accounts.sms.SmsSender;
import io.tern.protocol.UserId;
import io.tern.store.RecordKey;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;

/// The user service: its services, wired. It keeps nothing in memory; whatever it knows is in the
/// records, so that any number of processes may run it. Any thread; every method of the services
/// blocks and is meant for virtual threads.
public final class Accounts {

  /// Notes of work looked at in one go.
  private static final int WORK_MAX = 256;

  private final Context context;
  private final Erasing erasing;
  private final Numbers numbers;
  private final Registration registration;
  private final Recovery recovery;
  private final Pins pins;
  private final Devices devices;
  private final Tokens tokens;
  private final Linking linking;
  private final Discovery discovery;
  private final Usernames usernames;
  private final Profiles profiles;
  private final Deletion deletion;
  private final Exports exports;
  private final Admin admin;

  /// Wires the services over the shards.
  ///
  /// @param pepper 32 random bytes, the same for ever: without them nobody's number is found again
  /// @param networks whose networks addresses are, at this moment
  /// @param clock the shards' too
  /// @param random unpredictable: codes and secrets come from it
  public Accounts(
      AccountsConfig config,
      Shards shards,
      TokenSigner signer,
      SmsSender sms,
      byte[] pepper,
      Supplier<Networks> networks,
      AccountsMeter meter,
      InstantSource clock,
      RandomGenerator random) {
    this(
        config,
        shards,
        new ShardRecords(shards, clock),
        signer,
        sms,
        new PinHasher(PinHasher.MEMORY_KIB),
        Discovery.STEP,
        pepper,
        networks,
        meter,
        clock,
        random);
  }

  Accounts(
      AccountsConfig config,
      Shards shards,
      Records records,
      TokenSigner signer,
      SmsSender sms,
      PinHasher hasher,
      Duration lookupStep,
      byte[] pepper,
      Supplier<Networks> networks,
      AccountsMeter meter,
      InstantSource clock,
      RandomGenerator random) {
    context = new Context(config, shards, records, signer, pepper, networks, meter, clock, random);
    erasing = new Erasing(context);
    var gate = new PinGate(context, hasher);
    var codes = new Codes(context, sms);
    numbers = new Numbers(context, erasing, gate, codes);
    registration = new Registration(context, codes, gate, numbers, erasing);
    recovery = new Recovery(context, gate);
    pins = new Pins(context, gate);
    devices = new Devices(context);
    tokens = new Tokens(context, devices);
    linking = new Linking(context);
    usernames = new Usernames(context, erasing);
    discovery = new Discovery(context, usernames, lookupStep);
    profiles = new Profiles(context);
    deletion = new Deletion(context, erasing, gate);
    exports = new Exports(context);
    admin = new Admin(context, erasing, devices, usernames);
  }

  /// Finishes what another life of this process had begun: changes of numbers, deletions, devices
  /// to be put out, notices. Once, at the start; blocks until it is done.
  ///
  /// @return how many
  public int resume() {
    int resumed = 0;
    RecordKey last = null;
    while (true) {
      List<RecordKey> notes = context.records.keys(Kinds.WORK_SLOT, Kinds.WORK, last, WORK_MAX);
      for (RecordKey note : notes) {
        resume(userOf(note));
        resumed++;
        context.meter.add(AccountsEvent.RESUMED);
      }
      if (notes.size() < WORK_MAX) {
        return resumed;
      }
      last = notes.getLast();
    }
  }

  private void resume(UserId user) {
    numbers.goOn(user);
    registration.goOn(user);
    // Also says that the work is done.
    erasing.finish(user);
  }

  private static UserId userOf(RecordKey key) {
    long value = 0;
    for (byte b : key.id()) {
      value = value << 8 | (b & 0xFF);
    }
    return new UserId(value);
  }

  public Registration registration() {
    return registration;
  }

  public Recovery recovery() {
    return recovery;
  }

  public Pins pins() {
    return pins;
  }

  public Numbers numbers() {
    return numbers;
  }

  public Devices devices() {
    return devices;
  }

  public Tokens tokens() {
    return tokens;
  }

  public Linking linking() {
    return linking;
  }

  public Discovery discovery() {
    return discovery;
  }

  public Usernames usernames() {
    return usernames;
  }

  public Profiles profiles() {
    return profiles;
  }

  public Deletion deletion() {
    return deletion;
  }

  public Exports exports() {
    return exports;
  }

  public Admin admin() {
    return admin;
  }
}
