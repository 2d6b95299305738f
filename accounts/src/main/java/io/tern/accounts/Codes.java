package io.tern.accounts;

import com.google.protobuf.ByteString;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.number.PhoneNumbers;
import io.tern.accounts.number.PhoneNumbers.PhoneNumber;
import io.tern.accounts.sms.SmsSender;
import io.tern.accounts.sms.SmsSender.SmsOutcome;
import io.tern.accounts.v1.Request;
import io.tern.accounts.v1.Verification;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.store.RecordKey;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// One-time codes: made, sent, tried. A code belongs to one request for one number and may be tried
/// `codeTries` times within `codeLife`. A try is taken off the record, by compare-and-set, before
/// the code is looked at: tries at the same time have one each or none.
final class Codes {

  /// How long after the right code one may go on.
  static final Duration TICKET_LIFE = Duration.ofMinutes(15);

  /// Codes of one number that are good at the same time: somebody else's request does not make
  /// one's own void.
  private static final int REQUESTS_MAX = 3;

  private static final int REQUEST_BYTES = 16;
  private static final int CODES = 1_000_000;

  /// A number that the caller has shown to have.
  record Verified(String e164, byte[] hash, byte[] request, UserId user) {
    @Override
    public String toString() {
      return "Verified[" + user + "]";
    }
  }

  private final Context context;
  private final SmsSender sender;
  private final SmsBudgets budgets;
  private final Tallies tallies;

  Codes(Context context, SmsSender sender) {
    this.context = context;
    this.sender = sender;
    this.budgets = new SmsBudgets(context);
    this.tallies = new Tallies(context);
  }

  PhoneNumber parse(String number) {
    PhoneNumber parsed = PhoneNumbers.parse(number);
    if (parsed == null) {
      throw new Refusal(ErrorCode.ARGUMENT, "number");
    }
    return parsed;
  }

  Registration.CodeSent request(String text, @Nullable String proof, Caller caller) {
    PhoneNumber number = parse(text);
    AccountsConfig config = context.config;
    if (!config.regions().isEmpty() && !config.regions().contains(number.region())) {
      context.meter.add(AccountsEvent.CODES_REFUSED_REGION);
      throw new Refusal(ErrorCode.NOT_ALLOWED, "number");
    }
    byte[] hash = context.pepper.number(number.e164());
    byte[] id = Pepper.random(context.random, REQUEST_BYTES);
    String code = "%06d".formatted(context.random.nextInt(CODES));
    Verification found = context.cells.get(key(hash), Verification.parser());
    checkResend(found);
    List<RecordKey> taken = budgets.take(number, hash, proof, caller);
    long expires = context.now() + config.codeLife().toMillis();
    try {
      context.cells.change(
          key(hash),
          Verification.parser(),
          before -> {
            checkResend(before);
            var request =
                Request.newBuilder()
                    .setId(ByteString.copyFrom(id))
                    .setCode(ByteString.copyFrom(mac(hash, id, code)))
                    .setTries(config.codeTries())
                    .setExpiresMs(expires)
                    .setUser(newUser().value());
            // What its right answer gives back: not the number's own budget, nor the spend.
            taken
                .subList(1, taken.size() - 1)
                .forEach(key -> request.addPaid(ByteString.copyFrom(key.id())));
            var requests = new ArrayList<Request>(live(before));
            while (requests.size() >= REQUESTS_MAX) {
              requests.removeFirst();
            }
            requests.add(request.build());
            return put(requests, context.now(), true);
          });
    } catch (Refusal refusal) {
      budgets.giveBack(taken);
      throw refusal;
    }
    SmsOutcome outcome = sender.send(number.e164(), code + " is your code. Tell it to nobody.");
    if (!(outcome instanceof SmsOutcome.Accepted)) {
      context.meter.add(AccountsEvent.CODES_FAILED);
      used(hash, id);
      if (outcome instanceof SmsOutcome.Refused) {
        budgets.giveBack(taken);
        throw new Refusal(ErrorCode.NOT_ALLOWED, "number");
      }
      // It may be on its way: the budgets have paid for it.
      throw new Refusal(ErrorCode.BUSY, "number", config.resendAfter().toMillis());
    }
    context.meter.add(AccountsEvent.CODES_SENT);
    return new Registration.CodeSent(Pepper.text(id), expires, config.resendAfter().toMillis());
  }

  private void checkResend(@Nullable Verification found) {
    if (found != null) {
      long next = found.getLastMs() + context.config.resendAfter().toMillis();
      if (next > context.now()) {
        throw new Refusal(ErrorCode.RATE, "number", next - context.now());
      }
    }
  }

  /// An id that has not been given yet: random, of 48 bits.
  private UserId newUser() {
    while (true) {
      var user = new UserId(1 + (context.random.nextLong() & Long.MAX_VALUE) % UserId.VALUE_MAX);
      if (!context.isKnown(user)) {
        return user;
      }
    }
  }

