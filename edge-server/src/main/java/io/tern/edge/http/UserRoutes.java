package io.tern.edge.http;

import static io.tern.edge.http.Shape.field;
import static io.tern.edge.http.Shape.fields;
import static io.tern.edge.http.Shape.flag;
import static io.tern.edge.http.Shape.many;
import static io.tern.edge.http.Shape.matching;
import static io.tern.edge.http.Shape.optional;
import static io.tern.edge.http.Shape.text;
import static io.tern.edge.http.Shape.whole;
import static io.tern.edge.http.Shape.word;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.linecorp.armeria.common.HttpMethod;
import io.tern.accounts.Admin;
import io.tern.accounts.Admin.DeviceView;
import io.tern.accounts.Admin.Overview;
import io.tern.accounts.Answer;
import io.tern.edge.http.Endpoint.Access;
import io.tern.edge.http.Endpoint.Form;
import io.tern.edge.http.Endpoint.Handler;
import io.tern.edge.http.Shape.Fields;
import io.tern.protocol.DeviceId;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import java.time.InstantSource;
import java.util.List;
import java.util.function.Function;

/// What operators see of users and do with them: find, look at, put devices out, ban, erase. What
/// an operator sees of a user is the account's state, nothing that its owner wrote but the names of
/// devices.
public final class UserRoutes {

  private static final Shape USER = whole(1, (1L << 48) - 1);
  private static final Shape DEVICE = whole(1, Limits.DEVICE_INDEX_MAX);
  private static final Shape TIME = whole(0, Shape.WHOLE_MAX);
  private static final Shape NUMBER = matching("\\+[0-9 ()./-]{4,30}", 32, "+4915112345678");
  private static final int REASON_MAX = 500;

  private static final Fields OVERVIEW =
      fields(
          field("user", USER, ""),
          field("state", word("active", "banned"), "banned: now"),
          field("account", flag(), "whether it has one here; else its tokens are of another"),
          field("number", flag(), "whether it has a phone number"),
          field("pin", flag(), "whether it has a registration PIN"),
          field("created_ms", TIME, "0: not known"),
          field("last_seen_ms", TIME, "when a device of it last was connected; 0: never"),
          field("banned_until_ms", TIME, "0: is not banned"),
          field("devices", whole(0, Limits.DEVICES_PER_USER_MAX), "how many"));

  private static final Fields DEVICES =
      fields(
          field(
              "devices",
              many(
                  fields(
                      field("device", DEVICE, ""),
                      field("name", text(64), "as its user calls it; empty without an account"),
                      field("created_ms", TIME, ""),
                      field("last_used_ms", TIME, "when it last fetched a token; 0: never"),
                      field("last_seen_ms", TIME, "when it last was connected; 0: never")),
                  Limits.DEVICES_PER_USER_MAX),
              ""));

  private final Admin admin;
  private final InstantSource clock;

  private UserRoutes(Admin admin, InstantSource clock) {
    this.admin = admin;
    this.clock = clock;
  }

  /// All of them.
  public static List<Endpoint> of(Admin admin, InstantSource clock) {
    return new UserRoutes(admin, clock).list();
  }

