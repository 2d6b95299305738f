package io.tern.edge.http;

import static io.tern.edge.http.Shape.decimal;
import static io.tern.edge.http.Shape.field;
import static io.tern.edge.http.Shape.fields;
import static io.tern.edge.http.Shape.flag;
import static io.tern.edge.http.Shape.many;
import static io.tern.edge.http.Shape.optional;
import static io.tern.edge.http.Shape.text;
import static io.tern.edge.http.Shape.whole;
import static io.tern.edge.http.Shape.word;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.linecorp.armeria.common.HttpMethod;
import io.tern.accounts.Admin.SmsSpend;
import io.tern.edge.admin.Operations;
import io.tern.edge.admin.Operations.Served;
import io.tern.edge.admin.Stats;
import io.tern.edge.config.DrainConfig;
import io.tern.edge.http.Shape.Fields;
import io.tern.edge.logging.LogLevels;
import io.tern.edge.logging.Logging;
import io.tern.edge.session.Drain;
import io.tern.edge.session.LiveSession;
import io.tern.edge.tls.Certificates;
import io.tern.edge.tls.Certificates.Reload;
import io.tern.edge.tls.Identity;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.router.Router;
import java.net.InetAddress;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeoutException;

/// What operators see of a running server and do to it: stats, drain, the live sessions of a user,
/// log levels, certificates.
public final class OperationRoutes {

  private static final Shape NUMBER = whole(0, Shape.WHOLE_MAX);
  private static final Shape DEVICE = whole(1, Limits.DEVICE_INDEX_MAX);

  /// Puts a logger back.
  private static final String DEFAULT = "DEFAULT";

  private static final int REASON_MAX = 500;

  private static final Fields STATS =
      fields(
          field("name", text(200), "as configured"),
          field("version", text(64), ""),
          field("java", text(64), ""),
          field("started_ms", NUMBER, ""),
          field("uptime_ms", NUMBER, ""),
          field("state", state(), "whether logins are taken"),
          field(
              "connections",
              fields(
                  field("plain", NUMBER, ""),
                  field("tls", NUMBER, ""),
                  field("websocket", NUMBER, "")),
              "open ones, by door"),
          field("sessions", NUMBER, "that are up"),
          field("users_connected", NUMBER, "who have them"),
          field("users_active", NUMBER, "of these, those whose app is in front on a device"),
          field(
              "per_second",
              fields(
                  field("over_s", decimal(), "how far back: a minute, less at first"),
                  field("sent", decimal(), "messages acknowledged as durable"),
                  field("delivered", decimal(), "entries pushed to devices"),
                  field("logins", decimal(), ""),
                  field("refused", decimal(), "sends that a shard refused")),
              ""),
          field(
              "shards",
              many(
                  fields(
                      field("shard", NUMBER, ""),
                      field("ring_depth", NUMBER, "commands that wait"),
                      field("ring_bytes", NUMBER, "of their bodies"),
                      field("since_commit_ms", whole(-1, Shape.WHOLE_MAX), ""),
                      field("failed", flag(), "")),
                  1 << 16),
              ""),
          field(
              "turns",
              fields(
                  field("per_second", decimal(), "handshakes, logins and pages at most"),
                  field("under_way", NUMBER, ""),
                  field("handshakes_waiting", NUMBER, ""),
                  field("logins_waiting", NUMBER, ""),
                  field("pages_waiting", NUMBER, "")),
              ""),
          field(
              "disk",
              fields(
                  field("data_bytes", NUMBER, "of the files in the data folder"),
                  field("free_bytes", NUMBER, ""),
                  field("reserve_bytes", NUMBER, "below it new messages are refused"),
                  field("has_room", flag(), "")),
              ""),
          field(
              "memory",
              fields(
                  field("heap_used_bytes", NUMBER, ""),
                  field("heap_max_bytes", NUMBER, ""),
                  field("direct_bytes", NUMBER, "")),
              ""),
          optional(
              "sms",
              fields(
                  field("sent", NUMBER, "in the window of 24 h at hand"),
                  field("max", NUMBER, "accounts.sms.per-day"),
                  field("until_ms", NUMBER, "when the window ends")),
              "texts with codes; not there when a shard does not answer"),
          field(
              "budget_keys",
              fields(
                  field("addresses", NUMBER, "and networks"),
                  field("logins", NUMBER, "devices"),
                  field("sends_per_account", NUMBER, "accounts"),
                  field("sends_per_chat", NUMBER, "chats"),
                  field("strangers", NUMBER, "accounts")),
              "that are kept, because they have used some of a budget"));

