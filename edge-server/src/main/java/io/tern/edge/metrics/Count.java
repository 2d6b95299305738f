package io.tern.edge.metrics;

/// What is counted, one number each: `tern_` + the name in lower case + `_total` on `/metrics`.
///
/// Errors by code and disconnects by reason are counted apart, see [Counters].
public enum Count {
  CONNECTIONS_ACCEPTED("TCP connections taken."),
  CONNECTIONS_REFUSED_TOTAL_MAX("Connections closed at once: limits.connections-max."),
  CONNECTIONS_REFUSED_PER_IP("Connections closed at once: limits.unauthenticated-per-ip-max."),
  CONNECTIONS_REFUSED_FAILURES("Connections closed at once: limits.failures-per-minute-max."),
  ACCEPT_PAUSES("Times accepting stopped until a connection closed."),
  DOOR_TIMEOUTS("Connections closed before their session began: net.door-timeout."),
  TLS_HANDSHAKES("TLS handshakes that succeeded."),
  TLS_HANDSHAKES_FAILED("TLS handshakes that failed, on either side."),
  TLS_WITHOUT_ALPN("TLS connections closed because they did not agree on tern/1."),
  CERTIFICATE_RELOADS("Times a new certificate was taken up."),
  CERTIFICATE_RELOADS_REFUSED("Times changed certificate files would not do."),
  PROXY_REFUSED("Connections closed: not from a listed proxy, or without its header."),
  WEBSOCKETS("WebSocket upgrades."),
  WEBSOCKETS_REFUSED("WebSocket upgrades refused."),
  WEBSOCKET_ORIGINS_REFUSED("Of these, because of the origin."),
  WEBSOCKET_CONTROL_FRAMES("PING and PONG of WebSocket itself."),
  WEBSOCKET_VIOLATIONS("WebSocket connections closed for breaking its framing."),
  FRAMES_IN("Frames read."),
  FRAMES_OUT("Frames written."),
  BYTES_IN("Bytes read from sockets."),
  BYTES_OUT("Bytes of frames written."),
  FLUSHES("Flushes: one write to a socket each, unless its buffer is full."),
  PASSES("Event-loop passes in which something was flushed."),
  HELLOS("Sessions that came up."),
  HELLOS_RESUMED("Of these, with a resume ticket."),
  TAKEOVERS("Sessions that replaced another one of their device."),
  LOGINS_WAITED("Logins that waited for their turn."),
  LOGINS_PUT_OFF(
      "Logins answered BUSY with a time to come back: turns.wait-max, turns.waiting-max."),
  PAGES_WAITED("Pages of catch-up of returning devices that waited for their turn."),
  TURNS_SLOWED("Times the rate of turns was cut, because live work was late."),
  SENDS("SENDs offered to a shard."),
  SENT("SENDs answered with SENT."),
  SENDS_REPEATED("Of these, repeats of an accepted csn."),
  SENDS_REFUSED("SENDs that a shard refused."),
  DELIVERS("Entries pushed, live or by catch-up."),
  DELIVERS_CAUGHT_UP("Of these, by catch-up."),
  ENTRIES_HELD_BACK("Live entries not pushed because their chat is being caught up."),
  BEHINDS("Times a session fell behind."),
  RESETS("RESET frames: a backlog was too long to push."),
  ACKS("ACK frames."),
  ACKS_REFUSED("ACK and READ that a shard refused: not a member, or past the head."),
  NACKS("NACK frames."),
  READS("READ frames."),
  RECEIPTS("RECEIPT frames written."),
  GROUP_RECEIPTS("RECEIPT frames with a group's count written."),
  RECEIPTS_HELD("Receipts merged because the socket was full."),
  GROUP_CREATES("GROUP_CREATE frames."),
  GROUP_EDITS("GROUP_EDIT frames."),
  SETTINGS_CHANGES("SETTINGS frames that set something."),
  DEVICES_REMOVED("Devices removed by their users."),
  CHANGES_REFUSED("GROUP_CREATE, GROUP_EDIT, SETTINGS and DEVICE_REMOVE that were refused."),
  PRESENCE_SUBS("PRESENCE_SUB frames."),
  PRESENCE_TOLD("PRESENCE frames written."),
  PRESENCE_DROPPED("Presence not told: socket full, session behind, or too many users waiting."),
  TYPING_FORWARDED("TYPING handed to sessions that watch."),
  TYPING_DROPPED("TYPING dropped: socket full, session behind, nobody watches, or readers busy."),
  QUESTIONS("Questions asked of the readers."),
  QUESTIONS_REFUSED("Questions the readers had no place for."),
  RINGS_FULL("Commands a ring had no place for."),
  FRAMES_HELD("Times a frame had to wait: in-flight limit, user check, full ring or socket."),
  SLOWED("Times a session's socket was read later: cheap-frame budget."),
  FRAMES_IGNORED("Unknown ignorable frames dropped."),
  DELIVERIES_PASSED_OVER("Deliveries for sessions that are gone."),
  NEWS_ADDED("Entries for sessions that are gone, made news of their devices."),
  PUSH_INTENTS("Push intents taken by the console queue."),
  BAD_BODIES("Request bodies that the pre-scan refused.");

  private final String help;

  Count(String help) {
    this.help = help;
  }

  public String help() {
    return help;
  }
}
