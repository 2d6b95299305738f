package io.tern.edge.http;

import static io.tern.edge.http.Shape.field;
import static io.tern.edge.http.Shape.fields;
import static io.tern.edge.http.Shape.flag;
import static io.tern.edge.http.Shape.many;
import static io.tern.edge.http.Shape.matching;
import static io.tern.edge.http.Shape.maybe;
import static io.tern.edge.http.Shape.optional;
import static io.tern.edge.http.Shape.secret;
import static io.tern.edge.http.Shape.text;
import static io.tern.edge.http.Shape.whole;
import static io.tern.edge.http.Shape.word;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.linecorp.armeria.common.HttpMethod;
import io.tern.accounts.Accounts;
import io.tern.accounts.Answer;
import io.tern.accounts.Caller;
import io.tern.accounts.Devices;
import io.tern.accounts.Discovery;
import io.tern.accounts.Exports;
import io.tern.accounts.Linking;
import io.tern.accounts.Profiles.Profile;
import io.tern.accounts.Registered;
import io.tern.accounts.Registration;
import io.tern.accounts.Secret;
import io.tern.edge.http.Endpoint.Access;
import io.tern.edge.http.Endpoint.Form;
import io.tern.edge.http.Endpoint.Handler;
import io.tern.edge.http.Shape.Fields;
import io.tern.edge.http.Shape.Text;
import io.tern.protocol.DeviceId;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// What the gateway offers: the user service's calls, each at its address, and the two documents
/// about it. The list is the only place that names them.
public final class AccountRoutes {

  private static final OpenApi.About ABOUT =
      new OpenApi.About(
          "Tern accounts",
          "Accounts, devices, tokens, profiles and discovery of a Tern server. Members that are"
              + " not known are passed over on both sides. A new behaviour gets a new path.",
          "JWT",
          "The access token of a device: POST /v1/token gives the next one.");

  /// Bounds of the texts here are in characters; the user service has the same in bytes.
  private static final int NAME_MAX = 128;

  private static final int DEVICE_NAME_MAX = 64;
  private static final int ABOUT_MAX = 512;
  private static final int PHOTO_MAX = 256;
  private static final int SECRET_MAX = 128;

  private static final Text NUMBER = matching("\\+[0-9 ()./-]{4,30}", 32, "+4915112345678");
  private static final Text REQUEST = matching("[A-Za-z0-9_-]{1,64}", 64, "3q2-7w");
  private static final Text PROOF =
      matching("[A-Za-z0-9_-]{56}\\.[A-Za-z0-9_-]{1,20}", 77, "b3Jhbmdl".repeat(7) + ".c2FsbW9u");
  private static final Text LINK = matching("[A-Za-z0-9_-]{1,64}", 64, "q83vEjRWeJA");
  private static final Shape USER = whole(1, (1L << 48) - 1);
  private static final Shape DEVICE = whole(1, Limits.DEVICE_INDEX_MAX);
  private static final Shape TIME = whole(0, Shape.WHOLE_MAX);

  private final Accounts accounts;
  private final Supplier<String> publishedKeys;
  private final List<Endpoint> endpoints = new ArrayList<>();

  private AccountRoutes(Accounts accounts, Supplier<String> publishedKeys) {
    this.accounts = accounts;
    this.publishedKeys = publishedKeys;
  }

  /// All of them.
  ///
  /// @param publishedKeys the public token keys, as a JWK set
  public static List<Endpoint> of(Accounts accounts, Supplier<String> publishedKeys) {
    var routes = new AccountRoutes(accounts, publishedKeys);
    routes.registration();
    routes.tokens();
    routes.devices();
    routes.linking();
    routes.account();
    routes.profiles();
    routes.discovery();
    routes.documents();
    return List.copyOf(routes.endpoints);
  }

  // ---- coming in -------------------------------------------------------------------------------

