package io.tern.edge.http;

import static io.tern.edge.http.Shape.field;
import static io.tern.edge.http.Shape.fields;
import static io.tern.edge.http.Shape.many;
import static io.tern.edge.http.Shape.optional;
import static io.tern.edge.http.Shape.text;
import static io.tern.edge.http.Shape.whole;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tern.accounts.Unavailable;
import io.tern.edge.admin.AuditLog;
import io.tern.edge.admin.AuditLog.Act;
import io.tern.edge.admin.AuditLog.Lines;
import io.tern.edge.http.Endpoint.Access;
import io.tern.edge.http.Endpoint.Handler;
import io.tern.edge.http.Shape.Field;
import io.tern.edge.http.Shape.Fields;
import io.tern.edge.http.Shape.Text;
import io.tern.edge.logging.Wordless;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import io.tern.protocol.ErrorCode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Puts every act of an administrator into the audit log, whoever wrote its endpoint, and shows the
/// log. An act is written before its handler runs, and not run when it cannot be written; its
/// outcome is written before it is answered:
///
/// | outcome | what happened |
/// |---|---|
/// | `done` | it took effect |
/// | `refused CODE` | it did not |
/// | `unknown CODE` | the shard did not answer in time, or the act was cut off: it may have |
/// | `failed` | the server had a fault |
///
/// Written are who, from where, the operation, and what it is about: the parameters of the path and
/// the members of the body that the endpoint names, but for secrets.
///
/// Looks at a person, or at what persons have written, are in a book of their own: each has one
/// line before its answer, which is not given when that cannot be written. Of a body it has the
/// names of the members only, which may be phone numbers, and the user who was found. Looks at the
/// server as a whole are not written. Any thread that may block.
final class Audit {

  private static final int PAGE_MAX = 100;

  private static final Logger log = LoggerFactory.getLogger(Audit.class);
  private static final JsonMapper JSON = new JsonMapper();

  private static final Fields ACTS =
      fields(
          field(
              "acts",
              many(
                  fields(
                      field("act", whole(1, Shape.WHOLE_MAX), "its number"),
                      field("at", text(40), "when it was about to happen, in UTC"),
                      field("who", text(64), "the credential's name"),
                      field("from", text(64), "the address"),
                      field("what", text(64), "the operation"),
                      field("about", fields(), "what it was done to and with"),
                      optional("outcome", text(64), "done, refused CODE, unknown CODE, failed"),
                      optional("ended", text(40), "when, in UTC")),
                  PAGE_MAX),
              "the newest first; without an outcome: under way, or the server ended meanwhile"),
          field("next", whole(0, Shape.WHOLE_MAX), "GET /v1/audit/{next} has older ones; 0: none"));

  private static final Fields LOOKS =
      fields(
          field(
              "looks",
              many(
                  fields(
                      field("look", whole(1, Shape.WHOLE_MAX), "its number"),
                      field("at", text(40), "when, in UTC"),
                      field("who", text(64), "the credential's name"),
                      field("from", text(64), "the address"),
                      field("what", text(64), "the operation"),
                      field("about", fields(), "whom it was about; by: what they were found by"),
                      field("outcome", text(64), "done: it was shown; refused CODE")),
                  PAGE_MAX),
              "the newest first"),
          field("next", whole(0, Shape.WHOLE_MAX), "GET /v1/looks/{next} has older ones; 0: none"));

  private final AuditLog acts;
  private final @Nullable AuditLog looks;
  private final Counters counters;

  /// @param looks null when looks are not written
  Audit(AuditLog acts, @Nullable AuditLog looks, Counters counters) {
    this.acts = acts;
    this.looks = looks;
    this.counters = counters;
  }

  /// As `endpoint`, and an act of it, or a look at a person, is in the log.
  Endpoint audited(Endpoint endpoint) {
    AuditLog book = looks;
    if (endpoint.access() == Access.ACT) {
      return with(endpoint, call -> act(endpoint, call));
    }
    return book != null && isOfSomebody(endpoint)
        ? with(endpoint, call -> look(book, endpoint, call))
        : endpoint;
  }

  /// Whether it shows something of a person: it is asked for somebody, in its path or its body.
  private static boolean isOfSomebody(Endpoint endpoint) {
    return endpoint.takes() != null
        || endpoint.parameters().contains("user")
        || endpoint.parameters().contains("chat");
  }

  private static Endpoint with(Endpoint endpoint, Handler handler) {
    return new Endpoint(
        endpoint.id(),
        endpoint.method(),
        endpoint.path(),
        endpoint.access(),
        endpoint.takes(),
        endpoint.status(),
        endpoint.gives(),
        endpoint.form(),
        endpoint.says(),
        handler);
  }

  private Reply look(AuditLog book, Endpoint endpoint, Call call) throws InterruptedException {
    Reply reply;
    try {
      reply = endpoint.handler().handle(call);
    } catch (Unavailable e) {
      reply = new Reply.Refusal(e.code(), "", e.retryMillis());
    }
    String outcome = reply instanceof Reply.Refusal refusal ? "refused " + refusal.code() : "done";
    try {
      book.look(
          new Act(
              call.administrator().name(),
              call.address().getHostAddress(),
              endpoint.id(),
              aboutLook(endpoint, call, reply)),
          outcome);
    } catch (IOException e) {
      counters.add(Count.ADMIN_LOOKS_UNWRITTEN);
      log.error("the audit log cannot be written: nobody is shown", Wordless.of(e));
      return new Reply.Refusal(ErrorCode.BUSY, "audit", 1_000);
    }
    counters.add(Count.ADMIN_LOOKS);
    return reply;
  }