  private static final Fields PROGRESS =
      fields(
          field("state", state(), ""),
          field("since_ms", NUMBER, "since when"),
          field("sessions", NUMBER, "that were up when the last drain began"),
          field("per_second", decimal(), "how many are told"),
          field("grace_ms", NUMBER, "that each has to finish"),
          field("told", NUMBER, "to leave"),
          field("left", NUMBER, "of those, by themselves"),
          field("closed", NUMBER, "of those, because they stayed"),
          field("remaining", NUMBER, "sessions that are up now"),
          field("refused", NUMBER, "logins since the drain began"));

  private static final Fields SESSIONS =
      fields(
          field(
              "sessions",
              many(
                  fields(
                      field("device", DEVICE, ""),
                      field("session", NUMBER, "its number at this server"),
                      field("door", text(16), "plain, tls or websocket"),
                      field("address", text(64), "the client's; empty when it is not known"),
                      field(
                          "state",
                          word("active", "background"),
                          "active: the app is in front, as far as it has said"),
                      field("since_ms", NUMBER, "since when it is connected"),
                      field("last_input_ms", NUMBER, "when something last came from the client"),
                      field("waiting_bytes", NUMBER, "for the client to take")),
                  Limits.DEVICES_PER_USER_MAX),
              ""));

  private static final Fields REASON =
      fields(field("reason", text(1, REASON_MAX), "for the audit log; the user is not told"));

  private static final Fields ENDED = fields(field("ended", NUMBER, "how many sessions"));

  private static final Fields LEVEL =
      fields(
          field("logger", text(1, 600), ""),
          field("level", text(1, 8), "what it says at least"),
          field("until_ms", NUMBER, "when it goes back; 0: not by itself"));

  private static final Fields IDENTITY =
      fields(
          field("subject", text(1000), ""),
          field("issuer", text(1000), ""),
          field("names", many(text(300), 1000), "host names and addresses it is good for"),
          field("not_before_ms", NUMBER, ""),
          field("not_after_ms", NUMBER, ""),
          field("fingerprint", text(71), "what a client pins"),
          field("development", flag(), "the self-signed one that the server has made"));

  private final Operations operations;
  private final Drain drain;
  private final LogLevels levels;

  private OperationRoutes(Operations operations) {
    this.operations = operations;
    drain = operations.drain();
    levels = operations.logLevels();
  }

  /// All of them.
  public static List<Endpoint> of(Operations operations) {
    var routes = new OperationRoutes(operations);
    return List.of(
        Endpoint.read(
            "stats", "/v1/stats", STATS, "How the server is doing.", call -> routes.stats()),
        Endpoint.read(
            "drain", "/v1/drain", PROGRESS, "How far a drain is.", call -> routes.progress()),
        Endpoint.act(
            "beginDrain",
            HttpMethod.POST,
            "/v1/drain",
            fields(
                optional(
                    "over_ms",
                    whole(0, DrainConfig.OVER_MAX.toMillis()),
                    "in which all are told; without it drain.over"),
                optional(
                    "grace_ms",
                    whole(0, DrainConfig.GRACE_MAX.toMillis()),
                    "for each to finish; without it drain.grace")),
            PROGRESS,
            "Take the server out of service: logins are refused, sessions are told to leave, drain"
                + ".rate-max a second at most.",
            routes::beginDrain),
        Endpoint.act(
            "cancelDrain",
            HttpMethod.DELETE,
            "/v1/drain",
            null,
            PROGRESS,
            "Take logins again. Who has not been told yet stays.",
            call -> {
              routes.drain.cancel();
              return routes.progress();
            }),
        Endpoint.read(
            "userSessions",
            "/v1/users/{user}/sessions",
            SESSIONS,
            "A user's live sessions at this server.",
            routes::sessions),
        Endpoint.act(
            "endSession",
            HttpMethod.DELETE,
            "/v1/users/{user}/sessions/{device}",
            REASON,
            ENDED,
            "End the live session of a device. The client is told when to come back.",
            call -> routes.end(call, Integer.parseInt(call.parameter("device")))),
        Endpoint.act(
            "endSessions",
            HttpMethod.DELETE,
            "/v1/users/{user}/sessions",
            REASON,
            ENDED,
            "End all live sessions of a user. The clients are told when to come back.",
            call -> routes.end(call, 0)),
        Endpoint.read(
            "logLevels",
            "/v1/log-levels",
            fields(
                field("root", text(1, 8), "of everything that is not in the list"),
                field("levels", many(LEVEL, 100), "that have been set since the start")),
            "What loggers say.",
            call -> routes.logLevels()),
        Endpoint.act(
            "setLogLevel",
            HttpMethod.PUT,
            "/v1/log-levels",
            fields(
                field("logger", text(1, 600), "under io.tern, or ROOT, or one of a few libraries"),
                field("level", word(levelWords()), "DEFAULT: what it was at first"),
                optional(
                    "for_ms",
                    whole(1, LogLevels.FOR_MAX.toMillis()),
                    "then it goes back by itself")),
            LEVEL,
            "Set what a logger says, until it is set again, for a time, or to the next start.",
            routes::setLogLevel),
        Endpoint.read(
            "certificates",
            "/v1/certificates",
            fields(
                field(
                    "doors",
                    many(
                        fields(
                            field("door", text(16), "tls, websocket, http or admin"),
                            field("address", text(64), ""),
                            field("certificate", IDENTITY, "")),
                        1000),
                    "those with TLS")),
            "What each door shows.",
            call -> routes.certificates()),
        Endpoint.act(
            "reloadCertificates",
            HttpMethod.POST,
            "/v1/certificates/reload",
            null,
            fields(
                field(
                    "outcome",
                    word("taken", "unchanged", "none"),
                    "none: there is no door with TLS"),
                field("fingerprint", text(71), "of what is shown now; empty with none")),
            "Look at the certificate's files now. A pair that will not do is refused, and the old"
                + " one stays.",
            call -> routes.reload()));
  }

