package io.tern.tools.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Block;
import io.tern.protocol.v1.CatchUp;
import io.tern.protocol.v1.ChatInfo;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.ChatSetting;
import io.tern.protocol.v1.Chats;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.Contact;
import io.tern.protocol.v1.ContactCard;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.DeviceRemove;
import io.tern.protocol.v1.Devices;
import io.tern.protocol.v1.EntryInfo;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Hide;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Location;
import io.tern.protocol.v1.Nack;
import io.tern.protocol.v1.Presence;
import io.tern.protocol.v1.PresenceSub;
import io.tern.protocol.v1.Privacy;
import io.tern.protocol.v1.PushRegister;
import io.tern.protocol.v1.PushRegistered;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.RoleChange;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import io.tern.protocol.v1.Star;
import io.tern.protocol.v1.Typing;
import io.tern.protocol.v1.Users;
import io.tern.store.LocalLog;
import io.tern.tools.simulation.RawDevice.Frame;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// The authorisation matrix: every command of `registry.json` by everyone who may try it, against
/// the real server logic. A command that has no row, and a row without all its cells, fail.
class AuthorisationTest {

  /// Who tries; the columns of the matrix.
  private enum Who {
    STRANGER(1),
    FORMER(2),
    MEMBER(3),
    ADMIN(4),
    OWNER(5),
    /// In a group: an admin whom those concerned have blocked.
    BLOCKED(6),
    /// A device of the owner that was unlinked.
    REMOVED(5);

    private final long user;

    Who(long user) {
      this.user = user;
    }

    String column() {
      return name().toLowerCase(Locale.ROOT);
    }

    UserId user() {
      return new UserId(user);
    }
  }

  private static final String NO_SUCH_ROLE = "-";
  private static final String WITHOUT_EFFECT = "silent";

  /// A plain member of the group, whom the commands are about.
  private static final UserId OTHER = new UserId(101);

  /// Another admin.
  private static final UserId SECOND = new UserId(102);

  /// Not in the group.
  private static final UserId CANDIDATE = new UserId(103);

  private static final JsonNode COMMANDS = commands();

