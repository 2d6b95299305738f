package io.tern.tools.history;

import io.tern.protocol.ChatId;
import org.jspecify.annotations.Nullable;

/// A history broke a rule. `explanation` says with which events, for a person.
///
/// @param chat where; null when it is about no chat
public record Violation(Rule rule, @Nullable ChatId chat, String explanation) {
  @Override
  public String toString() {
    return rule + (chat == null ? "" : " in " + chat) + ": " + explanation;
  }
}
