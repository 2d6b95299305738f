package io.tern.accounts;

import com.google.protobuf.ByteString;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.network.Networks;
import io.tern.accounts.number.PhoneNumbers.PhoneNumber;
import io.tern.accounts.v1.Tally;
import io.tern.protocol.ErrorCode;
import io.tern.store.RecordKey;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What messages may cost in 24 hours ([Tallies]): to the number, from the address, its network and
/// the autonomous system that this belongs to, where it is known ([Networks]), to the number's
/// block and prefix, and in all.
///
/// Who pumps messages to numbers he earns by does not answer them. Blocks, prefixes, addresses,
/// networks and systems therefore may have some that nobody answered, and so many more as were
/// answered: good users pay for themselves, a pumped range is shut after a few. A range that is
/// shut opens with the next window.
///
/// The last quarter of a budget is for those who bring a proof of work ([Proofs]): who pumps pays
/// for it or leaves it, and it still is there for the good users of a range that is pumped. A
/// budget is never more than it would be without proofs.
final class SmsBudgets {

  /// Digits of a block and of a prefix.
  private static final int BLOCK_DIGITS = 4;

  private static final int PREFIX_DIGITS = 7;

  /// What part of a budget is for those with a proof.
  private static final int PROVED_PART = 4;

  private final Context context;
  private final Tallies tallies;
  private final Proofs proofs;

  /// @param proved how much of it is for those with a proof
  private record Budget(
      RecordKey key,
      int unansweredMax,
      int perGood,
      int sentMax,
      int proved,
      AccountsEvent refused) {

    boolean allows(Tally tally, boolean hasProof) {
      long spared = hasProof ? 0 : proved;
      long unanswered = (long) tally.getSent() - tally.getGood();
      return tally.getSent() < sentMax - spared
          && unanswered < unansweredMax + (long) perGood * tally.getGood() - spared;
    }
  }

  SmsBudgets(Context context) {
    this.context = context;
    this.tallies = new Tallies(context);
    this.proofs = new Proofs(context);
  }

  /// What all messages together have come to.
  Admin.SmsSpend spend() {
    Tally tally =
        tallies.current(context.cells.get(tallies.key("spend", new byte[0]), Tally.parser()));
    return new Admin.SmsSpend(
        tally.getSent(),
        context.config.sms().perDay(),
        tally.getBeganMs() + Tallies.WINDOW.toMillis());
  }

  /// Takes one message from every budget, or none.
  ///
  /// @param proof null = none; not looked at where none is needed
  /// @return what [#answered] and [#giveBack] take
  /// @throws Refusal a budget is used up, or what is left of it needs a proof
  List<RecordKey> take(
      PhoneNumber number, byte[] numberHash, @Nullable String proof, Caller caller) {
    List<Budget> budgets = budgets(number, numberHash, caller);
    // First a look, so that a flood of refused requests writes nothing.
    long waitWithout = 0;
    for (Budget budget : budgets) {
      Tally found = context.cells.get(budget.key, Tally.parser());
      Tally tally = tallies.current(found);
      if (!budget.allows(tally, true)) {
        throw refusal(budget, tally);
      }
      if (!budget.allows(tally, false)) {
        waitWithout = Math.max(waitWithout, tallies.millisLeft(tally));
      }
    }
    boolean hasProof = waitWithout > 0;
    if (hasProof) {
      proofs.require(proof, numberHash, caller, waitWithout);
    }
    var taken = new ArrayList<RecordKey>();
    for (Budget budget : budgets) {
      Tally refused = takeOne(budget, hasProof);
      if (refused != null) {
        giveBack(taken);
        throw budget.allows(refused, true)
            ? proofs.asked(numberHash, caller, tallies.millisLeft(refused))
            : refusal(budget, refused);
      }
      taken.add(budget.key);
    }
    return List.copyOf(taken);
  }

  /// The number's own first, the spend last.
  private List<Budget> budgets(PhoneNumber number, byte[] numberHash, Caller caller) {
    AccountsConfig.SmsBudget sms = context.config.sms();
    var budgets = new ArrayList<Budget>();
    budgets.add(
        new Budget(
            tallies.key("number", numberHash),
            Integer.MAX_VALUE,
            0,
            context.config.smsPerNumber(),
            0,
            AccountsEvent.CODES_REFUSED_NUMBER));
    budgets.add(
        unanswered(
            tallies.key("address", caller.host()),
            sms.perAddress(),
            AccountsEvent.CODES_REFUSED_ADDRESS));
    budgets.add(
        unanswered(
            tallies.key("network", caller.network()),
            sms.perNetwork(),
            AccountsEvent.CODES_REFUSED_NETWORK));
    long system = context.networks.get().systemOf(caller.address().getAddress());
    if (system != Networks.UNKNOWN) {
      budgets.add(
          unanswered(
              tallies.key("system", Pepper.bytes(system)),
              sms.perSystem(),
              AccountsEvent.CODES_REFUSED_SYSTEM));
    }
    budgets.add(
        unanswered(
            tallies.key("prefix", Pepper.bytes(number.prefix(BLOCK_DIGITS))),
            sms.perBlock(),
            AccountsEvent.CODES_REFUSED_PREFIX));
    budgets.add(
        unanswered(
            tallies.key("prefix", Pepper.bytes(number.prefix(PREFIX_DIGITS))),
            sms.perPrefix(),
            AccountsEvent.CODES_REFUSED_PREFIX));
    budgets.add(
        new Budget(
            tallies.key("spend", new byte[0]),
            Integer.MAX_VALUE,
            0,
            sms.perDay(),
            proved(sms.perDay()),
            AccountsEvent.CODES_REFUSED_SPEND));
    return budgets;
  }

  /// Of messages that nobody answers.
  private Budget unanswered(RecordKey key, int max, AccountsEvent refused) {
    return new Budget(
        key, max, context.config.sms().perVerified(), Integer.MAX_VALUE, proved(max), refused);
  }

  private int proved(int budget) {
    return context.config.sms().proofBits() == 0 ? 0 : budget / PROVED_PART;
  }

  /// Null when it was taken.
  private @Nullable Tally takeOne(Budget budget, boolean hasProof) {
    Tally[] refused = {null};
    boolean taken =
        context.cells.change(
            budget.key,
            Tally.parser(),
            found -> {
              Tally tally = tallies.current(found);
              refused[0] = tally;
              return budget.allows(tally, hasProof)
                  ? Tallies.put(Tallies.oneMore(tally), true)
                  : Step.keep(false);
            });
    return taken ? null : refused[0];
  }

  private Refusal refusal(Budget budget, Tally tally) {
    context.meter.add(budget.refused);
    return new Refusal(ErrorCode.RATE, "number", tallies.millisLeft(tally));
  }

  /// The message was not sent.
  void giveBack(List<RecordKey> taken) {
    taken.forEach(tallies::giveBack);
  }

  /// The message was answered with the right code.
  void answered(List<ByteString> paid) {
    for (ByteString id : paid) {
      context.cells.change(
          RecordKey.ofHash(Kinds.TALLY, id.toByteArray()),
          Tally.parser(),
          found -> {
            // Of a window that has ended: the message is not counted any more either.
            return found == null || found.getGood() >= found.getSent()
                ? Step.keep(true)
                : Tallies.put(found.toBuilder().setGood(found.getGood() + 1).build(), true);
          });
    }
  }
}
