package io.tern.edge.http;

import io.tern.accounts.Secret;
import io.tern.accounts.budget.Block;
import io.tern.accounts.budget.Budget;
import io.tern.accounts.budget.Budgets;
import io.tern.edge.admin.AdminCredentials;
import io.tern.edge.admin.AdminCredentials.Administrator;
import io.tern.edge.admin.AdminCredentials.Role;
import io.tern.edge.http.Reply.Refusal;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import io.tern.protocol.ErrorCode;
import java.net.InetAddress;
import org.jspecify.annotations.Nullable;

/// The doorkeeper of the admin port: an administrator with one of the server's own credentials,
/// whose role allows it. An account's access token is none.
///
/// Wrong credentials are budgeted by address; beyond, right ones from there wait too, so that
/// guessing goes no faster. Loopback is exempt where `limits.loopback-exempt` says so: whoever is
/// on this machine must not be able to keep its operator out. Any thread that may block.
final class AdminDoor implements Doorkeeper {

  private static final String SCHEME = "bearer ";
  private static final int KEYS_MAX = 10_000;

  private final AdminCredentials credentials;
  private final Budgets<Block> wrong;
  private final boolean loopbackExempt;
  private final Counters counters;

  AdminDoor(
      AdminCredentials credentials, int wrongPerMinute, boolean loopbackExempt, Counters counters) {
    this.credentials = credentials;
    wrong = new Budgets<>(KEYS_MAX, System::nanoTime, Budget.perMinute(wrongPerMinute));
    this.loopbackExempt = loopbackExempt;
    this.counters = counters;
  }

  @Override
  public Verdict admit(
      @Nullable String authorization, InetAddress address, Endpoint.Access access) {
    if (authorization == null) {
      return out(ErrorCode.IDENTITY_REQUIRED);
    }
    Block from = loopbackExempt && address.isLoopbackAddress() ? null : Block.of(address);
    if (from != null && wrong.left(from) == 0) {
      long wait = wrong.take(from);
      if (wait > 0) {
        return new Verdict.Out(new Refusal(ErrorCode.RATE, "", wait));
      }
    }
    Administrator found =
        authorization.regionMatches(true, 0, SCHEME, 0, SCHEME.length())
            ? credentials.find(new Secret(authorization.substring(SCHEME.length()).strip()))
            : null;
    if (found == null) {
      counters.add(Count.ADMIN_CREDENTIALS_WRONG);
      if (from != null) {
        wrong.take(from);
      }
      return out(ErrorCode.TOKEN_INVALID);
    }
    boolean allowed =
        switch (access) {
          case READ -> true;
          case ACT -> found.role() == Role.ACT;
          case OPEN, DEVICE -> throw new IllegalStateException(access + " is not for operators");
        };
    if (!allowed) {
      counters.add(Count.ADMIN_NOT_ALLOWED);
      return out(ErrorCode.NOT_ALLOWED);
    }
    return new Verdict.In(new Asker.OfOperator(found));
  }

  private static Verdict out(ErrorCode code) {
    return new Verdict.Out(Refusal.of(code));
  }
}
