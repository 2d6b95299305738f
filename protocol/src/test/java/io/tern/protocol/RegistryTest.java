package io.tern.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import io.tern.protocol.v1.Send;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;

/// The Java constants are those of registry.json, and the other way round.
class RegistryTest {

  @Test
  void types() {
    List<String> listed = new ArrayList<>();
    for (JsonNode entry : Registry.ROOT.get("types")) {
      String name = entry.get("name").asText();
      listed.add(name);
      FrameType type = FrameType.valueOf(name);
      assertThat(type.code()).as(name).isEqualTo(Integer.parseInt(entry.get("code").asText(), 16));
      assertThat(type.sender().name().toLowerCase(Locale.ROOT))
          .isEqualTo(entry.get("from").asText());
      assertThat(type.requiredFlags()).as(name).isEqualTo(Registry.flags(entry.get("required")));
      assertThat(type.optionalFlags()).as(name).isEqualTo(Registry.flags(entry.get("optional")));
    }
    assertThat(listed).containsExactlyElementsOf(names(FrameType.values()));
  }

  @Test
  void bodies() {
    for (JsonNode entry : Registry.ROOT.get("types")) {
      FrameType type = FrameType.valueOf(entry.get("name").asText());
      String body = entry.get("body").asText();
      Descriptor scanned = Prescan.clientBody(type);
      if (!body.equals("empty") && !body.equals("opaque")) {
        Descriptor named = Send.getDescriptor().getFile().findMessageTypeByName(body);
        assertThat(named).as(body).isNotNull();
        assertThat(scanned).as(body).isIn(named, null);
      }
      boolean isScanned = type.isFromClient() && !body.equals("opaque");
      assertThat(scanned != null).as(type.name()).isEqualTo(isScanned);
      if (body.equals("empty") && scanned != null) {
        assertThat(scanned.getFields()).isEmpty();
      }
    }
  }

  @Test
  void everyTypeIsInTheRangeOfItsKind() {
    for (FrameType type : FrameType.values()) {
      int code = type.code();
      String range = "";
      for (JsonNode entry : Registry.ROOT.get("ranges")) {
        if (code >= Integer.parseInt(entry.get("from").asText(), 16)
            && code <= Integer.parseInt(entry.get("to").asText(), 16)) {
          range = entry.get("what").asText();
        }
      }
      if (FrameType.isRequest(code)) {
        assertThat(range).startsWith("requests");
        assertThat(type.sender()).isEqualTo(FrameType.Sender.CLIENT);
      } else if (code >= 0x80) {
        assertThat(range).matches("replies|pushes");
        assertThat(type.sender()).isEqualTo(FrameType.Sender.SERVER);
      } else {
        assertThat(range).isEqualTo("session");
      }
    }
  }

  @Test
  void rangesCoverEveryTypeOnce() {
    int next = 0;
    for (JsonNode entry : Registry.ROOT.get("ranges")) {
      assertThat(Integer.parseInt(entry.get("from").asText(), 16)).isEqualTo(next);
      next = Integer.parseInt(entry.get("to").asText(), 16) + 1;
    }
    assertThat(next).isEqualTo(256);
  }

  @Test
  void flags() throws Exception {
    int all = 0;
    for (JsonNode entry : Registry.ROOT.get("flags")) {
      int bit = Integer.parseInt(entry.get("bit").asText(), 16);
      assertThat(FrameHeader.class.getField(entry.get("name").asText()).get(null)).isEqualTo(bit);
      all |= bit;
    }
    assertThat(all).isEqualTo(~FrameHeader.RESERVED & 0xFF);
  }

  @Test
  void capabilities() throws Exception {
    int listed = 0;
    for (JsonNode entry : Registry.ROOT.get("capabilities")) {
      assertThat(Capability.class.getField(entry.get("name").asText()).get(null))
          .isEqualTo(1L << entry.get("bit").asInt());
      listed++;
    }
    assertThat(Capability.class.getFields()).hasSize(listed);
  }

  @Test
  void errors() {
    List<String> listed = new ArrayList<>();
    for (JsonNode entry : Registry.ROOT.get("errors")) {
      String name = entry.get("name").asText();
      listed.add(name);
      ErrorCode code = ErrorCode.valueOf(name);
      assertThat(code.number()).isEqualTo(entry.get("code").asInt());
      assertThat(ErrorCode.of(code.number())).isSameAs(code);
    }
    assertThat(listed).containsExactlyElementsOf(names(ErrorCode.values()));
  }

  // TERN-9-1
  @Test
  void aCodeThatIsNotKnownHasTheClassOfItsHundreds() {
    for (JsonNode entry : Registry.ROOT.get("error_classes")) {
      int hundreds = entry.get("hundreds").asInt();
      var expected = ErrorCode.ErrorClass.valueOf(entry.get("name").asText());
      for (int code = hundreds * 100; code < hundreds * 100 + 100; code++) {
        assertThat(ErrorCode.classOf(code)).isEqualTo(expected);
      }
      assertThat(ErrorCode.of(hundreds * 100 + 99)).isNull();
    }
    assertThat(ErrorCode.classOf(0)).isEqualTo(ErrorCode.ErrorClass.SERVER);
    assertThat(ErrorCode.classOf(999)).isEqualTo(ErrorCode.ErrorClass.SERVER);
    assertThat(ErrorCode.classOf(-1)).isEqualTo(ErrorCode.ErrorClass.SERVER);
  }

  @Test
  void limits() throws Exception {
    List<String> listed = new ArrayList<>(List.of("PREFACE", "VERSION"));
    for (JsonNode entry : Registry.ROOT.get("limits")) {
      String java = entry.get("java").asText();
      if (!java.isEmpty()) {
        listed.add(java);
        assertThat(Limits.class.getField(java).get(null))
            .as(java)
            .isEqualTo(entry.get("value").asInt());
      } else {
        assertThat(entry.get("name").asText()).isEqualTo("id_bits");
        assertThat(UserId.VALUE_MAX).isEqualTo((1L << entry.get("value").asInt()) - 1);
      }
    }
    List<String> constants = new ArrayList<>();
    for (Field field : Limits.class.getFields()) {
      if (Modifier.isStatic(field.getModifiers())) {
        constants.add(field.getName());
      }
    }
    assertThat(listed).containsExactlyInAnyOrderElementsOf(constants);
    assertThat(Limits.PREFACE)
        .isEqualTo(Integer.parseInt(Registry.ROOT.get("preface").asText(), 16));
    assertThat(Limits.VERSION).isEqualTo(Registry.ROOT.get("protocol").asInt());
  }

  // TERN-11-1
  @Test
  void everyEnumHasUnspecifiedAsZeroAndNoFieldIsAGroup() {
    for (var type : Send.getDescriptor().getFile().getEnumTypes()) {
      assertThat(type.findValueByNumber(0).getName()).endsWith("_UNSPECIFIED");
    }
    for (Descriptor message : Send.getDescriptor().getFile().getMessageTypes()) {
      for (FieldDescriptor field : message.getFields()) {
        assertThat(field.getType()).isNotEqualTo(FieldDescriptor.Type.GROUP);
      }
    }
  }

  private static List<String> names(Enum<?>[] values) {
    List<String> names = new ArrayList<>();
    for (Enum<?> value : values) {
      names.add(value.name());
    }
    return names;
  }
}
