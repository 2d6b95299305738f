package io.tern.edge.session;

import io.tern.accounts.budget.Budget;
import io.tern.accounts.budget.Budgets;
import io.tern.edge.config.BudgetsConfig;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.time.Duration;
import java.util.Map;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// What devices, accounts and chats may do in a time, over all their sessions at this edge. Any
/// thread. Each answers 0, or the milliseconds to wait.
///
/// Strangers: the first message of a chat is what spam is made of. It is charged when it has been
/// accepted as the chat's first; an account without any left may write where it has written before,
/// and nowhere else. So what is under way when the last one is charged still passes: at most
/// `limits.send.in-flight` for each of the account's sessions.
public final class EdgeBudgets {

  private final BudgetsConfig config;
  private final @Nullable Budgets<DeviceId> logins;
  private final @Nullable Budgets<UserId> accounts;
  private final @Nullable Budgets<ChatId> chats;
  private final @Nullable Budgets<UserId> strangers;

  public EdgeBudgets(BudgetsConfig config, LongSupplier nanoTime) {
    this.config = config;
    int keys = config.keysMax();
    logins = perMinute(config.loginsPerDevicePerMinute(), keys, nanoTime);
    accounts = perMinute(config.sendsPerAccountPerMinute(), keys, nanoTime);
    chats = perMinute(config.sendsPerChatPerMinute(), keys, nanoTime);
    strangers =
        config.strangersPerHour() == 0 || config.strangersPerDay() == 0
            ? null
            : new Budgets<>(
                keys,
                nanoTime,
                new Budget(config.strangersPerHour(), Duration.ofHours(1)),
                new Budget(config.strangersPerDay(), Duration.ofDays(1)));
  }

  private static <K> @Nullable Budgets<K> perMinute(int amount, int keys, LongSupplier nanoTime) {
    return amount == 0 ? null : new Budgets<>(keys, nanoTime, Budget.perMinute(amount));
  }

  public BudgetsConfig config() {
    return config;
  }

  /// Devices, accounts and chats that are kept because they have used some of a budget, by budget.
  public Map<String, Integer> keys() {
    return Map.of(
        "logins", keys(logins),
        "sends_per_account", keys(accounts),
        "sends_per_chat", keys(chats),
        "strangers", keys(strangers));
  }

  private static int keys(@Nullable Budgets<?> budgets) {
    return budgets == null ? 0 : budgets.keys();
  }

  long takeLogin(DeviceId device) {
    return logins == null ? 0 : logins.take(device);
  }

  long takeAccount(UserId user) {
    return accounts == null ? 0 : accounts.take(user);
  }

  long takeChat(ChatId chat) {
    return chats == null ? 0 : chats.take(chat);
  }

  /// Whether the user may write to somebody for the first time.
  boolean mayMeetStrangers(UserId user) {
    return strangers == null || strangers.left(user) > 0;
  }

  /// The user's message was the first of its chat.
  void metStranger(UserId user) {
    if (strangers != null) {
      strangers.take(user);
    }
  }
}
