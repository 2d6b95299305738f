package io.tern.edge.http;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import io.tern.edge.admin.AdminCredentials.Administrator;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.net.InetAddress;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// One request whose body has the shape that its [Endpoint] asks for. Confined to its thread.
///
/// @param asker who asks
/// @param address where it comes from
/// @param parameters of the path
/// @param body an empty object where none is asked for
record Call(Asker asker, InetAddress address, Map<String, String> parameters, JsonNode body) {

  static final JsonNode NOTHING = JsonNodeFactory.instance.objectNode();

  /// The device that asks, where one must.
  DeviceId by() {
    if (asker instanceof Asker.OfDevice(DeviceId device)) {
      return device;
    }
    throw new IllegalStateException("no device asks, but " + asker);
  }

  /// The administrator who asks, where one must.
  Administrator administrator() {
    if (asker instanceof Asker.OfOperator(Administrator administrator)) {
      return administrator;
    }
    throw new IllegalStateException("no administrator asks, but " + asker);
  }

  /// The user in the path; null when no user can have this id.
  @Nullable UserId user() {
    long user = Long.parseLong(parameter("user"));
    return UserId.isValid(user) ? new UserId(user) : null;
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
    return "call of " + asker;
  }
}
