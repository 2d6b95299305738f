package io.tern.edge;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/// Checks a value against a schema of the OpenAPI document: written by the JSON Schema rules, and
/// without anything of the server's own. Stricter in one point: a member that an object's schema
/// does not list is a fault, unless it lists none.
final class SchemaCheck {

  private final JsonNode document;

  SchemaCheck(JsonNode document) {
    this.document = document;
  }

  /// What is wrong, a line each; none when the value is right.
  List<String> faults(JsonNode value, JsonNode schema) {
    var faults = new ArrayList<String>();
    check(value, schema, "$", faults);
    return faults;
  }

  private void check(JsonNode value, JsonNode schema, String at, List<String> faults) {
    if (schema.has("$ref")) {
      check(value, document.at(schema.get("$ref").textValue().substring(1)), at, faults);
      return;
    }
    if (!isOfType(value, schema.get("type"))) {
      faults.add(at + " is not " + schema.get("type") + ": " + value.getNodeType());
      return;
    }
    if (schema.has("enum") && !contains(schema.get("enum"), value)) {
      faults.add(at + " is none of " + schema.get("enum"));
    }
    if (value.isTextual()) {
      text(value.textValue(), schema, at, faults);
    } else if (value.isNumber()) {
      if ((schema.has("minimum") && value.longValue() < schema.get("minimum").longValue())
          || (schema.has("maximum") && value.longValue() > schema.get("maximum").longValue())) {
        faults.add(at + " is out of bounds");
      }
    } else if (value.isArray()) {
      if (schema.has("maxItems") && value.size() > schema.get("maxItems").intValue()) {
        faults.add(at + " is too long");
      }
      for (int i = 0; i < value.size(); i++) {
        check(value.get(i), schema.get("items"), at + "[" + i + "]", faults);
      }
    } else if (value.isObject()) {
      object(value, schema, at, faults);
    }
  }

  private static void text(String text, JsonNode schema, String at, List<String> faults) {
    int length = text.codePointCount(0, text.length());
    if ((schema.has("minLength") && length < schema.get("minLength").intValue())
        || (schema.has("maxLength") && length > schema.get("maxLength").intValue())) {
      faults.add(at + " has " + length + " characters");
    }
    if (schema.has("pattern")
        && !Pattern.compile(schema.get("pattern").textValue()).matcher(text).find()) {
      faults.add(at + " does not match " + schema.get("pattern"));
    }
  }

  private void object(JsonNode value, JsonNode schema, String at, List<String> faults) {
    JsonNode properties = schema.path("properties");
    for (JsonNode name : schema.path("required")) {
      if (!value.has(name.textValue())) {
        faults.add(at + "." + name.textValue() + " is missing");
      }
    }
    value
        .fieldNames()
        .forEachRemaining(name -> {
          if (properties.has(name)) {
            check(value.get(name), properties.get(name), at + "." + name, faults);
          } else if (!properties.isEmpty()) {
            faults.add(at + "." + name + " is not in the document");
          }
        });
  }

  private static boolean isOfType(JsonNode value, JsonNode type) {
    if (type == null) {
      return true;
    }
    if (type.isArray()) {
      for (JsonNode one : type) {
        if (isOfType(value, one)) {
          return true;
        }
      }
      return false;
    }
    return switch (type.textValue()) {
      case "object" -> value.isObject();
      case "array" -> value.isArray();
      case "string" -> value.isTextual();
      case "integer" -> value.isIntegralNumber();
      case "number" -> value.isNumber();
      case "boolean" -> value.isBoolean();
      case "null" -> value.isNull();
      default -> throw new AssertionError("type " + type);
    };
  }

  private static boolean contains(JsonNode words, JsonNode value) {
    for (JsonNode word : words) {
      if (word.equals(value)) {
        return true;
      }
    }
    return false;
  }
}