  private void registration() {
    open(
        "requestCode",
        HttpMethod.POST,
        "/v1/registration/code",
        fields(
            field("number", NUMBER, "with + and country"),
            optional("proof", PROOF, "challenge, dot and nonce, where an answer asked for it")),
        200,
        fields(
            field("request", REQUEST, "to be shown with the code"),
            field("expires_ms", TIME, ""),
            field("resend_after_ms", TIME, "when another code may be asked for")),
        "Send a code to a phone number. The answer does not say whether the number is anyone's.",
        call ->
            Reply.of(
                accounts
                    .registration()
                    .requestCode(call.text("number"), call.textOrNull("proof"), caller(call)),
                AccountRoutes::codeSent));
    open(
        "verifyCode",
        HttpMethod.POST,
        "/v1/registration/verify",
        fields(
            field("number", NUMBER, ""),
            field("request", REQUEST, ""),
            field("code", secret(16), "as it came")),
        200,
        fields(
            field("ticket", secret(SECRET_MAX), "proof that the number is the caller's"),
            field("pin_needed", flag(), "the number has an account with a PIN"),
            field("pin_retry_ms", TIME, "in how long a PIN may be tried; 0: now"),
            field("expires_ms", TIME, "")),
        "Prove a number by the code. A code has five tries, and ten minutes.",
        call ->
            Reply.of(
                accounts
                    .registration()
                    .verify(
                        call.text("number"),
                        call.text("request"),
                        new Secret(call.text("code")),
                        caller(call)),
                AccountRoutes::verified));
    open(
        "register",
        HttpMethod.POST,
        "/v1/registration",
        fields(
            field("number", NUMBER, ""),
            field("ticket", secret(SECRET_MAX), ""),
            field("device_name", text(1, DEVICE_NAME_MAX), ""),
            optional("name", text(NAME_MAX), "of the user; for a known account: as it is"),
            optional("photo", text(PHOTO_MAX), "a reference that the media service gave"),
            optional("pin", secret(64), "of a known account; for a new one: to be set")),
        201,
        registered(),
        "Come in with a proved number: to its account with the PIN, else to a new one.",
        call ->
            Reply.of(
                accounts
                    .registration()
                    .register(
                        call.text("number"),
                        new Secret(call.text("ticket")),
                        new Registration.NewDevice(
                            call.text("device_name"),
                            call.textOr("name", ""),
                            call.textOr("photo", ""),
                            secretOrNull(call, "pin"))),
                AccountRoutes::registered));
    open(
        "recover",
        HttpMethod.POST,
        "/v1/recovery",
        fields(
            field("user", USER, ""),
            field("key", secret(SECRET_MAX), "the recovery key"),
            field("device_name", text(1, DEVICE_NAME_MAX), "")),
        201,
        registered(),
        "Come in with the recovery key, without the number.",
        call ->
            Reply.of(
                accounts
                    .recovery()
                    .recover(
                        new UserId(call.whole("user")),
                        new Secret(call.text("key")),
                        call.text("device_name")),
                AccountRoutes::registered));
    device(
        "createRecoveryKey",
        HttpMethod.POST,
        "/v1/recovery/key",
        fields(optional("pin", secret(64), "where there is one")),
        201,
        fields(field("key", secret(SECRET_MAX), "shown once; replaces the one before")),
        "Make a recovery key.",
        call ->
            Reply.of(
                accounts.recovery().createKey(call.by(), secretOrNull(call, "pin")),
                key -> object().put("key", key.reveal())));
  }

