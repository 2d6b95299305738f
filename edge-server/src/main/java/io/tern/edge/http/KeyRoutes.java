package io.tern.edge.http;

import static io.tern.edge.http.Shape.field;
import static io.tern.edge.http.Shape.fields;
import static io.tern.edge.http.Shape.text;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.linecorp.armeria.common.HttpMethod;
import io.tern.edge.logging.Wordless;
import io.tern.edge.token.SigningKeys;
import io.tern.protocol.ErrorCode;
import java.io.IOException;
import java.time.InstantSource;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What operators do with the keys that sign access tokens.
public final class KeyRoutes {

  private static final Logger log = LoggerFactory.getLogger(KeyRoutes.class);

  private KeyRoutes() {}

  /// All of them.
  public static List<Endpoint> of(SigningKeys keys, InstantSource clock) {
    return List.of(
        Endpoint.act(
            "rotateKeys",
            HttpMethod.POST,
            "/v1/keys/rotate",
            null,
            fields(field("key", text(1, 64), "the new one's id, as in the head of a token")),
            "Make a key that signs access tokens after tokens.publish-ahead. Nobody is logged out.",
            call -> rotate(keys, clock)));
  }

  private static Reply rotate(SigningKeys keys, InstantSource clock) {
    try {
      return new Reply.Json(
          JsonNodeFactory.instance.objectNode().put("key", keys.rotate(clock.instant())));
    } catch (IllegalStateException e) {
      // As many as can be: the oldest goes when its last token has ended.
      return new Reply.Refusal(ErrorCode.CONFLICT, "keys", 0);
    } catch (IOException e) {
      log.warn("the token keys cannot be written", Wordless.of(e));
      return new Reply.Refusal(ErrorCode.BUSY, "keys", 1_000);
    }
  }
}
