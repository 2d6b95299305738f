package io.tern.accounts;

import io.tern.accounts.Answer.Done;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.AccountDevice;
import io.tern.accounts.v1.Link;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.store.RecordKey;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Another device of an account, by QR code. The new device shows a code that holds the link and a
/// one-time key; a device of the account reads it, its user sees the new one's name and six digits
/// that the new one shows too, and says yes; the new one sees whose account it is and says yes too.
///
/// ```
/// new device: open ──► OPEN ──► CLAIMED ──► CONFIRMED ──► DONE :new device: complete
///                        account's device: claim, confirm (or REFUSED)
/// ```
///
/// A link lives `linkLife`, is bound to the device that claimed it, and brings one device in. Who
/// photographs the code can claim it, for an account of their own: the new device says whose
/// account it would come into. Any thread; blocks.
public final class Linking {

  /// How far a link is.
  public enum State {
    OPEN(0),
    CLAIMED(1),
    CONFIRMED(2),
    REFUSED(3),
    DONE(4);

    /// In the record.
    final int number;

    State(int number) {
      this.number = number;
    }

    static State of(int number) {
      for (State state : values()) {
        if (state.number == number) {
          return state;
        }
      }
      throw new IllegalStateException("a link in state " + number);
    }
  }

  /// A link for a QR code: `tern-link:1:` link `:` key.
  public record Opened(String link, Secret key, long expiresMillis) {}

  /// What the account's device shows to its user.
  ///
  /// @param compare six digits, which the new device shows too
  public record Claimed(String deviceName, String compare) {
    @Override
    public String toString() {
      return "Claimed[]";
    }
  }

  /// What the new device shows.
  ///
  /// @param accountName whose account it would come into; empty while nobody has claimed it
  public record Status(State state, String compare, String accountName) {
    @Override
    public String toString() {
      return "Status[" + state + "]";
    }
  }

  private static final int ID_BYTES = 16;
  private static final int OPENED_PER_ADDRESS = 100;

  private final Context context;
  private final Tallies tallies;

  Linking(Context context) {
    this.context = context;
    this.tallies = new Tallies(context);
  }

  /// Begins, on the new device, which nobody knows yet.
  public Answer<Opened> open(String deviceName, Caller caller) {
    return Answer.of(() -> {
      String name = Context.text(deviceName, "device", Context.DEVICE_NAME_BYTES_MAX, false);
      tallies.check("links", "", caller, OPENED_PER_ADDRESS);
      tallies.count("links", caller);
      byte[] id = Pepper.random(context.random, ID_BYTES);
      var key = new Secret(Pepper.text(Pepper.random(context.random, 32)));
      long expires = context.now() + context.config.linkLife().toMillis();
      var link = Link.newBuilder().setKey(Context.hash(key)).setDeviceName(name).build();
      boolean made = context.records.put(key(id), 0, link.toByteArray(), expires);
      if (!made) {
        throw new IllegalStateException("128 random bits twice");
      }
      return new Opened(Pepper.text(id), key, expires);
    });
  }

  /// Reads the code, on a device of the account.
  public Answer<Claimed> claim(DeviceId by, String link, Secret key) {
    return Answer.of(() -> {
      context.require(by);
      byte[] id = Pepper.bytesOf(link, ID_BYTES);
      Link claimed =
          change(
              id,
              found -> {
                if (!Context.matches(key, found.getKey())) {
                  throw refused("key");
                }
                if (isBy(found, by) && found.getState() == State.CLAIMED.number) {
                  return found;
                }
                if (found.getState() != State.OPEN.number) {
                  throw new Refusal(ErrorCode.CONFLICT, "link");
                }
                return found.toBuilder()
                    .setState(State.CLAIMED.number)
                    .setUser(by.user().value())
                    .setBy(by.index())
                    .build();
              });
      return new Claimed(claimed.getDeviceName(), compare(id, claimed));
    });
  }

