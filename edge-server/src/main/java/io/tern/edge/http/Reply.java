package io.tern.edge.http;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tern.accounts.Answer;
import io.tern.accounts.Challenge;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.nio.charset.StandardCharsets;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// What an [Endpoint] answers. Immutable, but for the pages of [Lines].
sealed interface Reply {

  /// 204.
  Nothing NOTHING = new Nothing();

  /// What the accounts answer, with the body that `body` makes of it.
  static <T> Reply of(Answer<T> answer, Function<T, ObjectNode> body) {
    return switch (answer) {
      case Answer.Ok<T>(T value) -> new Json(body.apply(value));
      case Answer.Refused<T> refused -> Refusal.of(refused);
    };
  }

  /// What the accounts answer to something that gives nothing.
  static Reply done(Answer<Answer.Done> answer) {
    return switch (answer) {
      case Answer.Ok<Answer.Done> ok -> NOTHING;
      case Answer.Refused<Answer.Done> refused -> Refusal.of(refused);
    };
  }

  record Nothing() implements Reply {}

  /// A body of the shape that the endpoint gives.
  record Json(ObjectNode body) implements Reply {
    @Override
    public String toString() {
      return "Json[]";
    }
  }

  /// A body that is made already.
  record Raw(byte[] body) implements Reply {
    static Raw of(String json) {
      return new Raw(json.getBytes(StandardCharsets.UTF_8));
    }
  }

  /// A body that is made already, and whether what it tells is good: else the status is 503.
  record Condition(boolean good, byte[] body) implements Reply {
    static Condition of(boolean good, String json) {
      return new Condition(good, json.getBytes(StandardCharsets.UTF_8));
    }
  }

  /// A body that is not JSON.
  ///
  /// @param type its media type
  record Text(String type, String text) implements Reply {
    @Override
    public String toString() {
      return "Text[" + text.length() + " characters]";
    }
  }

  /// Lines of JSON, page after page, as fast as the other side takes them.
  ///
  /// @param of whose they are: each user has them sent once at a time
  /// @param first the first page, already there
  record Lines(UserId of, Page first) implements Reply {}

  /// It will not be done.
  ///
  /// @param code of the protocol's registry
  /// @param field what is wrong in the request, or an empty text
  /// @param retryMillis when it may be tried again; 0 when that is not known
  /// @param challenge with the proof of which it may be tried at once; null = there is none
  record Refusal(ErrorCode code, String field, long retryMillis, @Nullable Challenge challenge)
      implements Reply {
    Refusal(ErrorCode code, String field, long retryMillis) {
      this(code, field, retryMillis, null);
    }

    static Refusal of(ErrorCode code) {
      return new Refusal(code, "", 0);
    }

    /// What the accounts refuse.
    static Refusal of(Answer.Refused<?> refused) {
      return new Refusal(
          refused.code(), refused.field(), refused.retryMillis(), refused.challenge());
    }

    static Refusal argument(String field) {
      return new Refusal(ErrorCode.ARGUMENT, field, 0);
    }
  }

  /// Some of the lines.
  ///
  /// @param lines each ends with a line feed
  /// @param rest asks for the next page; not to be asked when `last`
  record Page(String lines, boolean last, Rest rest) {
    @Override
    public String toString() {
      return "Page[" + lines.length() + " characters]";
    }
  }

  /// The next page.
  @FunctionalInterface
  interface Rest {
    Reply next();
  }
}