  private void tokens() {
    open(
        "refreshToken",
        HttpMethod.POST,
        "/v1/token",
        fields(
            field("user", USER, ""),
            field("device", DEVICE, ""),
            field("secret", secret(SECRET_MAX), "the device's"),
            field("secret_number", TIME, "the number that came with the secret"),
            field(
                "attempt",
                matching("[A-Za-z0-9_-]{16,64}", 64, "b3Jhbmdl-c2FsbW9u"),
                "random; kept before the call, the same when it is repeated")),
        200,
        fields(
            field("token", secret(4096), "the access token"),
            field("token_expires_ms", TIME, ""),
            field("secret", secret(SECRET_MAX), "the next secret, in place of the one shown"),
            field("secret_number", TIME, "")),
        "A new access token for a device's secret, and the device's next secret. A secret that"
            + " was used before by another attempt is stolen: REVOKED, and the device is removed.",
        call ->
            Reply.of(
                accounts
                    .tokens()
                    .refresh(
                        new DeviceId(new UserId(call.whole("user")), (int) call.whole("device")),
                        new Secret(call.text("secret")),
                        call.whole("secret_number"),
                        call.text("attempt")),
                pair ->
                    object()
                        .put("token", pair.token().value())
                        .put("token_expires_ms", pair.token().expires().toEpochMilli())
                        .put("secret", pair.next().reveal())
                        .put("secret_number", pair.nextNumber())));
  }

  // ---- devices ---------------------------------------------------------------------------------

  private void devices() {
    device(
        "listDevices",
        HttpMethod.GET,
        "/v1/devices",
        null,
        200,
        fields(
            field(
                "devices",
                many(
                    fields(
                        field("device", DEVICE, ""),
                        field("name", text(DEVICE_NAME_MAX), ""),
                        field("created_ms", TIME, ""),
                        field("last_used_ms", TIME, "when it last fetched a token"),
                        field("current", flag(), "whether it is the one that asks")),
                    Limits.DEVICES_PER_USER_MAX),
                "")),
        "The devices of the account.",
        call -> Reply.of(accounts.devices().list(call.by()), AccountRoutes::devices));
    device(
        "renameDevice",
        HttpMethod.PATCH,
        "/v1/devices/{device}",
        fields(field("name", text(1, DEVICE_NAME_MAX), "")),
        204,
        null,
        "Call a device something else.",
        call -> Reply.done(accounts.devices().rename(call.by(), index(call), call.text("name"))));
    device(
        "revokeDevice",
        HttpMethod.DELETE,
        "/v1/devices/{device}",
        null,
        204,
        null,
        "Put a device out, the asking one too: its sessions end, its tokens are void.",
        call -> Reply.done(accounts.devices().revoke(call.by(), index(call))));
  }

  private static int index(Call call) {
    return Integer.parseInt(call.parameter("device"));
  }

  private void linking() {
    open(
        "openLink",
        HttpMethod.POST,
        "/v1/links",
        fields(field("device_name", text(1, DEVICE_NAME_MAX), "of the new device")),
        201,
        fields(
            field("link", LINK, ""),
            field("key", secret(SECRET_MAX), "for the new device, and for whoever scans its code"),
            field("expires_ms", TIME, "")),
        "For a device that wants to join an account. It shows `tern-link:1:LINK:KEY` as a QR code.",
        call ->
            Reply.of(
                accounts.linking().open(call.text("device_name"), caller(call)),
                opened ->
                    object()
                        .put("link", opened.link())
                        .put("key", opened.key().reveal())
                        .put("expires_ms", opened.expiresMillis())));
    device(
        "claimLink",
        HttpMethod.POST,
        "/v1/links/{link}/claim",
        fields(field("key", secret(SECRET_MAX), "")),
        200,
        fields(
            field("device_name", text(DEVICE_NAME_MAX), "of the new device"),
            field("compare", text(16), "digits that both devices show")),
        "A device of the account has scanned the code.",
        call ->
            Reply.of(
                accounts
                    .linking()
                    .claim(call.by(), call.parameter("link"), new Secret(call.text("key"))),
                claimed ->
                    object()
                        .put("device_name", claimed.deviceName())
                        .put("compare", claimed.compare())));
    device(
        "confirmLink",
        HttpMethod.POST,
        "/v1/links/{link}/confirm",
        fields(field("yes", flag(), "whether the digits are the same")),
        204,
        null,
        "The person has compared the digits.",
        call ->
            Reply.done(
                accounts.linking().confirm(call.by(), call.parameter("link"), call.flag("yes"))));
    open(
        "linkStatus",
        HttpMethod.POST,
        "/v1/links/{link}/status",
        fields(field("key", secret(SECRET_MAX), "")),
        200,
        fields(
            field("state", word(words(Linking.State.values())), ""),
            field("compare", text(16), "digits that both devices show, once scanned"),
            field("account_name", text(NAME_MAX), "whose account it is, once scanned")),
        "How far it is, for the new device.",
        call ->
            Reply.of(
                accounts.linking().status(call.parameter("link"), new Secret(call.text("key"))),
                status ->
                    object()
                        .put("state", wordOf(status.state()))
                        .put("compare", status.compare())
                        .put("account_name", status.accountName())));
    open(
        "completeLink",
        HttpMethod.POST,
        "/v1/links/{link}/complete",
        fields(field("key", secret(SECRET_MAX), "")),
        201,
        registered(),
        "The new device comes in, once it has been confirmed.",
        call ->
            Reply.of(
                accounts.linking().complete(call.parameter("link"), new Secret(call.text("key"))),
                AccountRoutes::registered));
  }

