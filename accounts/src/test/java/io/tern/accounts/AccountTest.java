package io.tern.accounts;

import static io.tern.accounts.World.ok;
import static io.tern.accounts.World.refused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Audience;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Send;
import io.tern.protocol.v1.Setting;
import io.tern.store.Command;
import io.tern.store.KeyValues;
import io.tern.store.Outcome;
import io.tern.store.Reads;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Profiles, devices, PINs, numbers, deletion, export: an account from inside.
class AccountTest {

  private static final String ANNA = World.number(19_191_919);
  private static final String BOB = World.number(26_262_626);

  private final World world = new World(13);
  private final Registered anna = world.register(ANNA);
  private final Registered bob = world.register(BOB);

  private void set(DeviceId by, Setting.Builder setting) {
    world.run(new Command.ChangeSettings(by, List.of(setting.build())));
  }

  private void send(DeviceId from, ChatId chat, long csn, String text) {
    byte[] body =
        Send.newBuilder()
            .setCsn(csn)
            .setContent(
                Content.newBuilder()
                    .setKind(Kind.KIND_TEXT)
                    .setBody(com.google.protobuf.ByteString.copyFromUtf8(text)))
            .build()
            .toByteArray();
    Outcome outcome = world.run(new Command.Send(from, chat, body));
    assertThat(outcome).isInstanceOf(Outcome.Sent.class);
    ((Outcome.Sent) outcome).duties().forEach(world::run);
  }

  // ---- profiles --------------------------------------------------------------------------------

  @Test
  void aProfileIsShownAsPrivacySays() {
    ok(world.accounts.profiles().set(bob.device(), "Bob", "builds", "photo-1"));
    UserId user = bob.device().user();
    var seen = ok(world.accounts.profiles().of(anna.device(), user));
    assertThat(seen.name()).isEqualTo("Bob");
    assertThat(seen.about()).isEqualTo("builds");
    assertThat(seen.photo()).isEqualTo("photo-1");
    assertThat(seen.number()).isEmpty();

    var contacts = Setting.newBuilder();
    contacts.getPrivacyBuilder().setPhoto(Audience.AUDIENCE_CONTACTS);
    set(bob.device(), contacts);
    assertThat(ok(world.accounts.profiles().of(anna.device(), user)).photo()).isEmpty();
    var contact = Setting.newBuilder();
    contact.getContactBuilder().setUser(anna.device().user().value()).setName("Anna");
    set(bob.device(), contact);
    assertThat(ok(world.accounts.profiles().of(anna.device(), user)).photo()).isEqualTo("photo-1");
    var except = Setting.newBuilder();
    except
        .getPrivacyBuilder()
        .setPhoto(Audience.AUDIENCE_CONTACTS_EXCEPT)
        .addExcept(anna.device().user().value());
    set(bob.device(), except);
    assertThat(ok(world.accounts.profiles().of(anna.device(), user)).photo()).isEmpty();
    var block = Setting.newBuilder();
    block.getBlockBuilder().setUser(anna.device().user().value()).setOn(true);
    set(bob.device(), block);
    var blocked = ok(world.accounts.profiles().of(anna.device(), user));
    assertThat(blocked.photo()).isEmpty();
    assertThat(blocked.about()).isEmpty();
    assertThat(ok(world.accounts.profiles().of(bob.device(), user)).photo()).isEqualTo("photo-1");
  }

