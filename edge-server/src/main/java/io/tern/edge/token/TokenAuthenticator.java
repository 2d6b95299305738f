package io.tern.edge.token;

import io.tern.edge.session.Authenticator;
import io.tern.edge.session.StageWatch;
import io.tern.protocol.ErrorCode;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/// Checks tokens away from the event loops: a signature is CPU only, and after a restart everybody
/// logs in at once. Tickets are opened where they are. Any thread.
public final class TokenAuthenticator implements Authenticator {

  private static final Refused BUSY = new Refused(ErrorCode.BUSY, "too many logins wait");

  private final TokenVerifier tokens;
  private final ResumeTickets tickets;
  private final Executor executor;
  private final LongSupplier wallMillis;
  private final StageWatch stages;

  /// @param executor bounded; what it rejects is answered BUSY
  public TokenAuthenticator(
      TokenVerifier tokens,
      ResumeTickets tickets,
      Executor executor,
      LongSupplier wallMillis,
      StageWatch stages) {
    this.tokens = tokens;
    this.tickets = tickets;
    this.executor = executor;
    this.wallMillis = wallMillis;
    this.stages = stages;
  }

  @Override
  public void verifyToken(byte[] token, Consumer<Identity> then) {
    try {
      executor.execute(
          () -> then.accept(check(() -> tokens.verify(token, wallMillis.getAsLong()))));
    } catch (RejectedExecutionException e) {
      then.accept(BUSY);
    }
  }

  @Override
  public Identity openTicket(byte[] ticket, long count) {
    return check(() -> tickets.open(ticket, count, wallMillis.getAsLong()));
  }

  private Identity check(Supplier<Identity> check) {
    long began = System.nanoTime();
    Identity found = check.get();
    stages.took(StageWatch.Stage.TOKEN, System.nanoTime() - began);
    return found;
  }

  @Override
  public byte[] sealTicket(Accepted identity) {
    return tickets.seal(identity, wallMillis.getAsLong());
  }

  @Override
  public int ticketSeconds(Accepted identity) {
    return tickets.secondsLeft(identity, wallMillis.getAsLong());
  }
}
