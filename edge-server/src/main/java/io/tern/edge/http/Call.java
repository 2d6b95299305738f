package io.tern.edge.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.tern.protocol.DeviceId;
import java.net.InetAddress;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// One request whose body has the shape that its [Endpoint] asks for. Confined to its thread.
///
/// @param caller the device that asks; null where anyone may
/// @param address where it comes from
/// @param parameters of the path
/// @param body an empty object where none is asked for
record Call(
    @Nullable DeviceId caller, InetAddress address, Map<String, String> parameters, JsonNode body) {

  static final JsonNode NOTHING = JsonNodeFactory.instance.objectNode();

  /// The device that asks, where one must.
  DeviceId by() {
    return Objects.requireNonNull(caller);
  }

  String parameter(String name) {
    return Objects.requireNonNull(parameters.get(name));
  }

  String text(String field) {
    return body.get(field).textValue();
  }

  @Nullable String textOrNull(String field) {
    JsonNode value = body.get(field);
    return value == null || value.isNull() ? null : value.textValue();
  }

  String textOr(String field, String otherwise) {
    return Objects.requireNonNullElse(textOrNull(field), otherwise);
  }

  long whole(String field) {
    return body.get(field).longValue();
  }

  boolean flag(String field) {
    return body.get(field).booleanValue();
  }

  /// Without what the body says: it may be a secret.
  @Override
  public String toString() {
    return "call of " + caller;
  }
}
