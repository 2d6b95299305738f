package io.tern.edge.http;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;
import java.util.Locale;

/// The OpenAPI 3.1 document of a list of endpoints: made from what the server itself goes by.
final class OpenApi {

  private static final String BEARER = "bearer";

  private OpenApi() {}

  static ObjectNode document(List<Endpoint> endpoints) {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    root.put("openapi", "3.1.0");
    root.putObject("info")
        .put("title", "Tern accounts")
        .put("version", "1")
        .put(
            "description",
            "Accounts, devices, tokens, profiles and discovery of a Tern server. Members that are"
                + " not known are passed over on both sides. A new behaviour gets a new path.");
    ObjectNode paths = root.putObject("paths");
    for (Endpoint endpoint : endpoints) {
      ObjectNode path =
          paths.has(endpoint.path())
              ? (ObjectNode) paths.get(endpoint.path())
              : paths.putObject(endpoint.path());
      path.set(endpoint.method().name().toLowerCase(Locale.ROOT), operation(endpoint));
    }
    ObjectNode components = root.putObject("components");
    components.putObject("schemas").set("Error", Errors.shape().schema());
    components
        .putObject("securitySchemes")
        .putObject(BEARER)
        .put("type", "http")
        .put("scheme", "bearer")
        .put("bearerFormat", "JWT")
        .put("description", "The access token of a device: POST /v1/token gives the next one.");
    return root;
  }

  private static ObjectNode operation(Endpoint endpoint) {
    ObjectNode operation = JsonNodeFactory.instance.objectNode();
    operation.put("operationId", endpoint.id()).put("summary", endpoint.says());
    if (!endpoint.parameters().isEmpty()) {
      var parameters = operation.putArray("parameters");
      for (String name : endpoint.parameters()) {
        Shape shape = Endpoint.PARAMETERS.get(name);
        if (shape == null) {
          throw new IllegalStateException("no shape for {" + name + "}");
        }
        parameters
            .addObject()
            .put("name", name)
            .put("in", "path")
            .put("required", true)
            .set("schema", shape.schema());
      }
    }
    var security = operation.putArray("security");
    if (!endpoint.isOpen()) {
      security.addObject().putArray(BEARER);
    }
    if (endpoint.takes() != null) {
      ObjectNode body = operation.putObject("requestBody").put("required", true);
      body.putObject("content")
          .putObject("application/json")
          .set("schema", endpoint.takes().schema());
    }
    ObjectNode responses = operation.putObject("responses");
    ObjectNode success =
        responses
            .putObject(Integer.toString(endpoint.status()))
            .put("description", endpoint.says());
    if (endpoint.streams()) {
      success
          .putObject("content")
          .putObject("application/x-ndjson")
          .putObject("schema")
          .put("type", "object")
          .put("description", "one such object a line");
    } else if (endpoint.gives() != null) {
      success
          .putObject("content")
          .putObject("application/json")
          .set("schema", endpoint.gives().schema());
    }
    responses
        .putObject("default")
        .put("description", "Refused: the code in the body says why, and what to do.")
        .putObject("content")
        .putObject("application/json")
        .putObject("schema")
        .put("$ref", "#/components/schemas/Error");
    return operation;
  }
}
