package io.tern.edge.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What a JSON value must look like: checks the values that come, and is the schema in the OpenAPI
/// document. Immutable; any thread. Every shape has a bound.
sealed interface Shape {

  /// Largest whole number that every JSON reader keeps exactly.
  long WHOLE_MAX = (1L << 53) - 1;

  /// The name of what is wrong with `value`, which is at `path`; null when it is right.
  @Nullable String problem(JsonNode value, String path);

  /// As JSON Schema.
  ObjectNode schema();

  static Text text(int max) {
    return new Text(0, max, null, null, false);
  }

  static Text text(int min, int max) {
    return new Text(min, max, null, null, false);
  }

  /// Never to be shown or kept: a code, a PIN, a secret, a token.
  static Text secret(int max) {
    return new Text(1, max, null, null, true);
  }

  static Text matching(String pattern, int max, String example) {
    return new Text(1, max, Pattern.compile(pattern), example, false);
  }

  static Whole whole(long min, long max) {
    return new Whole(min, max);
  }

  static Decimal decimal() {
    return new Decimal();
  }

  static Flag flag() {
    return new Flag();
  }

  static Word word(String... words) {
    return new Word(List.of(words));
  }

  static Many many(Shape each, int max) {
    return new Many(each, max);
  }

  static Maybe maybe(Shape shape) {
    return new Maybe(shape);
  }

  static Fields fields(Field... fields) {
    return new Fields(List.of(fields));
  }

  static Field field(String name, Shape shape, String says) {
    return new Field(name, shape, true, says);
  }

  static Field optional(String name, Shape shape, String says) {
    return new Field(name, shape, false, says);
  }

  /// One member of an object.
  record Field(String name, Shape shape, boolean required, String says) {}

  /// `min` to `max` characters, no half of a surrogate pair among them.
  record Text(int min, int max, @Nullable Pattern pattern, @Nullable String example, boolean secret)
      implements Shape {
    @Override
    public @Nullable String problem(JsonNode value, String path) {
      if (!value.isTextual()) {
        return path;
      }
      String text = value.textValue();
      int length = text.codePointCount(0, text.length());
      boolean right =
          length >= min
              && length <= max
              && text.codePoints().noneMatch(c -> c >= 0xD800 && c <= 0xDFFF)
              && (pattern == null || pattern.matcher(text).matches());
      return right ? null : path;
    }

    @Override
    public ObjectNode schema() {
      ObjectNode schema = of("string").put("minLength", min).put("maxLength", max);
      if (pattern != null) {
        schema.put("pattern", "^(?:" + pattern.pattern() + ")$");
      }
      if (example != null) {
        schema.put("example", example);
      }
      if (secret) {
        schema.put("format", "password");
      }
      return schema;
    }
  }

  record Whole(long min, long max) implements Shape {
    @Override
    public @Nullable String problem(JsonNode value, String path) {
      boolean right =
          value.isIntegralNumber()
              && value.canConvertToLong()
              && value.longValue() >= min
              && value.longValue() <= max;
      return right ? null : path;
    }

    @Override
    public ObjectNode schema() {
      return of("integer").put("format", "int64").put("minimum", min).put("maximum", max);
    }
  }

  /// Any number.
  record Decimal() implements Shape {
    @Override
    public @Nullable String problem(JsonNode value, String path) {
      return value.isNumber() ? null : path;
    }

    @Override
    public ObjectNode schema() {
      return of("number");
    }
  }

  record Flag() implements Shape {
    @Override
    public @Nullable String problem(JsonNode value, String path) {
      return value.isBoolean() ? null : path;
    }

    @Override
    public ObjectNode schema() {
      return of("boolean");
    }
  }

  record Word(List<String> words) implements Shape {
    @Override
    public @Nullable String problem(JsonNode value, String path) {
      return value.isTextual() && words.contains(value.textValue()) ? null : path;
    }

    @Override
    public ObjectNode schema() {
      ObjectNode schema = of("string");
      var all = schema.putArray("enum");
      words.forEach(all::add);
      return schema;
    }
  }

  /// At most `max`.
  record Many(Shape each, int max) implements Shape {
    @Override
    public @Nullable String problem(JsonNode value, String path) {
      if (!value.isArray() || value.size() > max) {
        return path;
      }
      for (int i = 0; i < value.size(); i++) {
        String problem = each.problem(value.get(i), path + "[" + i + "]");
        if (problem != null) {
          return problem;
        }
      }
      return null;
    }

    @Override
    public ObjectNode schema() {
      ObjectNode schema = of("array").put("maxItems", max);
      schema.set("items", each.schema());
      return schema;
    }
  }

  /// Or `null`.
  record Maybe(Shape shape) implements Shape {
    @Override
    public @Nullable String problem(JsonNode value, String path) {
      return value.isNull() ? null : shape.problem(value, path);
    }

    @Override
    public ObjectNode schema() {
      ObjectNode schema = shape.schema();
      String type = schema.get("type").textValue();
      schema.putArray("type").add(type).add("null");
      return schema;
    }
  }

  /// An object. Members that are not named here are passed over: a newer client may send them.
  record Fields(List<Field> fields) implements Shape {

    /// Whether nothing of it has to be there: then all of it may be left out.
    boolean mayBeMissing() {
      return fields.stream().noneMatch(Field::required);
    }

    @Override
    public @Nullable String problem(JsonNode value, String path) {
      if (!value.isObject()) {
        return path;
      }
      for (Field field : fields) {
        String at = path.isEmpty() ? field.name() : path + "." + field.name();
        JsonNode member = value.get(field.name());
        if (member == null || (member.isNull() && !(field.shape() instanceof Maybe))) {
          if (field.required()) {
            return at;
          }
          continue;
        }
        String problem = field.shape().problem(member, at);
        if (problem != null) {
          return problem;
        }
      }
      return null;
    }

    @Override
    public ObjectNode schema() {
      ObjectNode schema = of("object");
      ObjectNode properties = JsonNodeFactory.instance.objectNode();
      for (Field field : fields) {
        ObjectNode property = field.shape().schema();
        if (!field.says().isEmpty()) {
          property.put("description", field.says());
        }
        properties.set(field.name(), property);
      }
      var required = JsonNodeFactory.instance.arrayNode();
      fields.stream().filter(Field::required).forEach(field -> required.add(field.name()));
      if (!required.isEmpty()) {
        schema.set("required", required);
      }
      schema.set("properties", properties);
      return schema;
    }
  }

  private static ObjectNode of(String type) {
    return JsonNodeFactory.instance.objectNode().put("type", type);
  }
}