  private static Shape state() {
    return word("in_service", "draining", "drained");
  }

  private static String[] levelWords() {
    String[] words = Logging.LEVELS.toArray(new String[Logging.LEVELS.size() + 1]);
    words[words.length - 1] = DEFAULT;
    return words;
  }

  private static String nameOf(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  private static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }

  // ---- stats -----------------------------------------------------------------------------------

  private Reply stats() {
    Stats stats = operations.stats();
    ObjectNode body =
        object()
            .put("name", stats.name())
            .put("version", stats.version())
            .put("java", stats.java())
            .put("started_ms", stats.startedMillis())
            .put("uptime_ms", stats.uptimeMillis())
            .put("state", nameOf(stats.state()));
    stats.connectionsByDoor().forEach(body.putObject("connections")::put);
    body.put("sessions", stats.sessions())
        .put("users_connected", stats.usersConnected())
        .put("users_active", stats.usersActive());
    Stats.Rates rates = stats.rates();
    body.putObject("per_second")
        .put("over_s", rates.seconds())
        .put("sent", rates.sent())
        .put("delivered", rates.delivered())
        .put("logins", rates.logins())
        .put("refused", rates.refused());
    var shards = body.putArray("shards");
    for (Router.Health shard : stats.shards()) {
      shards
          .addObject()
          .put("shard", shard.shard())
          .put("ring_depth", shard.ringDepth())
          .put("ring_bytes", shard.ringBytes())
          .put("since_commit_ms", shard.sinceCommitMillis())
          .put("failed", shard.failed());
    }
    Stats.Waiting waiting = stats.waiting();
    body.putObject("turns")
        .put("per_second", waiting.rate())
        .put("under_way", waiting.underWay())
        .put("handshakes_waiting", waiting.handshakes())
        .put("logins_waiting", waiting.logins())
        .put("pages_waiting", waiting.pages());
    Stats.Disk disk = stats.disk();
    body.putObject("disk")
        .put("data_bytes", disk.dataBytes())
        .put("free_bytes", disk.freeBytes())
        .put("reserve_bytes", disk.reserveBytes())
        .put("has_room", disk.hasRoom());
    Stats.Memory memory = stats.memory();
    body.putObject("memory")
        .put("heap_used_bytes", memory.heapUsedBytes())
        .put("heap_max_bytes", memory.heapMaxBytes())
        .put("direct_bytes", memory.directBytes());
    SmsSpend sms = stats.sms();
    if (sms != null) {
      body.putObject("sms")
          .put("sent", sms.sent())
          .put("max", sms.max())
          .put("until_ms", sms.untilMillis());
    }
    stats.budgetKeys().forEach(body.putObject("budget_keys")::put);
    return new Reply.Json(body);
  }

  // ---- drain -----------------------------------------------------------------------------------

  private Reply beginDrain(Call call) {
    Duration over = millisOr(call, "over_ms", drain.config().over());
    Duration grace = millisOr(call, "grace_ms", drain.config().grace());
    return drain.begin(over, grace)
        ? progress()
        : new Reply.Refusal(ErrorCode.CONFLICT, "drain", 0);
  }

  private static Duration millisOr(Call call, String field, Duration otherwise) {
    return call.body().hasNonNull(field) ? Duration.ofMillis(call.whole(field)) : otherwise;
  }