  private List<Endpoint> list() {
    return List.of(
        new Endpoint(
            "findUser",
            HttpMethod.POST,
            "/v1/users/find",
            Access.READ,
            fields(
                optional("number", NUMBER, "exactly one of the two; a number stands in no address"),
                optional("username", text(1, 64), "")),
            200,
            OVERVIEW,
            Form.JSON,
            "Whose phone number or username it is.",
            this::find),
        Endpoint.read(
            "user",
            "/v1/users/{user}",
            OVERVIEW,
            "A user.",
            withUser(user -> Reply.of(admin.overview(user), this::overview))),
        Endpoint.read(
            "userDevices",
            "/v1/users/{user}/devices",
            DEVICES,
            "A user's devices.",
            withUser(user -> Reply.of(admin.devices(user), UserRoutes::devices))),
        Endpoint.act(
            "revokeDevice",
            HttpMethod.DELETE,
            "/v1/users/{user}/devices/{device}",
            null,
            null,
            "Put a device out: its session ends, its tokens and its secret are void.",
            call -> {
              UserId user = call.user();
              int device = Integer.parseInt(call.parameter("device"));
              return user == null
                  ? Reply.Refusal.argument("user")
                  : Reply.done(admin.revoke(new DeviceId(user, device)));
            }),
        Endpoint.act(
            "revokeDevices",
            HttpMethod.DELETE,
            "/v1/users/{user}/devices",
            null,
            fields(field("revoked", whole(0, Shape.WHOLE_MAX), "how many")),
            "Put all devices of a user out.",
            withUser(user ->
                Reply.of(admin.revokeAll(user), revoked -> object().put("revoked", revoked)))),
        Endpoint.act(
            "ban",
            HttpMethod.PUT,
            "/v1/users/{user}/ban",
            fields(
                field("reason", text(1, REASON_MAX), "for the audit log; the user is not told"),
                optional("until_ms", whole(1, Shape.WHOLE_MAX), "without it: for good")),
            null,
            "Let a user in no more: their sessions end, their tokens are refused.",
            this::ban),
        Endpoint.act(
            "unban",
            HttpMethod.DELETE,
            "/v1/users/{user}/ban",
            null,
            null,
            "Let a user in again.",
            withUser(user -> Reply.done(admin.ban(user, 0)))),
        Endpoint.act(
            "erase",
            HttpMethod.DELETE,
            "/v1/users/{user}",
            null,
            null,
            "Delete a user for good, as they can themselves: devices, tokens, settings, chat list;"
                + " groups are left. There is no way back.",
            withUser(user -> Reply.done(admin.erase(user)))));
  }

  // ---- handlers --------------------------------------------------------------------------------

  private Reply find(Call call) {
    String number = call.textOrNull("number");
    String username = call.textOrNull("username");
    if ((number == null) == (username == null)) {
      return Reply.Refusal.argument("number");
    }
    Answer<UserId> found =
        number != null ? admin.find(number) : admin.findByUsername(call.text("username"));
    return switch (found) {
      case Answer.Ok<UserId>(UserId user) -> Reply.of(admin.overview(user), this::overview);
      case Answer.Refused<UserId> refused -> Reply.Refusal.of(refused);
    };
  }

  private Reply ban(Call call) {
    UserId user = call.user();
    if (user == null) {
      return Reply.Refusal.argument("user");
    }
    long until = call.body().hasNonNull("until_ms") ? call.whole("until_ms") : Long.MAX_VALUE;
    return until <= clock.millis()
        ? Reply.Refusal.argument("until_ms")
        : Reply.done(admin.ban(user, until));
  }

  private static Handler withUser(Function<UserId, Reply> then) {
    return call -> {
      UserId user = call.user();
      return user == null ? Reply.Refusal.argument("user") : then.apply(user);
    };
  }

  private ObjectNode overview(Overview overview) {
    return object()
        .put("user", overview.user().value())
        .put("state", overview.bannedUntilMillis() > clock.millis() ? "banned" : "active")
        .put("account", overview.hasAccount())
        .put("number", overview.hasNumber())
        .put("pin", overview.hasPin())
        .put("created_ms", overview.createdMillis())
        .put("last_seen_ms", overview.lastSeenMillis())
        // A ban for good ends after all numbers that every JSON reader keeps.
        .put("banned_until_ms", Math.min(overview.bannedUntilMillis(), Shape.WHOLE_MAX))
        .put("devices", overview.devices().size());
  }

  private static ObjectNode devices(List<DeviceView> views) {
    ObjectNode body = object();
    var devices = body.putArray("devices");
    for (DeviceView view : views) {
      devices
          .addObject()
          .put("device", view.index())
          .put("name", view.name())
          .put("created_ms", view.createdMillis())
          .put("last_used_ms", view.lastUsedMillis())
          .put("last_seen_ms", view.lastSeenMillis());
    }
    return body;
  }

  // ---- plumbing --------------------------------------------------------------------------------

  private static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }
}