  // ---- the account -----------------------------------------------------------------------------

  private void account() {
    device(
        "setPin",
        HttpMethod.PUT,
        "/v1/pin",
        fields(
            optional("old", secret(64), "where there is one"),
            field("pin", secret(64), "4 to 20 digits")),
        204,
        null,
        "Set or change the registration PIN.",
        call ->
            Reply.done(
                accounts
                    .pins()
                    .set(call.by(), secretOrNull(call, "old"), new Secret(call.text("pin")))));
    device(
        "removePin",
        HttpMethod.POST,
        "/v1/pin/remove",
        fields(field("old", secret(64), "")),
        204,
        null,
        "Remove the registration PIN.",
        call -> Reply.done(accounts.pins().remove(call.by(), new Secret(call.text("old")))));
    device(
        "changeNumber",
        HttpMethod.POST,
        "/v1/number",
        fields(
            field("number", NUMBER, "the new one"),
            field("ticket", secret(SECRET_MAX), "of verifying the new number"),
            optional("pin", secret(64), "where there is one")),
        204,
        null,
        "Move the account to another number.",
        call ->
            Reply.done(
                accounts
                    .numbers()
                    .change(
                        call.by(),
                        call.text("number"),
                        new Secret(call.text("ticket")),
                        secretOrNull(call, "pin"))));
    device(
        "deleteAccount",
        HttpMethod.POST,
        "/v1/account/delete",
        fields(optional("pin", secret(64), "where there is one")),
        204,
        null,
        "Delete the account for good: devices, tokens, settings, chat list; groups are left.",
        call -> Reply.done(accounts.deletion().delete(call.by(), secretOrNull(call, "pin"))));
    endpoints.add(
        new Endpoint(
            "export",
            HttpMethod.GET,
            "/v1/export",
            Access.DEVICE,
            null,
            200,
            null,
            Form.LINES,
            "All that the server has of the account, as lines of JSON.",
            call -> page(call.by(), "")));
  }

  /// One page of the export, which knows how to get the next.
  private Reply page(DeviceId by, String cursor) {
    return switch (accounts.exports().page(by, cursor)) {
      case Answer.Ok<Exports.Page>(Exports.Page page) ->
          new Reply.Lines(
              by.user(),
              new Reply.Page(page.lines(), page.next().isEmpty(), () -> page(by, page.next())));
      case Answer.Refused<Exports.Page> refused -> Reply.Refusal.of(refused);
    };
  }

