package io.tern.router;

import java.time.Duration;

/// How long and how much the dispatcher watches.
///
/// @param ackWatch how long a recipient's session has to acknowledge before the entry becomes a
///   push intent
/// @param watchedMax entries watched at once; beyond, an entry becomes a push intent at once
public record DispatchConfig(Duration ackWatch, int watchedMax) {

  public static final DispatchConfig DEFAULT = new DispatchConfig(Duration.ofSeconds(10), 262_144);
}
