package io.tern.accounts;

/// Counts. Any thread, never blocks.
@FunctionalInterface
public interface AccountsMeter {
  void add(AccountsEvent event);
}
