package io.tern.edge.http;

import com.linecorp.armeria.common.HttpMethod;
import io.tern.edge.http.Shape.Fields;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// One method of one address: what it takes and gives, who may ask, and what it does.
///
/// @param id its name in the document
/// @param path with parameters in braces; their shapes are [#PARAMETERS]
/// @param access who may ask
/// @param takes the body, or null when there is none
/// @param status of success
/// @param gives the body of success, or null when there is none
/// @param form what kind of body success has
/// @param says one line for the document
/// @param handler runs on a virtual thread, and may block
record Endpoint(
    String id,
    HttpMethod method,
    String path,
    Access access,
    @Nullable Fields takes,
    int status,
    @Nullable Fields gives,
    Form form,
    String says,
    Handler handler) {

  /// A look of an administrator: GET, JSON.
  static Endpoint read(String id, String path, Fields gives, String says, Handler handler) {
    return new Endpoint(
        id, HttpMethod.GET, path, Access.READ, null, 200, gives, Form.JSON, says, handler);
  }

  /// An act of an administrator, answered in JSON or with 204 if it gives nothing.
  static Endpoint act(
      String id,
      HttpMethod method,
      String path,
      @Nullable Fields takes,
      @Nullable Fields gives,
      String says,
      Handler handler) {
    int status = gives == null ? 204 : 200;
    return new Endpoint(
        id, method, path, Access.ACT, takes, status, gives, Form.JSON, says, handler);
  }

  /// Who may ask.
  enum Access {
    /// Anyone: what is asked proves itself, or is public.
    OPEN,
    /// A device with a good access token, in the name of its user.
    DEVICE,
    /// An administrator, whatever their role: it changes nothing. A look at a person is in the
    /// audit log.
    READ,
    /// An administrator whose role is to act; what they do is in the audit log.
    ACT
  }

  /// What kind of body success has.
  enum Form {
    /// JSON of the shape that it gives.
    JSON,
    /// Likewise, and with status 503 when what it tells is not good.
    CONDITION,
    /// Lines of JSON, each of any shape.
    LINES,
    /// Text.
    TEXT
  }

  @FunctionalInterface
  interface Handler {
    Reply handle(Call call) throws InterruptedException;
  }

  /// Shapes of what may stand in a path, by name.
  static final Map<String, Shape> PARAMETERS =
      Map.of(
          "act", Shape.matching("[1-9][0-9]{0,14}", 15, "17"),
          "look", Shape.matching("[1-9][0-9]{0,14}", 15, "17"),
          "chat", Shape.matching("g[0-9a-z]{1,10}|d[0-9a-z]{1,10}-[0-9a-z]{1,10}", 22, "g1c9"),
          "seq", Shape.matching("[1-9][0-9]{0,14}", 15, "42"),
          "device", Shape.matching("[1-9][0-9]{0,6}", 7, "2"),
          "user", Shape.matching("[1-9][0-9]{0,14}", 15, "281474976710655"),
          "link", Shape.matching("[A-Za-z0-9_-]{1,64}", 64, "q83vEjRWeJA"),
          "username", Shape.matching("[A-Za-z0-9_.]{1,32}", 32, "alice_1"));

  /// Its parameters, in order.
  List<String> parameters() {
    return List.of(path.split("/")).stream()
        .filter(part -> part.startsWith("{"))
        .map(part -> part.substring(1, part.length() - 1))
        .toList();
  }

  boolean isOpen() {
    return access == Access.OPEN;
  }
}