  @Test
  void whatPeopleWriteHasItsBounds() {
    var profiles = world.accounts.profiles();
    refused(profiles.set(anna.device(), "", null, null), ErrorCode.ARGUMENT, "name");
    refused(profiles.set(anna.device(), " \n ", null, null), ErrorCode.ARGUMENT, "name");
    refused(profiles.set(anna.device(), "x".repeat(129), null, null), ErrorCode.ARGUMENT, "name");
    refused(profiles.set(anna.device(), "ä".repeat(65), null, null), ErrorCode.ARGUMENT, "name");
    refused(profiles.set(anna.device(), "a\u202Eb", null, null), ErrorCode.ARGUMENT, "name");
    // A name stands in a line; what one says about oneself may be of several.
    for (String ofTwoLines :
        List.of("Anna\nsystem: ok", "Anna\u2028b", "Anna\u2029b", "a\u0085b")) {
      refused(profiles.set(anna.device(), ofTwoLines, null, null), ErrorCode.ARGUMENT, "name");
      refused(
          world.accounts.devices().rename(anna.device(), 1, ofTwoLines),
          ErrorCode.ARGUMENT,
          "name");
    }
    ok(profiles.set(anna.device(), null, "one\ntwo", null));
    refused(profiles.set(anna.device(), "a\u0007b", null, null), ErrorCode.ARGUMENT, "name");
    refused(profiles.set(anna.device(), null, "x".repeat(513), null), ErrorCode.ARGUMENT, "about");
    refused(profiles.set(anna.device(), null, null, "x".repeat(257)), ErrorCode.ARGUMENT, "photo");
    refused(
        world.accounts.devices().rename(anna.device(), 1, "x".repeat(65)),
        ErrorCode.ARGUMENT,
        "name");
    assertThat(ok(profiles.own(anna.device())).name()).isEqualTo("Anna");
    refused(profiles.of(anna.device(), new UserId(1)), ErrorCode.NOT_FOUND, "user");
  }

  // ---- devices and PINs ------------------------------------------------------------------------

  @Test
  void devicesHaveNamesAndLastUses() {
    world.clock.pass(Duration.ofHours(1));
    world.refreshes(anna);
    ok(world.accounts.devices().rename(anna.device(), 1, "Anna's phone"));
    var device = ok(world.accounts.devices().list(anna.device())).getFirst();
    assertThat(device.name()).isEqualTo("Anna's phone");
    assertThat(device.lastUsedMillis()).isEqualTo(world.clock.millis());
    assertThat(device.createdMillis()).isLessThan(device.lastUsedMillis());
    assertThat(device.current()).isTrue();
    refused(
        world.accounts.devices().rename(anna.device(), 2, "other"), ErrorCode.NOT_FOUND, "device");
    refused(world.accounts.devices().revoke(anna.device(), 2), ErrorCode.NOT_FOUND, "device");
  }

  @Test
  void aPinIsChangedByWhoKnowsIt() {
    var pins = world.accounts.pins();
    ok(pins.set(anna.device(), null, new Secret("1234")));
    refused(pins.set(anna.device(), null, new Secret("5678")), ErrorCode.NOT_ALLOWED, "old");
    refused(
        pins.set(anna.device(), new Secret("9999"), new Secret("5678")),
        ErrorCode.NOT_ALLOWED,
        "pin");
    world.clock.pass(Duration.ofSeconds(1));
    ok(pins.set(anna.device(), new Secret("1234"), new Secret("5678")));
    ok(pins.remove(anna.device(), new Secret("5678")));
    ok(pins.set(anna.device(), null, new Secret("4321")));
    refused(pins.set(bob.device(), null, new Secret("123")), ErrorCode.ARGUMENT, "pin");
    refused(pins.set(bob.device(), null, new Secret("1".repeat(65))), ErrorCode.ARGUMENT, "pin");
  }

  @Test
  void aNumberIsChangedWithThePinOnly() {
    ok(world.accounts.pins().set(anna.device(), null, new Secret("1234")));
    String other = World.number(28_282_828);
    Secret ticket = world.ticket(other);
    refused(
        world.accounts.numbers().change(anna.device(), other, ticket, null),
        ErrorCode.NOT_ALLOWED,
        "pin");
    refused(
        world.accounts.numbers().change(anna.device(), BOB, ticket, new Secret("1234")),
        ErrorCode.NOT_ALLOWED,
        "ticket");
    ok(world.accounts.numbers().change(anna.device(), other, ticket, new Secret("1234")));
    UserId user = anna.device().user();
    assertThat(ok(world.accounts.admin().find(other))).isEqualTo(user);
    refused(world.accounts.admin().find(ANNA), ErrorCode.NOT_FOUND, "number");
    assertThat(ok(world.accounts.discovery().lookUp(bob.device(), List.of(ANNA, other))).users())
        .containsExactly(java.util.Optional.empty(), java.util.Optional.of(user));
    assertThat(world.connects(anna.device())).isTrue();
  }

