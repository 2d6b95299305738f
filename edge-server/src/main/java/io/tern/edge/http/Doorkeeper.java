package io.tern.edge.http;

import io.tern.edge.http.Reply.Refusal;
import java.net.InetAddress;
import org.jspecify.annotations.Nullable;

/// Decides who may ask for what an [Endpoint] that is not open gives. Each gateway has one. Any
/// thread; may block.
interface Doorkeeper {

  /// Says who asks, or why they may not.
  ///
  /// @param authorization the header, or null when there is none
  /// @param address where the request comes from
  /// @throws io.tern.accounts.Unavailable when it cannot find out: then nobody gets in
  Verdict admit(@Nullable String authorization, InetAddress address, Endpoint.Access access);

  sealed interface Verdict {
    record In(Asker asker) implements Verdict {}

    /// A refusal with RATE is of a budget.
    record Out(Refusal refusal) implements Verdict {}
  }
}
