package io.tern.edge;

import static io.tern.edge.HttpDoor.body;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.HttpDoor.Operation;

/// For every operation of a document: each member of the wrong type, too long, missing where it is
/// required; each is named in the refusal.
final class MembersCheck {

  private final HttpDoor door;
  private final String token;
  private final long user;

  private MembersCheck(HttpDoor door, String token, long user) {
    this.door = door;
    this.token = token;
    this.user = user;
  }

  /// Checks all of them.
  ///
  /// @param token of one who may ask for everything
  /// @param user who stands in paths
  /// @return how many members were checked
  static int members(HttpDoor door, String token, long user) {
    var check = new MembersCheck(door, token, user);
    return door.operations.stream().mapToInt(check::members).sum();
  }

  private int members(Operation operation) {
    JsonNode schema = operation.node().at("/requestBody/content/application~1json/schema");
    int checked = 0;
    for (var property : schema.path("properties").properties()) {
      ObjectNode good = valid(schema);
      ObjectNode wrong = good.deepCopy();
      wrong.putObject(property.getKey());
      assertArgument(operation, wrong, property.getKey());
      if (property.getValue().has("maxLength")) {
        wrong = good.deepCopy();
        wrong.put(
            property.getKey(), "9".repeat(property.getValue().get("maxLength").intValue() + 1));
        assertArgument(operation, wrong, property.getKey());
        wrong.put(property.getKey(), "x\ud800");
        assertArgument(operation, wrong, property.getKey());
      }
      checked++;
    }
    for (JsonNode name : schema.path("required")) {
      ObjectNode wrong = valid(schema);
      wrong.remove(name.textValue());
      assertArgument(operation, wrong, name.textValue());
    }
    return checked;
  }

  /// A value that the schema allows for each member.
  private static ObjectNode valid(JsonNode schema) {
    ObjectNode good = body();
    for (var property : schema.get("properties").properties()) {
      JsonNode shape = property.getValue();
      switch (shape.get("type").textValue()) {
        case "string" ->
            good.put(
                property.getKey(),
                shape.has("enum")
                    ? shape.get("enum").get(0).textValue()
                    : shape.has("example") ? shape.get("example").textValue() : "abcd");
        case "integer" -> good.put(property.getKey(), 1);
        case "boolean" -> good.put(property.getKey(), true);
        case "array" -> good.putArray(property.getKey());
        default -> throw new AssertionError(shape);
      }
    }
    return good;
  }

  private void assertArgument(Operation operation, ObjectNode wrong, String field) {
    String path =
        operation
            .path()
            .replace("{user}", Long.toString(user))
            .replaceAll("\\{(device|act|seq)}", "1")
            .replaceAll("\\{[a-z]+}", "abc");
    Answer answer = door.ask(operation.method(), path, operation.isOpen() ? null : token, wrong);
    assertThat(answer.code()).as("%s %s", operation.id(), field).isEqualTo(400);
    assertThat(answer.field()).as("%s: %s", operation.id(), answer.raw()).isEqualTo(field);
    assertThat(answer.status()).isEqualTo(400);
  }
}