  private void profiles() {
    Fields profile =
        fields(
            field("user", USER, ""),
            field("name", text(NAME_MAX), ""),
            field("about", text(ABOUT_MAX), ""),
            field("photo", text(PHOTO_MAX), ""),
            field("username", text(NAME_MAX), "empty: none"),
            field("number", text(32), "one's own; of others empty"),
            field(
                "registered_ms",
                TIME,
                "when a registration last opened the account; 0 for those who do not talk with"
                    + " the user"));
    device(
        "ownProfile",
        HttpMethod.GET,
        "/v1/profile",
        null,
        200,
        profile,
        "One's own profile.",
        call -> Reply.of(accounts.profiles().own(call.by()), AccountRoutes::profile));
    device(
        "setProfile",
        HttpMethod.PATCH,
        "/v1/profile",
        fields(
            optional("name", text(1, NAME_MAX), ""),
            optional("about", text(ABOUT_MAX), ""),
            optional("photo", text(PHOTO_MAX), "a reference that the media service gave")),
        204,
        null,
        "Change what is given; the rest stays.",
        call ->
            Reply.done(
                accounts
                    .profiles()
                    .set(
                        call.by(),
                        call.textOrNull("name"),
                        call.textOrNull("about"),
                        call.textOrNull("photo"))));
    device(
        "profileOf",
        HttpMethod.GET,
        "/v1/users/{user}/profile",
        null,
        200,
        profile,
        "Another's profile, as their privacy shows it.",
        call -> {
          UserId user = call.user();
          return user == null
              ? Reply.Refusal.argument("user")
              : Reply.of(accounts.profiles().of(call.by(), user), AccountRoutes::profile);
        });
    device(
        "setUsername",
        HttpMethod.PUT,
        "/v1/username",
        fields(field("username", text(1, 64), "")),
        204,
        null,
        "Take a name by which one can be found.",
        call -> Reply.done(accounts.usernames().set(call.by(), call.text("username"))));
    device(
        "releaseUsername",
        HttpMethod.DELETE,
        "/v1/username",
        null,
        204,
        null,
        "Give the name up.",
        call -> Reply.done(accounts.usernames().release(call.by())));
  }

  private void discovery() {
    device(
        "lookUp",
        HttpMethod.POST,
        "/v1/contacts/lookup",
        fields(field("numbers", many(text(1, 32), Discovery.NUMBERS_MAX), "")),
        200,
        fields(
            field(
                "users",
                many(maybe(USER), Discovery.NUMBERS_MAX),
                "in the order asked; null: nobody, or somebody who does not want to be found"),
            field("budget_left", TIME, "numbers that may be asked for now")),
        "Which of these numbers are here. Each number costs one of the account's budget.",
        call -> {
          var numbers = new ArrayList<String>();
          call.body().get("numbers").forEach(number -> numbers.add(number.textValue()));
          return Reply.of(accounts.discovery().lookUp(call.by(), numbers), AccountRoutes::found);
        });
    device(
        "setDiscoverable",
        HttpMethod.PUT,
        "/v1/discoverable",
        fields(field("by", word(words(Discovery.By.values())), "")),
        204,
        null,
        "Who can find one by the number.",
        call ->
            Reply.done(
                accounts
                    .discovery()
                    .setDiscoverable(
                        call.by(),
                        Discovery.By.valueOf(call.text("by").toUpperCase(Locale.ROOT)))));
    device(
        "byUsername",
        HttpMethod.GET,
        "/v1/usernames/{username}",
        null,
        200,
        fields(field("user", maybe(USER), "null: nobody")),
        "Who has exactly this name.",
        call ->
            Reply.of(
                accounts.discovery().byUsername(call.by(), call.parameter("username")),
                found -> object().set("user", userOrNull(found))));
  }

  // ---- documents -------------------------------------------------------------------------------

  private void documents() {
    open(
        "tokenKeys",
        HttpMethod.GET,
        "/.well-known/jwks.json",
        null,
        200,
        fields(
            field(
                "keys",
                many(
                    fields(
                        field("kty", text(8), "EC"),
                        field("crv", text(16), "P-256"),
                        field("kid", text(64), "as in the head of a token"),
                        field("x", text(64), ""),
                        field("y", text(64), ""),
                        field("use", text(8), ""),
                        field("alg", text(8), "ES256"),
                        field("iat", TIME, "when it was made, in seconds"),
                        field("nbf", TIME, "from when on it signs, in seconds")),
                    64),
                "as RFC 7517 says")),
        "The public keys of access tokens.",
        call -> Reply.Raw.of(publishedKeys.get()));
    endpoints.add(OpenApi.endpoint(ABOUT, Access.OPEN, endpoints));
  }

