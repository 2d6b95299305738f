package io.tern.protocol;

import static java.util.Map.entry;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.OneofDescriptor;
import io.netty.buffer.ByteBuf;
import io.tern.protocol.v1.Bye;
import io.tern.protocol.v1.CatchUp;
import io.tern.protocol.v1.ChatInfo;
import io.tern.protocol.v1.Chats;
import io.tern.protocol.v1.ClientState;
import io.tern.protocol.v1.DeviceRemove;
import io.tern.protocol.v1.Devices;
import io.tern.protocol.v1.EntryInfo;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.Nack;
import io.tern.protocol.v1.PresenceSub;
import io.tern.protocol.v1.PushRegister;
import io.tern.protocol.v1.PushRegistered;
import io.tern.protocol.v1.Reauth;
import io.tern.protocol.v1.Send;
import io.tern.protocol.v1.Settings;
import io.tern.protocol.v1.Typing;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// One pass over a protobuf body from a client, before any parser sees it: what passes can be
/// parsed without a surprise in depth, number or size. Allocates nothing and keeps no state; any
/// thread.
///
/// Stricter than protobuf, so that two readers cannot understand one body differently: a known
/// field that is not repeated may come once (and one field of a oneof), has the wire type of its
/// declaration, a `uint32` fits 32 bits, a `string` is UTF-8, and no varint carries more than 64
/// bits. As protobuf: varints need not be minimal, repeated numbers may be packed or not, unknown
/// enum values pass, and unknown fields pass, counted but not looked into.
///
/// Bounds: [Limits#PROTO_DEPTH_MAX] messages in one another, [Limits#PROTO_FIELDS_MAX] fields in a
/// body with all its sub-messages, and per repeated field and per bounded string the numbers in
/// [#REPEATS_MAX] and [#BYTES_MAX]. Groups are refused.
public final class Prescan {

  /// What was found, first fault first.
  public enum Verdict {
    OK(0),
    /// Not protobuf: cut off, a length over the end, field number 0, an unknown wire type, a varint
    /// of more than 64 bits.
    MALFORMED(-1),
    /// A group, known or not.
    GROUP(-2),
    /// A known field with another wire type than its declaration's.
    WRONG_WIRE_TYPE(-3),
    /// A field that may come once came twice, or two fields of a oneof.
    DUPLICATE(-4),
    /// More than 32 bits in a 32-bit field.
    OUT_OF_RANGE(-5),
    BAD_UTF8(-6),
    TOO_DEEP(-7),
    TOO_MANY_FIELDS(-8),
    TOO_MANY_REPEATS(-9),
    /// A bounded string, message or bytes, or the opaque body of a PING.
    TOO_LONG(-10);

    /// What the scan returns for it: 0 or a negative number, next to counts of fields.
    private final int fault;

    Verdict(int fault) {
      this.fault = fault;
    }

    /// Whether it is only more than a bound allows: a request's ERROR 400, where other faults end
    /// the session.
    public boolean isOverABound() {
      return this == TOO_MANY_REPEATS || this == TOO_LONG;
    }
  }

  /// How often a repeated field may come, over packed and single elements, by its full name.
  static final Map<String, Integer> REPEATS_MAX =
      Map.ofEntries(
          entry("tern.v1.Content.mentions", Limits.MENTIONS_MAX),
          entry("tern.v1.GroupCreate.members", Limits.GROUP_MEMBERS_MAX),
          entry("tern.v1.Users.users", Limits.GROUP_ADD_MAX),
          entry("tern.v1.Settings.set", Limits.SETTINGS_MAX),
          entry("tern.v1.Privacy.except", Limits.PRIVACY_EXCEPT_MAX),
          entry("tern.v1.PresenceSub.users", Limits.PRESENCE_USERS_MAX),
          entry("tern.v1.PresenceSub.groups", Limits.PRESENCE_USERS_MAX));