  @Test
  void aNumberWithAPinIsNotTakenByAChange() {
    ok(world.accounts.pins().set(bob.device(), null, new Secret("1234")));
    Secret ticket = world.ticket(BOB);
    refused(
        world.accounts.numbers().change(anna.device(), BOB, ticket, null),
        ErrorCode.NOT_ALLOWED,
        "pin");
    assertThat(ok(world.accounts.admin().find(BOB))).isEqualTo(bob.device().user());
  }

  // ---- deletion --------------------------------------------------------------------------------

  @Test
  void aDeletedAccountIsGone() {
    UserId user = anna.device().user();
    ChatId chat = ChatId.direct(user, bob.device().user());
    send(anna.device(), chat, 1, "canary text");
    send(bob.device(), chat, 1, "an answer");
    send(anna.device(), ChatId.direct(user, user), 1, "a note to myself");
    ok(world.accounts.profiles().set(anna.device(), "Canary Name", "canary about", "canary-photo"));
    ok(world.accounts.usernames().set(anna.device(), "canary_user"));
    ok(world.accounts.pins().set(anna.device(), null, new Secret("1234")));
    refused(world.accounts.deletion().delete(anna.device(), null), ErrorCode.NOT_ALLOWED, "pin");
    ok(world.accounts.deletion().delete(anna.device(), new Secret("1234")));

    assertThat(world.killed).contains(anna.device());
    assertThat(world.connects(anna.device())).isFalse();
    refused(world.accounts.profiles().own(anna.device()), ErrorCode.REVOKED, "");
    refused(world.accounts.profiles().of(bob.device(), user), ErrorCode.NOT_FOUND, "user");
    refused(world.accounts.admin().find(ANNA), ErrorCode.NOT_FOUND, "number");
    assertThat(Reads.isBlocked(world.storage, chat)).isTrue();
    // Bob has what was said; nothing else of hers is anywhere.
    List<String> left =
        everything(world.storage).stream()
            .filter(v ->
                v.toLowerCase(java.util.Locale.ROOT).contains("canary")
                    || v.contains("note to myself")
                    || v.contains(ANNA))
            .toList();
    assertThat(left).hasSize(1);
    assertThat(left.getFirst()).contains("canary text");
    // The number is free, the id is not given again.
    assertThat(world.register(ANNA).device().user()).isNotEqualTo(user);
  }

  private static List<String> everything(KeyValues storage) {
    var all = new java.util.ArrayList<String>();
    byte[] end = new byte[8];
    Arrays.fill(end, (byte) -1);
    storage.scan(
        new byte[0], end, (key, value) -> all.add(new String(value, StandardCharsets.ISO_8859_1)));
    return all;
  }

  @Test
  void anOperatorErasesAndPutsOut() {
    Admin admin = world.accounts.admin();
    var overview = ok(admin.overview(anna.device().user()));
    assertThat(overview.hasAccount()).isTrue();
    assertThat(overview.devices()).containsExactly(1);
    ok(admin.revoke(anna.device()));
    assertThat(world.connects(anna.device())).isFalse();
    assertThat(world.refreshes(anna)).isFalse();
    ok(admin.erase(bob.device().user()));
    refused(admin.overview(bob.device().user()), ErrorCode.NOT_FOUND, "user");
    refused(admin.ban(bob.device().user(), 1), ErrorCode.NOT_FOUND, "user");
    var guest = new UserId(77);
    world.run(new Command.Enrol(new DeviceId(guest, 1)));
    ok(admin.erase(guest));
    assertThat(world.connects(new DeviceId(guest, 1))).isFalse();
    ok(admin.erase(guest));
    // An id that nobody has is left alone, so that it can be given.
    var nobody = new UserId(78);
    refused(admin.erase(nobody), ErrorCode.NOT_FOUND, "user");
    assertThat(world.connects(new DeviceId(nobody, 1))).isTrue();
  }