  private Reply progress() {
    Drain.Progress progress = drain.progress();
    return new Reply.Json(
        object()
            .put("state", nameOf(progress.state()))
            .put("since_ms", progress.sinceMillis())
            .put("sessions", progress.sessions())
            .put("per_second", progress.rate())
            .put("grace_ms", progress.grace().toMillis())
            .put("told", progress.told())
            .put("left", progress.left())
            .put("closed", progress.closed())
            .put("remaining", progress.remaining())
            .put("refused", progress.refused()));
  }

  // ---- sessions --------------------------------------------------------------------------------

  private Reply sessions(Call call) throws InterruptedException {
    UserId user = call.user();
    if (user == null) {
      return Reply.Refusal.argument("user");
    }
    ObjectNode body = object();
    var sessions = body.putArray("sessions");
    for (LiveSession session : operations.sessions().of(user)) {
      InetAddress peer = session.peer();
      sessions
          .addObject()
          .put("device", session.device().index())
          .put("session", session.session())
          .put("door", session.door())
          .put("address", peer == null ? "" : peer.getHostAddress())
          .put("state", session.active() ? "active" : "background")
          .put("since_ms", session.sinceMillis())
          .put("last_input_ms", session.lastInputMillis())
          .put("waiting_bytes", session.waitingBytes());
    }
    return new Reply.Json(body);
  }

  private Reply end(Call call, int device) throws InterruptedException {
    UserId user = call.user();
    if (user == null) {
      return Reply.Refusal.argument("user");
    }
    int ended = operations.sessions().end(user, device);
    return ended == 0 && device != 0
        ? new Reply.Refusal(ErrorCode.NOT_FOUND, "session", 0)
        : new Reply.Json(object().put("ended", ended));
  }

  // ---- log levels ------------------------------------------------------------------------------

  private Reply logLevels() {
    ObjectNode body = object().put("root", levels.root());
    var all = body.putArray("levels");
    levels.list().forEach(setting -> all.add(json(setting)));
    return new Reply.Json(body);
  }

  private Reply setLogLevel(Call call) {
    String logger = call.text("logger");
    String level = call.text("level");
    if (!LogLevels.isAllowed(logger)) {
      return Reply.Refusal.argument("logger");
    }
    if (level.equals(DEFAULT)) {
      levels.reset(logger);
      return new Reply.Json(json(new LogLevels.Setting(logger, Logging.level(logger), 0)));
    }
    Duration time =
        call.body().hasNonNull("for_ms") ? Duration.ofMillis(call.whole("for_ms")) : null;
    try {
      return new Reply.Json(json(levels.set(logger, level, time)));
    } catch (IllegalArgumentException e) {
      // It begins with what will not do.
      return Reply.Refusal.argument(String.valueOf(e.getMessage()));
    }
  }

  private static ObjectNode json(LogLevels.Setting setting) {
    return object()
        .put("logger", setting.logger())
        .put("level", setting.level())
        .put("until_ms", setting.untilMillis());
  }

  // ---- certificates ----------------------------------------------------------------------------

  private Reply certificates() {
    ObjectNode body = object();
    var doors = body.putArray("doors");
    Certificates certificates = operations.certificates();
    if (certificates != null) {
      for (Served served : operations.served()) {
        ObjectNode door = doors.addObject();
        door.put("door", served.door()).put("address", served.address());
        door.set("certificate", json(certificates.identity(), certificates.isDevelopment()));
      }
    }
    return new Reply.Json(body);
  }

  private static ObjectNode json(Identity identity, boolean development) {
    ObjectNode body =
        object()
            .put("subject", identity.leaf().getSubjectX500Principal().getName())
            .put("issuer", identity.leaf().getIssuerX500Principal().getName());
    var names = body.putArray("names");
    identity.names().forEach(names::add);
    return body.put("not_before_ms", identity.leaf().getNotBefore().toInstant().toEpochMilli())
        .put("not_after_ms", identity.leaf().getNotAfter().toInstant().toEpochMilli())
        .put("fingerprint", identity.fingerprint())
        .put("development", development);
  }

  private Reply reload() throws InterruptedException {
    Certificates certificates = operations.certificates();
    if (certificates == null) {
      return new Reply.Json(object().put("outcome", "none").put("fingerprint", ""));
    }
    try {
      Reload reload = certificates.reload();
      return reload.outcome() == Reload.Outcome.REFUSED
          ? new Reply.Refusal(ErrorCode.CONFLICT, reload.why(), 0)
          : new Reply.Json(
              object()
                  .put("outcome", nameOf(reload.outcome()))
                  .put("fingerprint", reload.identity().fingerprint()));
    } catch (TimeoutException e) {
      return new Reply.Refusal(ErrorCode.TIMEOUT, "certificates", 1_000);
    }
  }
}