  /// Longest value of a string, bytes or message field in bytes, by its full name; others end at
  /// the frame's limit.
  static final Map<String, Integer> BYTES_MAX =
      Map.ofEntries(
          entry("tern.v1.Hello.app", Limits.APP_BYTES_MAX),
          entry("tern.v1.Content.preview", Limits.LINK_PREVIEW_BYTES_MAX),
          entry("tern.v1.GroupCreate.title", Limits.GROUP_TITLE_BYTES_MAX),
          entry("tern.v1.GroupCreate.description", Limits.GROUP_DESCRIPTION_BYTES_MAX),
          entry("tern.v1.GroupCreate.picture", Limits.PICTURE_BYTES_MAX),
          entry("tern.v1.GroupCreate.op_id", Limits.OP_ID_BYTES),
          entry("tern.v1.GroupEdit.title", Limits.GROUP_TITLE_BYTES_MAX),
          entry("tern.v1.GroupEdit.description", Limits.GROUP_DESCRIPTION_BYTES_MAX),
          entry("tern.v1.GroupEdit.picture", Limits.PICTURE_BYTES_MAX),
          entry("tern.v1.GroupEdit.op_id", Limits.OP_ID_BYTES),
          entry("tern.v1.GroupEdit.join", Limits.INVITE_BYTES_MAX),
          entry("tern.v1.Contact.name", Limits.CONTACT_NAME_BYTES_MAX));

  private static final @Nullable Prescan[] BY_TYPE = new @Nullable Prescan[256];

  static {
    var schemas = new HashMap<String, Schema>();
    for (FrameType type : FrameType.values()) {
      Descriptor body = clientBody(type);
      if (body != null) {
        Schema schema = Schema.of(body, schemas, REPEATS_MAX, BYTES_MAX);
        BY_TYPE[type.code()] = new Prescan(schema);
      }
    }
  }

  private static final Verdict[] BY_FAULT = new Verdict[Verdict.values().length];

  static {
    for (Verdict verdict : Verdict.values()) {
      BY_FAULT[-verdict.fault] = verdict;
    }
  }

  private final Schema schema;

  private Prescan(Schema schema) {
    this.schema = schema;
  }

  /// Scans the body of a frame that a client may send.
  ///
  /// @throws IllegalArgumentException when `type` is sent by servers only; who may send what is the
  ///   caller's to check first
  public static Verdict check(FrameType type, byte[] bytes, int offset, int length) {
    if (offset < 0 || length < 0 || length > bytes.length - offset) {
      throw new IndexOutOfBoundsException(offset + " + " + length + " in " + bytes.length);
    }
    return check(type, bytes, null, offset, offset + length);
  }

  /// As [#check(FrameType, byte[], int, int)], over `length` bytes from index `offset`; moves no
  /// index, and ownership of `bytes` stays with the caller.
  public static Verdict check(FrameType type, ByteBuf bytes, int offset, int length) {
    if (offset < 0 || length < 0 || length > bytes.writerIndex() - offset) {
      throw new IndexOutOfBoundsException(offset + " + " + length + " in " + bytes);
    }
    if (bytes.hasArray()) {
      int start = bytes.arrayOffset() + offset;
      return check(type, bytes.array(), null, start, start + length);
    }
    return check(type, null, bytes, offset, offset + length);
  }

  private static Verdict check(
      FrameType type, byte @Nullable [] array, @Nullable ByteBuf buf, int start, int end) {
    if (type == FrameType.PING || type == FrameType.PONG) {
      return end - start > Limits.PING_BYTES_MAX ? Verdict.TOO_LONG : Verdict.OK;
    }
    Prescan prescan = BY_TYPE[type.code()];
    if (prescan == null) {
      throw new IllegalArgumentException("not sent by clients: " + type);
    }
    return prescan.verdict(array, buf, start, end);
  }

  /// A scan for any message, for tests and for other users of the same rules. Built once and kept:
  /// this allocates.
  static Prescan of(
      Descriptor message, Map<String, Integer> repeatsMax, Map<String, Integer> bytesMax) {
    return new Prescan(Schema.of(message, new HashMap<>(), repeatsMax, bytesMax));
  }

  Verdict check(byte[] bytes) {
    return verdict(bytes, null, 0, bytes.length);
  }