  @Test
  void anOperatorSeesEveryDeviceAndPutsOneOrAllOut() {
    Admin admin = world.accounts.admin();
    UserId user = anna.device().user();
    world.run(new Command.Enrol(new DeviceId(user, 9)));
    assertThat(ok(admin.devices(user)))
        .extracting(Admin.DeviceView::index, view -> view.lastUsedMillis() > 0)
        .containsExactly(tuple(1, true), tuple(9, false));
    refused(admin.revoke(new DeviceId(user, 2)), ErrorCode.NOT_FOUND, "device");
    refused(admin.devices(new UserId(78)), ErrorCode.NOT_FOUND, "user");
    assertThat(ok(admin.revokeAll(user))).isEqualTo(2);
    assertThat(world.counts.get(AccountsEvent.DEVICES_REVOKED)).as("each once").isEqualTo(2);
    assertThat(ok(admin.devices(user))).isEmpty();
    assertThat(ok(admin.revokeAll(user))).isZero();
    assertThat(world.connects(anna.device())).isFalse();
    assertThat(world.connects(new DeviceId(user, 9))).isFalse();
    assertThat(world.refreshes(anna)).isFalse();
  }

  @Test
  void anOperatorFindsAUserByTheNameTheyHave() {
    Admin admin = world.accounts.admin();
    ok(world.accounts.usernames().set(anna.device(), "anna_b"));
    assertThat(ok(admin.findByUsername("Anna_B"))).isEqualTo(anna.device().user());
    ok(world.accounts.usernames().release(anna.device()));
    refused(admin.findByUsername("anna_b"), ErrorCode.NOT_FOUND, "username");
  }

  // ---- usernames -------------------------------------------------------------------------------

  @Test
  void nobodyKeepsManyNamesByTakingOneAfterTheOther() {
    Usernames usernames = world.accounts.usernames();
    for (int i = 0; i < Usernames.IN_A_DAY_MAX; i++) {
      ok(usernames.set(anna.device(), "anna_" + i));
    }
    var refused = refused(usernames.set(anna.device(), "another_name"), ErrorCode.RATE, "username");
    assertThat(refused.retryMillis()).isBetween(1L, Duration.ofDays(1).toMillis());
    world.restart();
    refused(
        world.accounts.usernames().set(anna.device(), "another_name"), ErrorCode.RATE, "username");
    ok(world.accounts.usernames().set(bob.device(), "another_name"));
    world.clock.pass(Duration.ofDays(1));
    ok(world.accounts.usernames().set(anna.device(), "anna_last"));
  }

  @Test
  void whoLooksForANameThatIsFreeHasTakenNone() {
    Usernames usernames = world.accounts.usernames();
    ok(usernames.set(bob.device(), "wanted"));
    for (int i = 0; i < 2 * Usernames.IN_A_DAY_MAX; i++) {
      refused(usernames.set(anna.device(), "wanted"), ErrorCode.CONFLICT, "username");
    }
    ok(usernames.set(anna.device(), "not_wanted"));
  }

  // ---- export ----------------------------------------------------------------------------------

  @Test
  void anExportHasEverythingOnce() {
    UserId user = anna.device().user();
    ChatId chat = ChatId.direct(user, bob.device().user());
    for (int i = 1; i <= 250; i++) {
      send(anna.device(), chat, i, "text " + i + " \"quoted\" \u2028 \uD83D\uDE00");
    }
    var birth =
        GroupBirth.newBuilder()
            .setTitle("our group")
            .setPicture("group-photo")
            .addMembers(bob.device().user().value())
            .build();
    Outcome made =
        world.run(new Command.GroupCreate(anna.device(), ChatId.group(5), new byte[16], birth));
    ((Outcome.Sent) made).duties().forEach(world::run);
    ok(world.accounts.profiles().set(anna.device(), null, null, "own-photo"));
    var hide = Setting.newBuilder();
    hide.getHideBuilder().setChat(bob.device().user().value()).setSeq(7);
    set(anna.device(), hide);

    String all = export(anna.device());
    assertThat(all)
        .contains("\"number\":\"" + ANNA + "\"")
        .contains("\"reference\":\"own-photo\"")
        .contains("\"reference\":\"group-photo\"")
        .contains("\"title\":\"our group\"")
        .contains("\"what\":\"HIDE\"")
        .contains("text 250 \\\"quoted\\\" \\u2028 \\ud83d\\ude00");
    assertThat(all.lines().filter(line -> line.contains("\"text\":\"text ")).count())
        .isEqualTo(249);
    assertThat(all).doesNotContain("text 7 ");
    // Bob sees the chats, and nothing of hers else.
    assertThat(export(bob.device())).contains("text 250").doesNotContain(ANNA, "own-photo");
  }

