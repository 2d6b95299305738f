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
import com.linecorp.armeria.common.HttpMethod;
import io.tern.accounts.Unavailable;
import io.tern.edge.admin.AuditLog;
import io.tern.edge.admin.AuditLog.Act;
import io.tern.edge.admin.AuditLog.Lines;
import io.tern.edge.http.Endpoint.Access;
import io.tern.edge.http.Endpoint.Form;
import io.tern.edge.http.Endpoint.Handler;
import io.tern.edge.http.Shape.Field;
import io.tern.edge.http.Shape.Fields;
import io.tern.edge.http.Shape.Text;
import io.tern.edge.logging.Wordless;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import io.tern.protocol.ErrorCode;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
/// the members of the body that the endpoint names, but for secrets. Any thread that may block.
final class Audit {

  private static final int PAGE_MAX = 100;

  private static final Logger log = LoggerFactory.getLogger(Audit.class);
  private static final JsonMapper JSON = new JsonMapper();

  private static final Fields PAGE =
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

  private final AuditLog audit;
  private final Counters counters;

  Audit(AuditLog audit, Counters counters) {
    this.audit = audit;
    this.counters = counters;
  }

  /// As `endpoint`, and an act of it is in the log.
  Endpoint audited(Endpoint endpoint) {
    if (endpoint.access() != Access.ACT) {
      return endpoint;
    }
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
        call -> act(endpoint, call));
  }

  private Reply act(Endpoint endpoint, Call call) throws InterruptedException {
    String who = call.administrator().name();
    long act;
    try {
      act =
          audit.begin(
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
      audit.end(act, outcome);
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
    return List.of(
        read("audit", "/v1/audit", "The newest acts.", call -> page(0)),
        read(
            "auditBefore",
            "/v1/audit/{act}",
            "Acts before one.",
            call -> page(Long.parseLong(call.parameter("act")))));
  }

  private static Endpoint read(String id, String path, String says, Handler handler) {
    return new Endpoint(
        id, HttpMethod.GET, path, Access.READ, null, 200, PAGE, Form.JSON, says, handler);
  }

  private Reply page(long before) {
    AuditLog.Page page;
    try {
      page = audit.page(before, PAGE_MAX);
    } catch (IOException e) {
      log.warn("the audit log cannot be read", Wordless.of(e));
      return new Reply.Refusal(ErrorCode.BUSY, "audit", 1_000);
    }
    ObjectNode body = JsonNodeFactory.instance.objectNode();
    ArrayNode acts = body.putArray("acts");
    for (Lines lines : page.acts()) {
      try {
        ObjectNode act = (ObjectNode) JSON.readTree(lines.begun());
        if (lines.ended() != null) {
          JsonNode ended = JSON.readTree(lines.ended());
          act.set("outcome", ended.path("outcome"));
          act.set("ended", ended.path("at"));
        }
        acts.add(act);
      } catch (JsonProcessingException | ClassCastException e) {
        log.warn("act {} in the audit log is damaged", lines.act());
      }
    }
    return new Reply.Json(body.put("next", page.next()));
  }
}
