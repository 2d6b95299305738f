package io.tern.edge.http;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.linecorp.armeria.common.HttpMethod;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// The OpenAPI 3.1 document of a list of endpoints: made from what the server itself goes by.
final class OpenApi {

  private static final String BEARER = "bearer";

  /// What a document is of.
  ///
  /// @param credential what a bearer has
  /// @param whence where a bearer gets it
  record About(String title, String description, String credential, String whence) {
    @Override
    public String toString() {
      return title;
    }
  }

  private OpenApi() {}

  /// The endpoint that gives the document of `all`, made once, when first asked for: by then the
  /// list is whole.
  static Endpoint endpoint(About about, Endpoint.Access access, List<Endpoint> all) {
    var document =
        new Object() {
          private byte @Nullable [] made;

          synchronized byte[] get() {
            byte[] known = made;
            if (known == null) {
              known = Reply.Raw.of(document(about, all).toPrettyString()).body();
              made = known;
            }
            return known;
          }
        };
    return new Endpoint(
        "openApi",
        HttpMethod.GET,
        "/openapi.json",
        access,
        null,
        200,
        Shape.fields(
            Shape.field("openapi", Shape.text(16), ""),
            Shape.field("info", Shape.fields(), ""),
            Shape.field("paths", Shape.fields(), ""),
            Shape.field("components", Shape.fields(), "")),
        Endpoint.Form.JSON,
        "This document.",
        call -> new Reply.Raw(document.get()));
  }

  private static ObjectNode document(About about, List<Endpoint> endpoints) {
    ObjectNode root = JsonNodeFactory.instance.objectNode();
    root.put("openapi", "3.1.0");
    root.putObject("info")
        .put("title", about.title())
        .put("version", "1")
        .put("description", about.description());
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
        .put("bearerFormat", about.credential())
        .put("description", about.whence());
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
    switch (endpoint.access()) {
      case OPEN -> {}
      case DEVICE -> security.addObject().putArray(BEARER);
      case READ -> security.addObject().putArray(BEARER).add("read");
      case ACT -> security.addObject().putArray(BEARER).add("act");
    }
    if (endpoint.takes() != null) {
      ObjectNode body =
          operation.putObject("requestBody").put("required", !endpoint.takes().mayBeMissing());
      body.putObject("content")
          .putObject("application/json")
          .set("schema", endpoint.takes().schema());
    }
    ObjectNode responses = operation.putObject("responses");
    ObjectNode success =
        responses
            .putObject(Integer.toString(endpoint.status()))
            .put("description", endpoint.says());
    switch (endpoint.form()) {
      case LINES ->
          success
              .putObject("content")
              .putObject("application/x-ndjson")
              .putObject("schema")
              .put("type", "object")
              .put("description", "one such object a line");
      case TEXT ->
          success
              .putObject("content")
              .putObject("text/plain")
              .putObject("schema")
              .put("type", "string");
      case JSON -> body(success, endpoint);
      case CONDITION -> {
        body(success, endpoint);
        body(responses.putObject("503").put("description", "It is not good."), endpoint);
      }
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

  private static void body(ObjectNode response, Endpoint endpoint) {
    if (endpoint.gives() != null) {
      response
          .putObject("content")
          .putObject("application/json")
          .set("schema", endpoint.gives().schema());
    }
  }
}
