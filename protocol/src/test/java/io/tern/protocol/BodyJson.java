package io.tern.protocol;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import io.tern.protocol.v1.Send;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;

/// The JSON of the vectors: fields by their names in tern.proto, what is absent or 0 left out,
/// 64-bit numbers as decimal strings, bytes as hex, enums by name or, when not known, by number.
/// Unknown fields are left out.
final class BodyJson {

  private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

  private BodyJson() {}

  static ObjectNode of(Message message) {
    ObjectNode json = NODES.objectNode();
    for (Map.Entry<FieldDescriptor, Object> entry : message.getAllFields().entrySet()) {
      FieldDescriptor field = entry.getKey();
      if (field.isRepeated()) {
        ArrayNode array = json.putArray(field.getName());
        for (Object element : (List<?>) entry.getValue()) {
          array.add(value(field, element));
        }
      } else {
        json.set(field.getName(), value(field, entry.getValue()));
      }
    }
    return json;
  }

  private static JsonNode value(FieldDescriptor field, Object value) {
    return switch (field.getType()) {
      case UINT32 -> NODES.numberNode(Integer.toUnsignedLong((Integer) value));
      case UINT64 -> NODES.textNode(Long.toUnsignedString((Long) value));
      case DOUBLE -> NODES.numberNode((Double) value);
      case BOOL -> NODES.booleanNode((Boolean) value);
      case STRING -> NODES.textNode((String) value);
      case BYTES -> NODES.textNode(HexFormat.of().formatHex(((ByteString) value).toByteArray()));
      case MESSAGE -> of((Message) value);
      case ENUM -> {
        var named = (EnumValueDescriptor) value;
        yield named.getIndex() < 0
            ? NODES.numberNode(named.getNumber())
            : NODES.textNode(named.getName());
      }
      default -> throw new AssertionError("no JSON for " + field);
    };
  }

  /// Body of a frame of `type`: an object, or hex where it is not protobuf.
  static JsonNode of(FrameType type, byte[] body) {
    Descriptor descriptor = descriptor(type);
    if (descriptor == null) {
      return new TextNode(HexFormat.of().formatHex(body));
    }
    try {
      return of(DynamicMessage.parseFrom(descriptor, body));
    } catch (InvalidProtocolBufferException e) {
      throw new AssertionError(e);
    }
  }

  /// The message in the body of any type; null for opaque bodies. An empty body is a message
  /// without fields.
  static @org.jspecify.annotations.Nullable Descriptor descriptor(FrameType type) {
    for (JsonNode entry : Registry.ROOT.get("types")) {
      if (entry.get("name").asText().equals(type.name())) {
        String body = entry.get("body").asText();
        return switch (body) {
          case "opaque" -> null;
          case "empty" -> io.tern.protocol.v1.PushRegistered.getDescriptor();
          default -> Send.getDescriptor().getFile().findMessageTypeByName(body);
        };
      }
    }
    throw new AssertionError("not in the registry: " + type);
  }

  /// A frame's header and body; the type by name or, when not known, as two hex digits.
  static ObjectNode frame(FrameHeader header, byte[] body) {
    FrameType type = FrameType.of(header.type());
    ObjectNode json = NODES.objectNode();
    json.put("type", type == null ? "%02X".formatted(header.type()) : type.name());
    ArrayNode flags = json.putArray("flags");
    flagNames(header.flags()).forEach(flags::add);
    if (header.has(FrameHeader.RID)) {
      json.put("rid", Integer.toUnsignedLong(header.rid()));
    }
    if (header.has(FrameHeader.CHAT)) {
      json.put("chat", Long.toUnsignedString(header.chat()));
    }
    if (header.has(FrameHeader.SEQ)) {
      json.put("seq", Long.toUnsignedString(header.seq()));
    }
    json.set("body", type == null ? new TextNode(HexFormat.of().formatHex(body)) : of(type, body));
    return json;
  }

  static List<String> flagNames(int flags) {
    List<String> names = new ArrayList<>();
    for (JsonNode flag : Registry.ROOT.get("flags")) {
      if ((flags & Integer.parseInt(flag.get("bit").asText(), 16)) != 0) {
        names.add(flag.get("name").asText());
      }
    }
    return names;
  }

  static ObjectNode parse(String line) {
    try {
      return (ObjectNode) new ObjectMapper().readTree(line);
    } catch (com.fasterxml.jackson.core.JsonProcessingException e) {
      throw new AssertionError(line, e);
    }
  }
}