  private static Map<String, String> aboutLook(Endpoint endpoint, Call call, Reply reply) {
    var about = new LinkedHashMap<String, String>();
    for (String parameter : endpoint.parameters()) {
      about.put(parameter, call.parameter(parameter));
    }
    if (endpoint.takes() != null) {
      var by = new StringJoiner(" ");
      for (Field field : endpoint.takes().fields()) {
        if (call.body().hasNonNull(field.name())) {
          by.add(field.name());
        }
      }
      about.put("by", by.toString());
      if (reply instanceof Reply.Json(JsonNode found) && found.has("user")) {
        about.put("user", found.get("user").asText());
      }
    }
    return about;
  }

  private Reply act(Endpoint endpoint, Call call) throws InterruptedException {
    String who = call.administrator().name();
    long act;
    try {
      act =
          acts.begin(
              new Act(who, call.address().getHostAddress(), endpoint.id(), about(endpoint, call)));
    } catch (IOException e) {
      counters.add(Count.ADMIN_ACTS_UNWRITTEN);
      log.error("the audit log cannot be written: no act is done", Wordless.of(e));
      return new Reply.Refusal(ErrorCode.BUSY, "audit", 1_000);
    }
    counters.add(Count.ADMIN_ACTS);
    String outcome = "failed";
    try {
      Reply reply = endpoint.handler().handle(call);
      outcome = reply instanceof Reply.Refusal refusal ? "refused " + refusal.code() : "done";
      return reply;
    } catch (Unavailable e) {
      outcome = "unknown " + e.code();
      throw e;
    } catch (InterruptedException e) {
      outcome = "unknown " + ErrorCode.TIMEOUT;
      throw e;
    } finally {
      log.info("act {} of {}: {}, {}", act, who, endpoint.id(), outcome);
      end(act, outcome);
    }
  }

  private void end(long act, String outcome) {
    try {
      acts.end(act, outcome);
    } catch (IOException e) {
      // It has happened; that it was about to is in the log.
      counters.add(Count.ADMIN_ACTS_UNWRITTEN);
      log.error("the outcome of act {} cannot be written", act, Wordless.of(e));
    }
  }

  private static Map<String, String> about(Endpoint endpoint, Call call) {
    var about = new LinkedHashMap<String, String>();
    for (String parameter : endpoint.parameters()) {
      about.put(parameter, call.parameter(parameter));
    }
    if (endpoint.takes() != null) {
      for (Field field : endpoint.takes().fields()) {
        JsonNode value = call.body().get(field.name());
        boolean secret = field.shape() instanceof Text text && text.secret();
        if (value != null && !value.isNull() && !secret) {
          about.put(field.name(), value.isTextual() ? value.textValue() : value.toString());
        }
      }
    }
    return about;
  }

  // ---- what can be read ------------------------------------------------------------------------

  List<Endpoint> endpoints() {
    var all = new ArrayList<Endpoint>();
    all.add(
        Endpoint.read(
            "audit", "/v1/audit", ACTS, "The newest acts.", call -> page(acts, "acts", 0)));
    all.add(
        Endpoint.read(
            "auditBefore",
            "/v1/audit/{act}",
            ACTS,
            "Acts before one.",
            call -> page(acts, "acts", Long.parseLong(call.parameter("act")))));
    AuditLog book = looks;
    if (book != null) {
      all.add(
          Endpoint.read(
              "looks",
              "/v1/looks",
              LOOKS,
              "Who has looked at whom, the newest first.",
              call -> page(book, "looks", 0)));
      all.add(
          Endpoint.read(
              "looksBefore",
              "/v1/looks/{look}",
              LOOKS,
              "Looks before one.",
              call -> page(book, "looks", Long.parseLong(call.parameter("look")))));
    }
    return all;
  }

  private static Reply page(AuditLog book, String name, long before) {
    AuditLog.Page page;
    try {
      page = book.page(before, PAGE_MAX);
    } catch (IOException e) {
      log.warn("the audit log cannot be read", Wordless.of(e));
      return new Reply.Refusal(ErrorCode.BUSY, "audit", 1_000);
    }
    ObjectNode body = JsonNodeFactory.instance.objectNode();
    ArrayNode all = body.putArray(name);
    for (Lines lines : page.acts()) {
      try {
        ObjectNode one = (ObjectNode) JSON.readTree(lines.begun());
        if (lines.ended() != null) {
          JsonNode ended = JSON.readTree(lines.ended());
          one.set("outcome", ended.path("outcome"));
          one.set("ended", ended.path("at"));
        }
        all.add(one);
      } catch (JsonProcessingException | ClassCastException e) {
        log.warn("number {} of the {} in the audit log is damaged", lines.act(), name);
      }
    }
    return new Reply.Json(body.put("next", page.next()));
  }
}
