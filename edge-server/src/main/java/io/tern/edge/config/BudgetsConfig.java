package io.tern.edge.config;

/// `budgets.*`: what one subscriber's address, one network, device, account and chat may do in a
/// time, whichever connections it has. `reference.conf` says what happens at each bound. 0 lifts a
/// budget.
///
/// @param keysMax how many of each are told apart
public record BudgetsConfig(
    int connectionsPerIpMax,
    int unauthenticatedPerNetworkMax,
    int connectsPerIpPerMinute,
    int loginsPerDevicePerMinute,
    int sendsPerAccountPerMinute,
    int sendsPerChatPerMinute,
    int strangersPerHour,
    int strangersPerDay,
    int keysMax) {

  /// Nothing is bounded.
  public static final BudgetsConfig NONE = new BudgetsConfig(0, 0, 0, 0, 0, 0, 0, 0, 1);

  /// The same without those of sends, for load tests.
  public BudgetsConfig withoutSends() {
    return new BudgetsConfig(
        connectionsPerIpMax,
        unauthenticatedPerNetworkMax,
        connectsPerIpPerMinute,
        loginsPerDevicePerMinute,
        0,
        0,
        0,
        0,
        keysMax);
  }
}