  private String export(DeviceId by) {
    var all = new StringBuilder();
    String cursor = "";
    int pages = 0;
    do {
      Exports.Page page = ok(world.accounts.exports().page(by, cursor));
      all.append(page.lines());
      cursor = page.next();
      assertThat(++pages).isLessThan(100);
    } while (!cursor.isEmpty());
    return all.toString();
  }

  @Test
  void aForgedCursorOpensNothing() {
    var eve = world.register(World.number(29_292_929));
    send(anna.device(), ChatId.direct(anna.device().user(), bob.device().user()), 1, "private");
    long low = Math.min(anna.device().user().value(), bob.device().user().value());
    long high = Math.max(anna.device().user().value(), bob.device().user().value());
    var page = ok(world.accounts.exports().page(eve.device(), "h:" + low + "-" + high + ":1"));
    assertThat(page.lines()).isEmpty();
    for (String cursor : new String[] {"x", "h:1", "h:a-b:1", "h:5:1", "c:0-0", "s:%%", ":::"}) {
      refused(world.accounts.exports().page(eve.device(), cursor), ErrorCode.ARGUMENT, "cursor");
    }
    refused(
        world.accounts.exports().page(eve.device(), "s:" + "a".repeat(200)),
        ErrorCode.ARGUMENT,
        "cursor");
  }

  // ---- records stay small ----------------------------------------------------------------------

  @Test
  void aFullAccountFitsItsRecord() {
    ok(
        world
            .accounts
            .profiles()
            .set(anna.device(), "n".repeat(128), "a".repeat(512), "p".repeat(256)));
    ok(world.accounts.usernames().set(anna.device(), "u".repeat(32)));
    ok(world.accounts.pins().set(anna.device(), null, new Secret("1".repeat(64))));
    for (int i = 0; i < 9; i++) {
      Linking linking = world.accounts.linking();
      var opened = ok(linking.open("d".repeat(64), World.caller("192.0.2.7")));
      ok(linking.claim(anna.device(), opened.link(), opened.key()));
      ok(linking.confirm(anna.device(), opened.link(), true));
      Registered device = ok(linking.complete(opened.link(), opened.key()));
      Secret secret = device.secret();
      for (long n = 1; n < 20; n++) {
        secret =
            ok(world
                    .accounts
                    .tokens()
                    .refresh(device.device(), secret, n, "attempt " + n + " of a device"))
                .next();
      }
    }
    int[] largest = {0};
    byte[] end = new byte[8];
    Arrays.fill(end, (byte) -1);
    world.storage.scan(
        new byte[0],
        end,
        (key, value) -> {
          largest[0] = Math.max(largest[0], key.length > 2 && key[2] == 'A' ? value.length : 0);
          return true;
        });
    System.out.println("largest record: " + largest[0] + " bytes");
    assertThat(largest[0]).isBetween(1_000, 8 * 1024);
  }

  @Test
  void configurationsThatCannotBeAreRefused() {
    assertThatThrownBy(() -> Configs.regions(AccountsConfig.DEFAULTS, java.util.Set.of("germany")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("regions")
        .hasMessageContaining("germany");
    assertThatThrownBy(() -> new AccountsConfig.SmsBudget(0, 1, 1, 1, 1, 1, 1, 1, 0))
        .hasMessageContaining("sms.per-address")
        .hasMessageContaining("not 0");
    assertThatThrownBy(() -> new AccountsConfig.SmsBudget(1, 1, 1, 1, 1, 1, 1, 0, 0))
        .hasMessageContaining("sms.per-day");
    assertThatThrownBy(() -> new AccountsConfig.SmsBudget(1, 1, 0, 1, 1, 1, 1, 1, 0))
        .hasMessageContaining("sms.per-system");
  }
}
