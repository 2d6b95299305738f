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
  public static final int WINDOW_ENTRIES = 1024;

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

  /// Users that one change adds to a group.
  public static final int GROUP_ADD_MAX = 100;

  /// An op id is that long, no more and no less; a group remembers its last ones.
  public static final int OP_ID_BYTES = 16;

  public static final int GROUP_OPS_MAX = 128;
  public static final int GROUP_TITLE_BYTES_MAX = 256;
  public static final int GROUP_DESCRIPTION_BYTES_MAX = 2048;

  /// A reference to a picture, whatever the app takes for one.
  public static final int PICTURE_BYTES_MAX = 256;

  /// What an invite link holds.
  public static final int INVITE_BYTES_MAX = 32;

  public static final int REACTION_BYTES_MAX = 64;

  /// Different reactions that a page tells of one entry.
  public static final int PAGE_REACTIONS_MAX = 16;

  /// `Content.preview`, thumbnail included.
  public static final int LINK_PREVIEW_BYTES_MAX = 4096;

  /// How long after its SEND a message may be edited, and how long it may be taken back.
  public static final int EDIT_SECONDS_MAX = 15 * 60;

  public static final int REVOKE_SECONDS_MAX = 48 * 60 * 60;

  /// After that, a view-once message that nobody has opened goes.
  public static final int VIEW_ONCE_SECONDS_MAX = 14 * 24 * 60 * 60;

  /// Changes in one SETTINGS.
  public static final int SETTINGS_MAX = 16;

  public static final int CONTACT_NAME_BYTES_MAX = 256;

  /// Of one user.
  public static final int CONTACTS_MAX = 5_000;

  public static final int STARS_MAX = 10_000;
  public static final int HIDES_MAX = 10_000;
  public static final int BLOCKS_MAX = 1_000;
  public static final int CHAT_SETTINGS_MAX = 5_000;
  public static final int PRIVACY_EXCEPT_MAX = 200;

  /// Users and groups together that a session watches, and for how long.
  public static final int PRESENCE_USERS_MAX = 100;

  public static final int PRESENCE_SECONDS = 10 * 60;

  /// Name and version of the app in HELLO.
  public static final int APP_BYTES_MAX = 64;

  /// The opaque body of PING, which PONG returns.
  public static final int PING_BYTES_MAX = 64;

  private Limits() {}
}