  /// The message in the frame's body, or null when clients do not send this type or its body is not
  /// protobuf. An empty body is an empty message: a later minor version may put fields there.
  static @Nullable Descriptor clientBody(FrameType type) {
    return switch (type) {
      case HELLO -> Hello.getDescriptor();
      case CLIENT_STATE -> ClientState.getDescriptor();
      case REAUTH -> Reauth.getDescriptor();
      case BYE -> Bye.getDescriptor();
      case SEND -> Send.getDescriptor();
      case CATCH_UP -> CatchUp.getDescriptor();
      case HISTORY -> History.getDescriptor();
      case TYPING -> Typing.getDescriptor();
      case CHATS -> Chats.getDescriptor();
      case CHAT_INFO -> ChatInfo.getDescriptor();
      case GROUP_CREATE -> GroupCreate.getDescriptor();
      case GROUP_EDIT -> GroupEdit.getDescriptor();
      case ENTRY_INFO -> EntryInfo.getDescriptor();
      case PRESENCE_SUB -> PresenceSub.getDescriptor();
      case SETTINGS -> Settings.getDescriptor();
      case PUSH_REGISTER -> PushRegister.getDescriptor();
      case NACK -> Nack.getDescriptor();
      case DEVICES -> Devices.getDescriptor();
      case DEVICE_REMOVE -> DeviceRemove.getDescriptor();
      // Any message without fields.
      case ACK, READ -> PushRegistered.getDescriptor();
      default -> null;
    };
  }

  // ---- the scan --------------------------------------------------------------------------------

  // Bytes come from `array`, or from `buf` where that is null: one code for both, and the branch is
  // the same for a whole body. Positions are absolute. A negative result is a verdict's `fault`.

  private static final int VARINT = 0;
  private static final int FIXED64 = 1;
  private static final int BYTES = 2;
  private static final int START_GROUP = 3;
  private static final int END_GROUP = 4;
  private static final int FIXED32 = 5;

  private Verdict verdict(byte @Nullable [] array, @Nullable ByteBuf buf, int start, int end) {
    int fields = scan(array, buf, start, end, schema, 1, Limits.PROTO_FIELDS_MAX);
    return fields >= 0 ? Verdict.OK : BY_FAULT[-fields];
  }