  /// Says yes or no, on the device that claimed it.
  public Answer<Done> confirm(DeviceId by, String link, boolean yes) {
    return Answer.done(() -> {
      context.require(by);
      State to = yes ? State.CONFIRMED : State.REFUSED;
      change(
          Pepper.bytesOf(link, ID_BYTES),
          found -> {
            if (!isBy(found, by)) {
              throw refused("link");
            }
            if (found.getState() == to.number) {
              return found;
            }
            if (found.getState() != State.CLAIMED.number) {
              throw new Refusal(ErrorCode.CONFLICT, "link");
            }
            return found.toBuilder().setState(to.number).build();
          });
    });
  }

  /// How far it is, for the new device.
  public Answer<Status> status(String link, Secret key) {
    return Answer.of(() -> {
      byte[] id = Pepper.bytesOf(link, ID_BYTES);
      Link found = require(context.cells.get(key(id), Link.parser()), key);
      if (found.getUser() == 0) {
        return new Status(State.OPEN, "", "");
      }
      Account account = context.account(new UserId(found.getUser()));
      return new Status(
          State.of(found.getState()), compare(id, found), account == null ? "" : account.getName());
    });
  }

  /// Comes in, when both have said yes. The same again has the same answer while the link lives and
  /// the secret has not been used.
  public Answer<Registered> complete(String link, Secret key) {
    return Answer.of(() -> {
      byte[] id = Pepper.bytesOf(link, ID_BYTES);
      Link confirmed = require(context.cells.get(key(id), Link.parser()), key);
      if (confirmed.getState() != State.CONFIRMED.number
          && confirmed.getState() != State.DONE.number) {
        throw refused("link");
      }
      var by = new DeviceId(new UserId(confirmed.getUser()), confirmed.getBy());
      byte[] origin = context.pepper.mac("link", id, key.bytes());
      boolean done = confirmed.getState() == State.DONE.number;
      context.begin(by.user());
      // Asks that the device that confirmed it is still the account's.
      AccountDevice device =
          context.change(
              by,
              account -> {
                AccountDevice there = Context.byOrigin(account, origin);
                if (there != null && context.isRepeatable(there)) {
                  return Step.keep(there);
                }
                if (there != null || done) {
                  throw refused("link");
                }
                if (account.getDevicesCount() >= Limits.DEVICES_PER_USER_MAX) {
                  throw new Refusal(ErrorCode.QUOTA, "device");
                }
                int index = account.getNextDevice();
                AccountDevice made =
                    context.newDevice(by.user(), index, confirmed.getDeviceName(), origin);
                return Step.put(
                    account.toBuilder().setNextDevice(index + 1).addDevices(made).build(), made);
              });
      context.enrol(new DeviceId(by.user(), device.getIndex()));
      change(id, found -> found.toBuilder().setState(State.DONE.number).build());
      context.finished(by.user());
      context.meter.add(AccountsEvent.DEVICES_LINKED);
      return context.registered(by.user(), device, true);
    });
  }

  private Link change(byte[] id, Function<Link, Link> to) {
    long expires = context.now() + context.config.linkLife().toMillis();
    return context.cells.change(
        key(id),
        Link.parser(),
        found -> {
          if (found == null) {
            throw refused("link");
          }
          Link after = to.apply(found);
          return after.equals(found) ? Step.keep(after) : Step.put(after, expires, after);
        });
  }

  private Link require(@Nullable Link found, Secret key) {
    if (found == null || !Context.matches(key, found.getKey())) {
      throw refused("link");
    }
    return found;
  }

  private Refusal refused(String field) {
    context.meter.add(AccountsEvent.LINKS_REFUSED);
    return new Refusal(ErrorCode.NOT_ALLOWED, field);
  }

  private static boolean isBy(Link link, DeviceId by) {
    return link.getUser() == by.user().value() && link.getBy() == by.index();
  }

  private String compare(byte[] id, Link link) {
    byte[] mac =
        context.pepper.mac(
            "compare",
            id,
            link.getKey().toByteArray(),
            Pepper.bytes(link.getUser()),
            Pepper.bytes((long) link.getBy()));
    long number = 0;
    for (int i = 0; i < 7; i++) {
      number = number << 8 | (mac[i] & 0xFF);
    }
    return "%06d".formatted(number % 1_000_000);
  }

  private static RecordKey key(byte[] id) {
    return RecordKey.ofHash(Kinds.LINK, id);
  }
}