  private static JsonNode commands() {
    try (InputStream json = AuthorisationTest.class.getResourceAsStream("/tern/v1/registry.json")) {
      return new ObjectMapper().readTree(json).get("commands");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void everyCellOfTheMatrixHolds() {
    var wrong = new ArrayList<String>();
    int cells = 0;
    for (JsonNode row : COMMANDS) {
      for (Who who : Who.values()) {
        String expected = row.get("answers").get(who.column()).asText();
        if (!expected.equals(NO_SUCH_ROLE)) {
          cells++;
          String is;
          try {
            is = new Stage(who, row).act();
          } catch (AssertionError | RuntimeException e) {
            is = e.toString();
          }
          if (!is.equals(expected)) {
            wrong.add(name(row) + " by " + who + ": " + is + ", not " + expected);
          }
        }
      }
    }
    System.out.printf("authorisation: %d commands, %d cells%n", COMMANDS.size(), cells);
    assertThat(wrong).isEmpty();
  }

  @Test
  void everyCommandHasARow() {
    Set<String> rows = new HashSet<>();
    for (JsonNode row : COMMANDS) {
      String frame = row.get("frame").asText();
      String where = row.get("in").asText();
      rows.add(frame + " in " + where);
      rows.add(frame + " " + row.get("what").asText() + " in " + where);
      assertThat(row.get("answers").fieldNames())
          .toIterable()
          .as(name(row))
          .containsExactly(
              java.util.Arrays.stream(Who.values()).map(Who::column).toArray(String[]::new));
    }
    Set<FrameType> ofTheSession =
        Set.of(
            FrameType.HELLO,
            FrameType.PING,
            FrameType.PONG,
            FrameType.CLIENT_STATE,
            FrameType.REAUTH,
            FrameType.BYE);
    for (FrameType type : FrameType.values()) {
      if (!type.isFromClient() || ofTheSession.contains(type)) {
        continue;
      }
      boolean mayHaveChat =
          type.acceptsFlags(type.requiredFlags() | FrameHeader.CHAT)
              && (type.requiredFlags() & FrameHeader.GROUP) == 0;
      boolean mayHaveGroup =
          type.acceptsFlags(type.requiredFlags() | FrameHeader.CHAT | FrameHeader.GROUP);
      if (mayHaveGroup) {
        assertThat(rows).contains(type + " in group");
      }
      if (mayHaveChat) {
        assertThat(rows).contains(type + " in direct");
      }
      if (!mayHaveChat && !mayHaveGroup && type != FrameType.PRESENCE_SUB) {
        assertThat(rows).contains(type + " in user");
      }
    }
    for (Kind kind : Kind.values()) {
      if (kind != Kind.UNRECOGNIZED) {
        assertThat(rows).contains("SEND " + kind + " in group", "SEND " + kind + " in direct");
      }
    }
    for (GroupEdit.ChangeCase change : GroupEdit.ChangeCase.values()) {
      if (change != GroupEdit.ChangeCase.CHANGE_NOT_SET) {
        assertThat(rows)
            .contains("GROUP_EDIT " + change.name().toLowerCase(Locale.ROOT) + " in group");
      }
    }
    for (Setting.WhatCase what : Setting.WhatCase.values()) {
      if (what != Setting.WhatCase.WHAT_NOT_SET) {
        assertThat(rows).contains("SETTINGS " + what.name().toLowerCase(Locale.ROOT) + " in user");
      }
    }
  }

  private static String name(JsonNode row) {
    return String.join(
            " ",
            row.get("frame").asText(),
            row.get("what").asText(),
            row.get("of").asText(),
            "in",
            row.get("in").asText(),
            row.get("when").asText())
        .replaceAll(" +", " ")
        .trim();
  }

  /// Everybody at their place, and one who tries one command.
  private static final class Stage {

    private final World world = new CalmWorld(1);
    private final SimServer server = SimServer.calm(world, LocalLog::new, 900, 900);
    private final Map<Who, RawDevice> actors = new EnumMap<>(Who.class);
    private final Map<Who, Long> own = new EnumMap<>(Who.class);
    private final Who who;
    private final JsonNode row;
    private final String what;
    private final String of;
    private final RawDevice other;
    private final RawDevice owner;
    private final ChatId group;
    private ChatId chat;
    private long another;
    private ByteString link = ByteString.EMPTY;
    private ByteString oldLink = ByteString.EMPTY;
    private int ops;

    Stage(Who who, JsonNode row) {
      this.who = who;
      this.row = row;
      what = row.get("what").asText();
      of = row.get("of").asText();
      server.start();
      for (Who each : Who.values()) {
        if (each != Who.REMOVED) {
          actors.put(each, device(each.user(), 1));
        }
      }
      other = device(OTHER, 1);
      device(SECOND, 1);
      RawDevice candidate = device(CANDIDATE, 1);
      owner = actor(Who.OWNER);
      actors.put(Who.REMOVED, device(Who.OWNER.user(), 2));

      group = foundGroup();
      chat = group;
      if (row.get("in").asText().equals("direct")) {
        talk();
      }
      block(candidate, Who.BLOCKED.user());
      block(other, Who.BLOCKED.user());
      if (of.equals("to one whom the sender has blocked")) {
        block(actor(who == Who.REMOVED ? Who.OWNER : who), OTHER);
      }
      ok(
          owner.ask(
              FrameType.DEVICE_REMOVE, null, 0, DeviceRemove.newBuilder().setDevice(2).build()));
      when(row.get("when").asText());
    }

    private ChatId foundGroup() {
      GroupCreate.Builder create =
          GroupCreate.newBuilder().setTitle("all of us").setOpId(op()).addMembers(OTHER.value());
      create.addMembers(SECOND.value());
      for (Who each : List.of(Who.FORMER, Who.MEMBER, Who.ADMIN, Who.BLOCKED)) {
        create.addMembers(each.user().value());
      }
      ChatId made =
          ChatId.group(ok(owner.ask(FrameType.GROUP_CREATE, null, 0, create.build())).chat());
      for (UserId admin : List.of(Who.ADMIN.user(), Who.BLOCKED.user(), SECOND)) {
        edit(made, GroupEdit.newBuilder().setRole(role(admin, Role.ROLE_ADMIN)));
      }
      edit(made, GroupEdit.newBuilder().setInvite(true));
      oldLink = invite(made);
      edit(made, GroupEdit.newBuilder().setInvite(true));
      link = invite(made);
      another = ok(other.send(made, text())).seq();
      for (Who each : Who.values()) {
        if (each != Who.STRANGER) {
          own.put(each, ok(actor(each).send(made, text())).seq());
        }
      }
      edit(made, GroupEdit.newBuilder().setRemove(Who.FORMER.user().value()));
      return made;
    }

    /// In a direct chat: both have said something, unless they are strangers.
    private void talk() {
      RawDevice actor = actor(who);
      chat = ChatId.direct(actor.id.user(), OTHER);
      if (who != Who.STRANGER) {
        own.put(who, ok(actor.send(chat, text())).seq());
        another = ok(other.send(chat, text())).seq();
        if (what.equals("KIND_OPENED")) {
          another = ok(other.send(chat, text().toBuilder().setViewOnce(true).build())).seq();
        }
      }
    }

    private void when(String condition) {
      switch (condition) {
        case "admin_only_send" -> edit(group, GroupEdit.newBuilder().setAdminOnlySend(true));
        case "admin_only_edit" -> edit(group, GroupEdit.newBuilder().setAdminOnlyEdit(true));
        default -> assertThat(condition).isEmpty();
      }
    }

    // ---- the try

    /// What comes of it, in the words of the registry.
    String act() {
      if (who == Who.REMOVED) {
        RawDevice gone = actor(who);
        assertThat(RawDevice.outcome(gone.end())).isEqualTo("REVOKED");
        var again = new RawDevice(world, server, gone.id);
        actors.put(who, again);
        attempt(again);
        return RawDevice.outcome(again.end());
      }
      return attempt(actor(who));
    }

    private String attempt(RawDevice actor) {
      FrameType type = FrameType.valueOf(row.get("frame").asText());
      long target = of.equals("own") ? own.getOrDefault(who, another) : another;
      return switch (type) {
        case SEND -> outcome(actor, type, chat, 0, send(target));
        case CATCH_UP -> outcome(actor, type, chat, 0, CatchUp.getDefaultInstance());
        case HISTORY -> outcome(actor, type, chat, 0, History.getDefaultInstance());
        case CHAT_INFO -> outcome(actor, type, chat, 0, ChatInfo.getDefaultInstance());
        case ENTRY_INFO -> outcome(actor, type, chat, target, EntryInfo.getDefaultInstance());
        case ACK, READ -> mark(actor, type, PushRegistered.getDefaultInstance());
        case NACK -> mark(actor, type, Nack.newBuilder().setCode(407).build());
        case TYPING -> typing(actor);
        case PRESENCE_SUB -> watch(actor);
        case GROUP_EDIT -> outcome(actor, type, chat, 0, change());
        case CHATS -> outcome(actor, type, null, 0, Chats.getDefaultInstance());
        case GROUP_CREATE -> outcome(actor, type, null, 0, create());
        case SETTINGS -> outcome(actor, type, null, 0, settings());
        case DEVICES -> outcome(actor, type, null, 0, Devices.getDefaultInstance());
        case DEVICE_REMOVE -> {
          if (who != Who.REMOVED) {
            device(actor.id.user(), 3);
          }
          yield outcome(actor, type, null, 0, DeviceRemove.newBuilder().setDevice(3).build());
        }
        case PUSH_REGISTER -> outcome(actor, type, null, 0, PushRegister.getDefaultInstance());
        default -> throw new AssertionError(type);
      };
    }

    private String outcome(
        RawDevice actor, FrameType type, @Nullable ChatId where, long seq, Message body) {
      Frame reply = actor.ask(type, where, seq, body);
      String outcome = RawDevice.outcome(reply);
      if (outcome.equals("ok")) {
        assertThat(reply.type().code()).isEqualTo(FrameType.replyOf(type.code()));
      }
      return outcome;
    }

    private Message send(long target) {
      Content content =
          switch (what) {
            case "view_once" -> text().toBuilder().setViewOnce(true).build();
            case "KIND_CONTACT" ->
                of(Kind.KIND_CONTACT, ContactCard.newBuilder().setName("n").build());
            case "KIND_LOCATION" ->
                of(Kind.KIND_LOCATION, Location.newBuilder().setLatitude(1).build());
            case "KIND_EDIT", "KIND_REACTION" ->
                text().toBuilder().setKind(Kind.valueOf(what)).setTarget(target).build();
            case "KIND_REVOKE", "KIND_OPENED" ->
                Content.newBuilder().setKind(Kind.valueOf(what)).setTarget(target).build();
            case "KIND_TIMER" -> Content.newBuilder().setKind(Kind.KIND_TIMER).setTtlS(60).build();
            default -> text().toBuilder().setKind(Kind.valueOf(what)).build();
          };
      // Everyone has sent once before, where they could.
      return io.tern.protocol.v1.Send.newBuilder()
          .setCsn(own.containsKey(who) ? 2 : 1)
          .setContent(content)
          .build();
    }

    private GroupEdit change() {
      GroupEdit.Builder edit = GroupEdit.newBuilder().setOpId(op());
      return switch (what) {
        case "add" -> edit.setAdd(Users.newBuilder().addUsers(CANDIDATE.value())).build();
        case "remove" ->
            edit.setRemove(
                    switch (of) {
                      case "member" -> OTHER.value();
                      case "admin" -> SECOND.value();
                      default -> Who.OWNER.user().value();
                    })
                .build();
        case "leave" -> edit.setLeave(true).build();
        case "role" ->
            edit.setRole(role(OTHER, of.equals("to owner") ? Role.ROLE_OWNER : Role.ROLE_ADMIN))
                .build();
        case "title" -> edit.setTitle("new").build();
        case "picture" -> edit.setPicture("new").build();
        case "description" -> edit.setDescription("new").build();
        case "admin_only_send" -> edit.setAdminOnlySend(true).build();
        case "admin_only_edit" -> edit.setAdminOnlyEdit(true).build();
        case "invite" -> edit.setInvite(true).build();
        case "join" -> edit.setJoin(of.equals("the link") ? link : oldLink).build();
        default -> throw new AssertionError(what);
      };
    }

    private GroupCreate create() {
      UserId first = of.equals("with one who blocked") ? CANDIDATE : SECOND;
      return GroupCreate.newBuilder()
          .setTitle("another")
          .setOpId(op())
          .addMembers(first.value())
          .build();
    }

    private Settings settings() {
      Setting.Builder set = Setting.newBuilder();
      long id = group.wireId(OTHER);
      switch (what) {
        case "ask" -> {
          return Settings.getDefaultInstance();
        }
        case "chat" ->
            set.setChat(ChatSetting.newBuilder().setChat(id).setGroup(true).setPin(true));
        case "star" ->
            set.setStar(Star.newBuilder().setChat(id).setGroup(true).setSeq(another).setOn(true));
        case "hide" -> set.setHide(Hide.newBuilder().setChat(id).setGroup(true).setSeq(another));
        case "contact" ->
            set.setContact(Contact.newBuilder().setUser(OTHER.value()).setName("other"));
        case "privacy" -> set.setPrivacy(Privacy.newBuilder().setHideReadReceipts(true));
        case "block" -> set.setBlock(Block.newBuilder().setUser(OTHER.value()).setOn(true));
        default -> throw new AssertionError(what);
      }
      return Settings.newBuilder().addSet(set).build();
    }

    /// ACK, NACK, READ have no reply: has the mark moved?
    private String mark(RawDevice actor, FrameType type, Message body) {
      actor.tell(type, chat, another, body);
      if (who == Who.REMOVED) {
        return "";
      }
      world.run(100_000);
      ChatsPage page =
          parse(
              ChatsPage.parser(),
              ok(actor.ask(FrameType.CHATS, null, 0, Chats.getDefaultInstance())));
      for (ChatItem item : page.getChatsList()) {
        if (ChatId.fromWire(actor.id.user(), item.getChat(), item.getGroup()).equals(chat)) {
          long is = type == FrameType.READ ? item.getRead() : item.getPosition();
          return is >= another ? "ok" : WITHOUT_EFFECT;
        }
      }
      return WITHOUT_EFFECT;
    }

    private String typing(RawDevice actor) {
      PresenceSub.Builder watch = PresenceSub.newBuilder();
      if (chat.isGroup()) {
        watch.addGroups(chat.wireId(OTHER));
      } else {
        watch.addUsers(actor.id.user().value());
      }
      ok(other.ask(FrameType.PRESENCE_SUB, null, 0, watch.build()));
      actor.tell(FrameType.TYPING, chat, 0, Typing.newBuilder().setOn(true).build());
      world.run(100_000);
      return other.has(FrameType.TYPING_PUSH) ? "ok" : WITHOUT_EFFECT;
    }

    /// Whether the one who watches sees anything.
    private String watch(RawDevice actor) {
      PresenceSub.Builder watch = PresenceSub.newBuilder();
      if (chat.isGroup()) {
        watch.addGroups(chat.wireId(OTHER));
      } else {
        watch.addUsers(OTHER.value());
      }
      Frame reply = actor.ask(FrameType.PRESENCE_SUB, null, 0, watch.build());
      if (!RawDevice.outcome(reply).equals("ok")) {
        return RawDevice.outcome(reply);
      }
      if (!chat.isGroup()) {
        Presence presence = parse(Presence.parser(), reply);
        return presence.getUsersCount() > 0 && presence.getUsers(0).getOnline()
            ? "ok"
            : WITHOUT_EFFECT;
      }
      other.tell(FrameType.TYPING, chat, 0, Typing.newBuilder().setOn(true).build());
      world.run(100_000);
      return actor.has(FrameType.TYPING_PUSH) ? "ok" : WITHOUT_EFFECT;
    }

    // ---- plumbing

    private RawDevice actor(Who which) {
      return Objects.requireNonNull(actors.get(which));
    }

    private RawDevice device(UserId user, int index) {
      return new RawDevice(world, server, new DeviceId(user, index)).up();
    }

    private void block(RawDevice by, UserId user) {
      ok(
          by.ask(
              FrameType.SETTINGS,
              null,
              0,
              Settings.newBuilder()
                  .addSet(
                      Setting.newBuilder()
                          .setBlock(Block.newBuilder().setUser(user.value()).setOn(true)))
                  .build()));
    }

    private void edit(ChatId where, GroupEdit.Builder edit) {
      ok(owner.ask(FrameType.GROUP_EDIT, where, 0, edit.setOpId(op()).build()));
    }

    private ByteString invite(ChatId where) {
      return parse(
              ChatInfoPage.parser(),
              ok(owner.ask(FrameType.CHAT_INFO, where, 0, ChatInfo.getDefaultInstance())))
          .getInvite();
    }

    private ByteString op() {
      return ByteString.copyFromUtf8("%016d".formatted(++ops));
    }

    private static RoleChange.Builder role(UserId user, Role role) {
      return RoleChange.newBuilder().setUser(user.value()).setRole(role);
    }

    private static Content text() {
      return Content.newBuilder()
          .setKind(Kind.KIND_TEXT)
          .setBody(ByteString.copyFromUtf8("words"))
          .build();
    }

    private static Content of(Kind kind, Message body) {
      return Content.newBuilder().setKind(kind).setBody(body.toByteString()).build();
    }

    private static Frame ok(Frame reply) {
      assertThat(RawDevice.outcome(reply)).as("on stage: %s", reply).isEqualTo("ok");
      return reply;
    }

    private static <T> T parse(com.google.protobuf.Parser<T> parser, Frame frame) {
      try {
        return parser.parseFrom(frame.body());
      } catch (InvalidProtocolBufferException e) {
        throw new AssertionError(e);
      }
    }
  }
}
