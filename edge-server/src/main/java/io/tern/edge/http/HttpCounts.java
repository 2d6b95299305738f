package io.tern.edge.http;

import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters.Door;

/// What one [HttpGateway] counts under. Immutable.
///
/// @param door the door of its refusals
/// @param connections taken
/// @param connectionsRefusedInAll closed, because there are too many
/// @param connectionsRefused closed, because their address has too many
/// @param connectionsIdle closed, because no request came for a while
/// @param connectionsOld ended, because of their age
/// @param headsTooSlow closed, because a head did not come in time
/// @param requests all
/// @param refused of these, by whatever code
/// @param unauthenticated of these, by the [Doorkeeper]
/// @param rate of these, by a budget
/// @param busy of these, for want of a place or of room for bodies
/// @param timedOut of these, for want of an answer or a body in time
record HttpCounts(
    Door door,
    Count connections,
    Count connectionsRefusedInAll,
    Count connectionsRefused,
    Count connectionsIdle,
    Count connectionsOld,
    Count headsTooSlow,
    Count requests,
    Count refused,
    Count unauthenticated,
    Count rate,
    Count busy,
    Count timedOut) {

  static final HttpCounts ACCOUNTS =
      new HttpCounts(
          Door.HTTP,
          Count.HTTP_CONNECTIONS,
          Count.HTTP_CONNECTIONS_REFUSED_TOTAL_MAX,
          Count.HTTP_CONNECTIONS_REFUSED_PER_IP,
          Count.HTTP_CONNECTIONS_IDLE,
          Count.HTTP_CONNECTIONS_OLD,
          Count.HTTP_HEADS_TOO_SLOW,
          Count.HTTP_REQUESTS,
          Count.HTTP_REFUSED,
          Count.HTTP_UNAUTHENTICATED,
          Count.HTTP_REQUESTS_RATE,
          Count.HTTP_REQUESTS_BUSY,
          Count.HTTP_REQUESTS_TIMED_OUT);

  static final HttpCounts ADMIN =
      new HttpCounts(
          Door.ADMIN,
          Count.ADMIN_CONNECTIONS,
          Count.ADMIN_CONNECTIONS_REFUSED_TOTAL_MAX,
          Count.ADMIN_CONNECTIONS_REFUSED_PER_IP,
          Count.ADMIN_CONNECTIONS_IDLE,
          Count.ADMIN_CONNECTIONS_OLD,
          Count.ADMIN_HEADS_TOO_SLOW,
          Count.ADMIN_REQUESTS,
          Count.ADMIN_REFUSED,
          Count.ADMIN_UNAUTHENTICATED,
          Count.ADMIN_REQUESTS_RATE,
          Count.ADMIN_REQUESTS_BUSY,
          Count.ADMIN_REQUESTS_TIMED_OUT);
}
