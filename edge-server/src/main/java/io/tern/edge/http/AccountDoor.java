package io.tern.edge.http;

import io.tern.accounts.Shards;
import io.tern.accounts.budget.Budgets;
import io.tern.edge.config.HttpConfig;
import io.tern.edge.http.Reply.Refusal;
import io.tern.edge.token.TokenVerifier;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.net.InetAddress;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// The doorkeeper of accounts: a device with a good access token, within the budgets of the device
/// and its account. Any thread that may block.
final class AccountDoor implements Doorkeeper {

  private static final int KEYS_MAX = 100_000;

  private final Bearers bearers;
  private final @Nullable Budgets<DeviceId> byDevice;
  private final @Nullable Budgets<UserId> byAccount;

  AccountDoor(HttpConfig config, TokenVerifier tokens, Shards shards) {
    bearers = new Bearers(tokens, shards, System::currentTimeMillis);
    byDevice = HttpGateway.budgets(KEYS_MAX, config.deviceRate());
    byAccount = HttpGateway.budgets(KEYS_MAX, config.accountRate());
  }

  @Override
  public Verdict admit(
      @Nullable String authorization, InetAddress address, Endpoint.Access access) {
    if (access != Endpoint.Access.DEVICE) {
      throw new IllegalStateException(access + " is not for accounts");
    }
    Bearers.Bearer bearer = bearers.of(authorization);
    if (bearer.refusal() != null) {
      return new Verdict.Out(Refusal.of(bearer.refusal()));
    }
    DeviceId device = Objects.requireNonNull(bearer.device());
    long wait = byDevice == null ? 0 : byDevice.take(device);
    if (wait == 0) {
      wait = byAccount == null ? 0 : byAccount.take(device.user());
    }
    return wait > 0
        ? new Verdict.Out(new Refusal(ErrorCode.RATE, "", wait))
        : new Verdict.In(new Asker.OfDevice(device));
  }
}