  // ---- plumbing --------------------------------------------------------------------------------

  private void open(
      String id,
      HttpMethod method,
      String path,
      @Nullable Fields takes,
      int status,
      Fields gives,
      String says,
      Handler handler) {
    endpoints.add(
        new Endpoint(
            id, method, path, Access.OPEN, takes, status, gives, Form.JSON, says, handler));
  }

  private void device(
      String id,
      HttpMethod method,
      String path,
      @Nullable Fields takes,
      int status,
      @Nullable Fields gives,
      String says,
      Handler handler) {
    endpoints.add(
        new Endpoint(
            id, method, path, Access.DEVICE, takes, status, gives, Form.JSON, says, handler));
  }

  private static Caller caller(Call call) {
    return new Caller(call.address());
  }

  private static @Nullable Secret secretOrNull(Call call, String field) {
    String text = call.textOrNull(field);
    return text == null ? null : new Secret(text);
  }

  private static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }

  private static String wordOf(Enum<?> value) {
    return value.name().toLowerCase(Locale.ROOT);
  }

  private static String[] words(Enum<?>[] values) {
    return Arrays.stream(values).map(AccountRoutes::wordOf).toArray(String[]::new);
  }

  private static ObjectNode codeSent(Registration.CodeSent sent) {
    return object()
        .put("request", sent.request())
        .put("expires_ms", sent.expiresMillis())
        .put("resend_after_ms", sent.resendAfterMillis());
  }

  private static ObjectNode verified(Registration.Verified verified) {
    return object()
        .put("ticket", verified.ticket().reveal())
        .put("pin_needed", verified.pinNeeded())
        .put("pin_retry_ms", verified.pinRetryMillis())
        .put("expires_ms", verified.expiresMillis());
  }

  private static Fields registered() {
    return fields(
        field("user", USER, ""),
        field("device", DEVICE, ""),
        field("secret", secret(SECRET_MAX), "the device's, for POST /v1/token; told once"),
        field("secret_number", TIME, ""),
        field("token", secret(4096), "the first access token"),
        field("token_expires_ms", TIME, ""),
        field("same_account", flag(), "the account was there before"));
  }

  private static ObjectNode registered(Registered registered) {
    return object()
        .put("user", registered.device().user().value())
        .put("device", registered.device().index())
        .put("secret", registered.secret().reveal())
        .put("secret_number", registered.secretNumber())
        .put("token", registered.token().value())
        .put("token_expires_ms", registered.token().expires().toEpochMilli())
        .put("same_account", registered.sameAccount());
  }

  private static ObjectNode devices(List<Devices.DeviceItem> items) {
    ObjectNode body = object();
    var devices = body.putArray("devices");
    for (Devices.DeviceItem item : items) {
      devices
          .addObject()
          .put("device", item.index())
          .put("name", item.name())
          .put("created_ms", item.createdMillis())
          .put("last_used_ms", item.lastUsedMillis())
          .put("current", item.current());
    }
    return body;
  }

  private static ObjectNode profile(Profile profile) {
    return object()
        .put("user", profile.user().value())
        .put("name", profile.name())
        .put("about", profile.about())
        .put("photo", profile.photo())
        .put("username", profile.username())
        .put("number", profile.number())
        .put("registered_ms", profile.registeredMillis());
  }

  private static ObjectNode found(Discovery.Found found) {
    ObjectNode body = object();
    var users = body.putArray("users");
    for (Optional<UserId> user : found.users()) {
      users.add(userOrNull(user));
    }
    return body.put("budget_left", found.left());
  }

  private static JsonNode userOrNull(Optional<UserId> user) {
    return user.<JsonNode>map(id -> JsonNodeFactory.instance.numberNode(id.value()))
        .orElse(JsonNodeFactory.instance.nullNode());
  }
}