  /// Scans one message; returns how many fields it has, those of sub-messages included.
  private static int scan(
      byte @Nullable [] array,
      @Nullable ByteBuf buf,
      int start,
      int end,
      Schema schema,
      int depth,
      int fieldsMax) {
    if (depth > Limits.PROTO_DEPTH_MAX) {
      return Verdict.TOO_DEEP.fault;
    }
    int pos = start;
    int fields = 0;
    long seen = 0;
    // Up to four counters of 16 bits.
    long repeats = 0;
    while (pos < end) {
      int tagBytes = varintBytes(array, buf, pos, end);
      if (tagBytes == 0) {
        return Verdict.MALFORMED.fault;
      }
      long tag = varint(array, buf, pos, tagBytes);
      pos += tagBytes;
      if (tag >>> 32 != 0 || tag >>> 3 == 0) {
        return Verdict.MALFORMED.fault;
      }
      if (++fields > fieldsMax) {
        return Verdict.TOO_MANY_FIELDS.fault;
      }

      // Where the value lies; for BYTES, without its length.
      int wireType = (int) tag & 7;
      int valueStart = pos;
      switch (wireType) {
        case VARINT -> {
          int bytes = varintBytes(array, buf, pos, end);
          if (bytes == 0) {
            return Verdict.MALFORMED.fault;
          }
          pos += bytes;
        }
        case FIXED64, FIXED32 -> {
          int bytes = wireType == FIXED64 ? 8 : 4;
          if (end - pos < bytes) {
            return Verdict.MALFORMED.fault;
          }
          pos += bytes;
        }
        case BYTES -> {
          int lengthBytes = varintBytes(array, buf, pos, end);
          if (lengthBytes == 0) {
            return Verdict.MALFORMED.fault;
          }
          long length = varint(array, buf, pos, lengthBytes);
          valueStart = pos + lengthBytes;
          if (length < 0 || length > end - valueStart) {
            return Verdict.MALFORMED.fault;
          }
          pos = valueStart + (int) length;
        }
        case START_GROUP, END_GROUP -> {
          return Verdict.GROUP.fault;
        }
        default -> {
          return Verdict.MALFORMED.fault;
        }
      }

      Field field = schema.field(tag >>> 3);
      if (field == null) {
        continue;
      }

      int elements = 1;
      if (wireType != field.wireType) {
        if (!field.packable || wireType != BYTES) {
          return Verdict.WRONG_WIRE_TYPE.fault;
        }
        elements = packed(array, buf, valueStart, pos, field);
        if (elements < 0) {
          return elements;
        }
      } else if (field.bits32 && varint(array, buf, valueStart, pos - valueStart) >>> 32 != 0) {
        return Verdict.OUT_OF_RANGE.fault;
      }

      if (field.repeatSlot < 0) {
        if ((seen & field.onceMask) != 0) {
          return Verdict.DUPLICATE.fault;
        }
        seen |= field.onceMask;
      } else {
        int shift = field.repeatSlot * 16;
        int count = (int) (repeats >>> shift) & 0xFFFF;
        // Both are at most 2^15, but for `elements`, which may be as many as the frame has bytes.
        if (elements > field.repeatsMax - count) {
          return Verdict.TOO_MANY_REPEATS.fault;
        }
        repeats += (long) elements << shift;
      }

      if (wireType == BYTES) {
        if (pos - valueStart > field.bytesMax) {
          return Verdict.TOO_LONG.fault;
        }
        if (field.message != null) {
          int inner =
              scan(array, buf, valueStart, pos, field.message, depth + 1, fieldsMax - fields);
          if (inner < 0) {
            return inner;
          }
          fields += inner;
        } else if (field.text && !Utf8.isValid(array, buf, valueStart, pos)) {
          return Verdict.BAD_UTF8.fault;
        }
      }
    }
    return fields;
  }

  /// How many elements a packed field has.
  private static int packed(
      byte @Nullable [] array, @Nullable ByteBuf buf, int start, int end, Field field) {
    if (field.wireType != VARINT) {
      int each = field.wireType == FIXED64 ? 8 : 4;
      return (end - start) % each == 0 ? (end - start) / each : Verdict.MALFORMED.fault;
    }
    int elements = 0;
    int pos = start;
    while (pos < end) {
      int bytes = varintBytes(array, buf, pos, end);
      if (bytes == 0) {
        return Verdict.MALFORMED.fault;
      }
      if (field.bits32 && varint(array, buf, pos, bytes) >>> 32 != 0) {
        return Verdict.OUT_OF_RANGE.fault;
      }
      pos += bytes;
      elements++;
    }
    return elements;
  }

  /// Length of the varint at `pos`, or 0 when it is cut off or has more than 64 bits.
  private static int varintBytes(byte @Nullable [] array, @Nullable ByteBuf buf, int pos, int end) {
    int last = Math.min(end, pos + 10);
    for (int i = pos; i < last; i++) {
      byte b = at(array, buf, i);
      if (b >= 0) {
        return i - pos == 9 && b > 1 ? 0 : i - pos + 1;
      }
    }
    return 0;
  }

  private static long varint(byte @Nullable [] array, @Nullable ByteBuf buf, int pos, int bytes) {
    long value = 0;
    for (int i = 0; i < bytes; i++) {
      value |= (at(array, buf, pos + i) & 0x7FL) << (7 * i);
    }
    return value;
  }

  static byte at(byte @Nullable [] array, @Nullable ByteBuf buf, int index) {
    if (array != null) {
      return array[index];
    }
    return Objects.requireNonNull(buf).getByte(index);
  }

  // ---- the tables ------------------------------------------------------------------------------

  /// A message's fields by number. Immutable once built.
  private static final class Schema {

    /// Field numbers are looked up in an array; ours are small.
    private static final int NUMBER_MAX = 255;

