package io.tern.edge.http;

import static io.tern.edge.http.Shape.decimal;
import static io.tern.edge.http.Shape.field;
import static io.tern.edge.http.Shape.fields;
import static io.tern.edge.http.Shape.flag;
import static io.tern.edge.http.Shape.many;
import static io.tern.edge.http.Shape.text;
import static io.tern.edge.http.Shape.whole;
import static io.tern.edge.http.Shape.word;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.linecorp.armeria.common.HttpMethod;
import io.tern.edge.admin.AdminCredentials.Administrator;
import io.tern.edge.admin.HealthCheck;
import io.tern.edge.http.Endpoint.Access;
import io.tern.edge.http.Endpoint.Form;
import io.tern.edge.metrics.ServerMetrics;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;

/// What the admin port offers. Immutable; any thread.
///
/// Here are the addresses that are about the server as a whole: its health, its metrics, who asks,
/// and the document of all of it. Every other subject has a class of its own in this package, with
/// `public static List<Endpoint> of(…)`, and is added where the server is put together:
///
/// ```java
/// AdminRoutes.of(health, notReady, metrics, onLoopback).with(UserRoutes.of(accounts))
/// ```
///
/// An endpoint of [Access#READ] changes nothing; one that changes something is of [Access#ACT], and
/// need do no more for the audit log: each act is written there before its handler runs ([Audit]),
/// with the parameters of its path and the members of its body that it names, but for secrets; and
/// so is each look at a person, which is one with a `user` or a `chat` in its path, or a body. The
/// tests hold every operation of the document against everyone who may ask (`AdminMatrixTest`), so
/// a new endpoint needs its row there. What stands in a path needs its shape in
/// [Endpoint#PARAMETERS]; phone numbers and secrets stand in bodies.
public final class AdminRoutes {

  private static final OpenApi.About ABOUT =
      new OpenApi.About(
          "Tern administration",
          "What the operators of a Tern server see and do. Members that are not known are passed"
              + " over on both sides. A new behaviour gets a new path.",
          "tern admin credential",
          "A credential of this server: tern admin credential add NAME makes one. Its role is read"
              + " or act.");

  private static final String METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

  private final List<Endpoint> list;

  private AdminRoutes(List<Endpoint> list) {
    this.list = List.copyOf(list);
  }

  /// Health, readiness, metrics, and who asks.
  ///
  /// @param notReady why nobody should be sent here now; empty = they should
  /// @param openToTools whether health, readiness and metrics are for anyone, as on loopback
  public static AdminRoutes of(
      HealthCheck health, Supplier<String> notReady, ServerMetrics metrics, boolean openToTools) {
    Access tools = openToTools ? Access.OPEN : Access.READ;
    return new AdminRoutes(
        List.of(
            health(health, tools), ready(notReady, tools), metrics(metrics, tools), credential()));
  }

  /// These, and more.
  public AdminRoutes with(List<Endpoint> more) {
    var all = new ArrayList<>(list);
    all.addAll(more);
    return new AdminRoutes(all);
  }

  /// All of them, their acts and looks at persons in the audit log, and the document about them.
  List<Endpoint> endpoints(Audit audit) {
    var all = new ArrayList<Endpoint>();
    list.forEach(endpoint -> all.add(audit.audited(endpoint)));
    all.addAll(audit.endpoints());
    all.add(OpenApi.endpoint(ABOUT, Access.READ, all));
    return all;
  }

  private static Endpoint health(HealthCheck health, Access access) {
    return new Endpoint(
        "health",
        HttpMethod.GET,
        "/health",
        access,
        null,
        200,
        fields(
            field("status", word("ok", "failing"), ""),
            field("problems", many(text(500), 16), "none when it is ok"),
            field("probe_ms", decimal(), "how long a synced commit on every shard took"),
            field("disk_has_room", flag(), "false: new messages are refused"),
            field("connections", whole(0, Shape.WHOLE_MAX), "open now"),
            field(
                "shards",
                many(
                    fields(
                        field("shard", whole(0, 1 << 16), ""),
                        field("ring_depth", whole(0, Shape.WHOLE_MAX), "commands that wait"),
                        field("ring_bytes", whole(0, Shape.WHOLE_MAX), "of their bodies"),
                        field("idle", flag(), ""),
                        field("since_commit_ms", whole(-1, Shape.WHOLE_MAX), ""),
                        field("failed", flag(), "")),
                    1 << 16),
                "")),
        Form.CONDITION,
        "Whether the server keeps what it promises now; 503 when it does not.",
        call -> {
          HealthCheck.Report report = health.check();
          return Reply.Condition.of(report.healthy(), report.body());
        });
  }

  private static Endpoint ready(Supplier<String> notReady, Access access) {
    return new Endpoint(
        "ready",
        HttpMethod.GET,
        "/ready",
        access,
        null,
        200,
        fields(field("ready", flag(), ""), field("why", text(200), "empty when it is")),
        Form.CONDITION,
        "Whether clients should be sent here; 503 while the server is about to end.",
        call -> {
          String why = notReady.get();
          return Reply.Condition.of(
              why.isEmpty(),
              JsonNodeFactory.instance
                  .objectNode()
                  .put("ready", why.isEmpty())
                  .put("why", why)
                  .toString());
        });
  }

  private static Endpoint metrics(ServerMetrics metrics, Access access) {
    return new Endpoint(
        "metrics",
        HttpMethod.GET,
        "/metrics",
        access,
        null,
        200,
        null,
        Form.TEXT,
        "Prometheus metrics.",
        call -> new Reply.Text(METRICS_TYPE, metrics.scrape()));
  }

  private static Endpoint credential() {
    return Endpoint.read(
        "credential",
        "/v1/credential",
        fields(field("name", text(1, 32), ""), field("role", word("read", "act"), "")),
        "Whose the credential is that asks.",
        call -> {
          Administrator by = call.administrator();
          return new Reply.Json(
              JsonNodeFactory.instance
                  .objectNode()
                  .put("name", by.name())
                  .put("role", by.role().name().toLowerCase(Locale.ROOT)));
        });
  }
}
