package io.tern.protocol;

/// The limits of SPEC section 8 that both sides must agree on. Those a server may configure travel
/// in HELLO_ACK; these are the defaults and the bounds.
public final class Limits {

  /// `54 52 4E 01`: "TRN" and the protocol's major number, the first bytes of a connection.
  public static final int PREFACE = 0x54524E01;

  public static final int PREFACE_BYTES = 4;
  public static final int VERSION = 1;

  /// LEN before authentication, after it, and the most that can be negotiated.
  public static final int FRAME_BYTES_BEFORE_HELLO_MAX = 4 * 1024;

  public static final int FRAME_BYTES_MAX = 64 * 1024;
  public static final int FRAME_BYTES_NEGOTIABLE_MAX = 256 * 1024;

  /// Least that a client may ask for: any message must fit.
  public static final int FRAME_BYTES_NEGOTIABLE_MIN = 20 * 1024;

  /// LEN (3), TYPE, FLAGS, RID (5), CHAT (7, ids have 48 bits), SEQ (10).
  public static final int HEADER_BYTES_MAX = 27;

  /// The body of a message; larger is media.
  public static final int BODY_BYTES_MAX = 16 * 1024;

  public static final int DEVICE_INDEX_MAX = 1 << 20;
  public static final int DEVICES_PER_USER_MAX = 10;

  /// A device's sends in flight.
  public static final int SENDS_IN_FLIGHT_MAX = 32;

  /// Frames and bytes that may follow HELLO before its answer.
  public static final int EARLY_FRAMES_MAX = 8;

  public static final int EARLY_BYTES_MAX = 16 * 1024;

  /// Unacknowledged entries of a session.
  public static final int WINDOW_ENTRIES = 256;

  public static final int WINDOW_BYTES = 256 * 1024;

  /// A client acknowledges at most this late, counted from the first unacknowledged entry.
  public static final int ACK_ENTRIES_MAX = 8;

  public static final int ACK_DELAY_MILLIS_MAX = 250;

  public static final int PAGE_ENTRIES_MAX = 100;
  public static final int PAGE_ENTRIES = 50;

  /// Protobuf from clients: nesting, fields of a message, repeats of one field.
  public static final int PROTO_DEPTH_MAX = 4;

  public static final int PROTO_FIELDS_MAX = 512;
  public static final int MENTIONS_MAX = 64;

  /// Most members of a group that an operator may allow.
  public static final int GROUP_MEMBERS_MAX = 1024;

  public static final int PRESENCE_USERS_MAX = 100;

  /// Name and version of the app in HELLO.
  public static final int APP_BYTES_MAX = 64;

  /// The opaque body of PING, which PONG returns.
  public static final int PING_BYTES_MAX = 64;

  private Limits() {}
}