    private @Nullable Field[] byNumber = new @Nullable Field[0];

    @Nullable Field field(long number) {
      return number < byNumber.length ? byNumber[(int) number] : null;
    }

    /// `known` holds what has been built, and what is being built: messages may contain themselves.
    static Schema of(
        Descriptor message,
        Map<String, Schema> known,
        Map<String, Integer> repeatsMax,
        Map<String, Integer> bytesMax) {
      Schema found = known.get(message.getFullName());
      if (found != null) {
        return found;
      }
      var schema = new Schema();
      known.put(message.getFullName(), schema);

      int numberMax = numberMax(message.getFields());
      var byNumber = new @Nullable Field[numberMax + 1];
      var oneofs = new HashMap<OneofDescriptor, Long>();
      int bits = 0;
      int slots = 0;
      for (FieldDescriptor descriptor : message.getFields()) {
        long onceMask = 0;
        int slot = -1;
        int max = 0;
        OneofDescriptor oneof = descriptor.getRealContainingOneof();
        if (descriptor.isRepeated()) {
          slot = slots++;
          max = repeatsMax.getOrDefault(descriptor.getFullName(), -1);
          if (slot > 3 || max < 0 || max > 0x7FFF) {
            throw new IllegalStateException("repeated field without a usable bound: " + descriptor);
          }
        } else if (oneof != null && oneofs.containsKey(oneof)) {
          onceMask = oneofs.getOrDefault(oneof, 0L);
        } else {
          if (bits == Long.SIZE) {
            throw new IllegalStateException("more than 64 fields: " + message.getFullName());
          }
          onceMask = 1L << bits++;
          if (oneof != null) {
            oneofs.put(oneof, onceMask);
          }
        }
        Schema inner =
            descriptor.getJavaType() == FieldDescriptor.JavaType.MESSAGE
                ? of(descriptor.getMessageType(), known, repeatsMax, bytesMax)
                : null;
        int longest = bytesMax.getOrDefault(descriptor.getFullName(), Integer.MAX_VALUE);
        byNumber[descriptor.getNumber()] =
            new Field(descriptor, onceMask, slot, max, longest, inner);
      }
      schema.byNumber = byNumber;
      return schema;
    }

    private static int numberMax(Collection<FieldDescriptor> fields) {
      int max = 0;
      for (FieldDescriptor field : fields) {
        max = Math.max(max, field.getNumber());
      }
      if (max > NUMBER_MAX) {
        throw new IllegalStateException("field number over " + NUMBER_MAX + ": " + max);
      }
      return max;
    }
  }

  /// One declared field.
  private static final class Field {
    final int wireType;
    final boolean packable;
    final boolean bits32;
    final boolean text;

    /// The bit that says "has been seen"; fields of one oneof share it. 0 for repeated fields.
    final long onceMask;

    /// Which of the four counters; -1 for fields that come once.
    final int repeatSlot;

    final int repeatsMax;
    final int bytesMax;
    final @Nullable Schema message;

    Field(
        FieldDescriptor descriptor,
        long onceMask,
        int repeatSlot,
        int repeatsMax,
        int bytesMax,
        @Nullable Schema message) {
      this.wireType = wireTypeOf(descriptor);
      this.packable = descriptor.isPackable();
      this.bits32 = descriptor.getType() == FieldDescriptor.Type.UINT32;
      this.text = descriptor.getType() == FieldDescriptor.Type.STRING;
      this.onceMask = onceMask;
      this.repeatSlot = repeatSlot;
      this.repeatsMax = repeatsMax;
      this.bytesMax = bytesMax;
      this.message = message;
    }

    private static int wireTypeOf(FieldDescriptor descriptor) {
      return switch (descriptor.getType()) {
        case STRING, BYTES, MESSAGE -> BYTES;
        case FIXED64, SFIXED64, DOUBLE -> FIXED64;
        case FIXED32, SFIXED32, FLOAT -> FIXED32;
        case GROUP -> throw new IllegalStateException("group: " + descriptor.getFullName());
        default -> VARINT;
      };
    }
  }
}