  /// Tries a code; with the right one there is a ticket. The same again has the same ticket, as
  /// long as tries are left.
  Registration.Verified verify(String text, String request, Secret code, Caller caller) {
    PhoneNumber number = parse(text);
    byte[] hash = context.pepper.number(number.e164());
    byte[] id = Pepper.bytesOf(request, REQUEST_BYTES);
    tallies.check("wrong", "code", caller, context.config.sms().wrongPerAddress());
    Request tried =
        context.cells.change(
            key(hash),
            Verification.parser(),
            found -> {
              List<Request> requests = new ArrayList<>(live(found));
              for (int i = 0; i < requests.size(); i++) {
                Request one = requests.get(i);
                if (MessageDigest.isEqual(one.getId().toByteArray(), id)) {
                  if (one.getTries() == 0 || one.getExpiresMs() <= context.now()) {
                    context.meter.add(AccountsEvent.CODES_EXHAUSTED);
                    throw new Refusal(ErrorCode.QUOTA, "code");
                  }
                  requests.set(i, one.toBuilder().setTries(one.getTries() - 1).build());
                  return put(requests, lastOf(found), one);
                }
              }
              throw new Refusal(ErrorCode.NOT_FOUND, "request");
            });
    if (!MessageDigest.isEqual(tried.getCode().toByteArray(), mac(hash, id, code.reveal()))) {
      context.meter.add(AccountsEvent.CODES_WRONG);
      tallies.count("wrong", caller);
      throw new Refusal(ErrorCode.NOT_ALLOWED, "code");
    }
    Secret ticket = context.pepper.secret("ticket", hash, id);
    long expires = context.now() + TICKET_LIFE.toMillis();
    boolean[] first = {false};
    context.cells.change(
        key(hash),
        Verification.parser(),
        found -> {
          List<Request> requests = new ArrayList<>(live(found));
          for (int i = 0; i < requests.size(); i++) {
            Request one = requests.get(i);
            if (one.getId().equals(tried.getId())) {
              first[0] = one.getTicket().isEmpty();
              requests.set(
                  i,
                  one.toBuilder()
                      .setTicket(Context.hash(ticket))
                      .setTicketExpiresMs(expires)
                      .build());
              return put(requests, lastOf(found), true);
            }
          }
          throw new Refusal(ErrorCode.NOT_FOUND, "request");
        });
    if (first[0]) {
      context.meter.add(AccountsEvent.CODES_RIGHT);
      budgets.answered(tried.getPaidList());
    }
    return new Registration.Verified(ticket, false, 0, expires);
  }

  /// The number that a ticket stands for.
  Verified verified(String text, Secret ticket) {
    PhoneNumber number = parse(text);
    byte[] hash = context.pepper.number(number.e164());
    Verification found = context.cells.get(key(hash), Verification.parser());
    if (found != null) {
      for (Request request : found.getRequestsList()) {
        if (Numbers.isOf(request, ticket, context.now())) {
          return new Verified(
              number.e164(), hash, request.getId().toByteArray(), new UserId(request.getUser()));
        }
      }
    }
    throw new Refusal(ErrorCode.NOT_ALLOWED, "ticket");
  }

  /// The request has done what it was for: its ticket is void.
  void used(byte[] hash, byte[] id) {
    context.cells.change(
        key(hash),
        Verification.parser(),
        found -> {
          if (found == null) {
            return Step.keep(true);
          }
          var left = new ArrayList<>(live(found));
          left.removeIf(request -> MessageDigest.isEqual(request.getId().toByteArray(), id));
          return put(left, lastOf(found), true);
        });
  }

  /// Of all that was verified of this number only this is good: what it was for has been done.
  void only(Verified verified) {
    context.cells.change(
        key(verified.hash()),
        Verification.parser(),
        found -> {
          var left = new ArrayList<>(live(found));
          left.removeIf(
              request -> !MessageDigest.isEqual(request.getId().toByteArray(), verified.request()));
          return put(left, lastOf(found), true);
        });
  }

  private List<Request> live(@Nullable Verification found) {
    long now = context.now();
    return found == null
        ? List.of()
        : found.getRequestsList().stream()
            .filter(request -> Math.max(request.getExpiresMs(), request.getTicketExpiresMs()) > now)
            .toList();
  }

  private static long lastOf(@Nullable Verification found) {
    return found == null ? 0 : found.getLastMs();
  }

  private <R> Step<Verification, R> put(List<Request> requests, long last, R result) {
    return Step.put(
        Verification.newBuilder().addAllRequests(requests).setLastMs(last).build(),
        context.now() + Tallies.WINDOW.toMillis(),
        result);
  }

  private static RecordKey key(byte[] numberHash) {
    return RecordKey.ofHash(Kinds.VERIFICATION, numberHash);
  }

  private byte[] mac(byte[] numberHash, byte[] request, String code) {
    return context.pepper.mac("code", numberHash, request, Pepper.bytes(code));
  }
}
