package io.tern.tools;

import io.tern.client.Groups;
import io.tern.client.Invite;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.Role;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `tern group`: everything that members do to a group. Its messages are sent and read with the
/// commands for all chats.
@Command(
    name = "group",
    description = {
      "Create groups and change them.",
      "GROUP is a title or an id; elsewhere (send --to, history --with, chat --with) put + in front:"
          + " +friends, +g3k9x."
    },
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      GroupCommand.Create.class,
      GroupCommand.Info.class,
      GroupCommand.Add.class,
      GroupCommand.Remove.class,
      GroupCommand.Leave.class,
      GroupCommand.GiveRole.class,
      GroupCommand.Title.class,
      GroupCommand.Picture.class,
      GroupCommand.Describe.class,
      GroupCommand.Rules.class,
      GroupCommand.MakeInvite.class,
      GroupCommand.Join.class
    })
public final class GroupCommand implements Runnable {

  private static final String NOBODY =
      "none of them can be added: a user exists from their first login on, and may not want to be";

  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "Say what to do with a group: a command is missing.");
  }

  /// One that changes a group and prints what became of it.
  abstract static class Change extends ClientCommand {

    @Override
    void run(Session session) {
      print(session, session.await(change(session), notAllowed()));
    }

    /// Why the server may not allow it.
    String notAllowed() {
      return "you may not do that: it takes another role in this group";
    }

    abstract CompletableFuture<Groups.Changed> change(Session session);

    void print(Session session, Groups.Changed changed) {
      var group = session.names().of(changed.group(), user.id());
      var refused = changed.refused().stream().map(session.names()::of).toList();
      session.print(
          Json.object()
              .put("chat", group)
              .put("seq", changed.seq())
              .put("members_version", changed.membersVersion())
              .putStrings("refused", refused),
          group
              + "\t#"
              + changed.seq()
              + (refused.isEmpty() ? "" : "\tnot added: " + String.join(", ", refused)));
    }
  }

  /// One whose first word names the group.
  abstract static class ChangeOf extends Change {

    @Parameters(index = "0", paramLabel = "GROUP", description = "Title or id.")
    String group;

    @Override
    final CompletableFuture<Groups.Changed> change(Session session) {
      return change(session, session.group(group));
    }

    abstract CompletableFuture<Groups.Changed> change(Session session, ChatId id);
  }

  private static List<UserId> users(ClientCommand.Session session, @Nullable List<String> users) {
    var given = users == null ? List.<String>of() : users;
    given.forEach(session.names()::learn);
    return given.stream().map(Names::id).toList();
  }

  @Command(name = "create", description = "Create a group; you are its owner.")
  static final class Create extends Change {

    @Parameters(index = "0", paramLabel = "TITLE", description = "What it is called.")
    private String title;

    @Parameters(index = "1..*", paramLabel = "NAME", description = "Its members, besides you.")
    private @Nullable List<String> members;

    @Option(
        names = "--description",
        paramLabel = "TEXT",
        defaultValue = "",
        description = "What it is about.")
    private String description;

    @Option(
        names = "--picture",
        paramLabel = "REFERENCE",
        defaultValue = "",
        description = "Where its picture is.")
    private String picture;

    @Override
    CompletableFuture<Groups.Changed> change(Session session) {
      return session.tern().groups().create(title, users(session, members), description, picture);
    }

    @Override
    String notAllowed() {
      return NOBODY;
    }
  }

  @Command(name = "info", description = "Print what a group is, and its members.")
  static final class Info extends ClientCommand {

    @Parameters(index = "0", paramLabel = "GROUP", description = "Title or id.")
    private String group;

    @Override
    void run(Session session) {
      var id = session.group(group);
      ChatInfoPage info = session.await(session.tern().groups().info(id));
      var chat = session.names().of(id, user.id());
      if (output.json) {
        session.print(json(chat, info, session.names()).toString());
        return;
      }
      session.print("title\t" + TerminalText.line(info.getTitle()));
      session.print("id\t" + chat);
      if (!info.getDescription().isEmpty()) {
        session.print("about\t" + TerminalText.line(info.getDescription()));
      }
      if (info.getAdminOnlySend()) {
        session.print("rule\tonly admins send");
      }
      if (info.getAdminOnlyEdit()) {
        session.print("rule\tonly admins change the group");
      }
      if (!info.getInvite().isEmpty()) {
        session.print("invite\t" + new Invite(id, info.getInvite().toByteArray()).text());
      }
      for (var member : info.getMembersList()) {
        session.print(
            EntryView.role(member.getRole())
                + "\t"
                + session.names().of(new UserId(member.getUser())));
      }
    }

    private static Json json(String chat, ChatInfoPage info, Names names) {
      return Json.object()
          .put("chat", chat)
          .put("title", info.getTitle())
          .put("description", info.getDescription())
          .put("picture", info.getPicture())
          .put("role", EntryView.role(info.getRole()))
          .put("head", info.getHead())
          .put("ttl_s", Integer.toUnsignedLong(info.getTtlS()))
          .put("admin_only_send", info.getAdminOnlySend())
          .put("admin_only_edit", info.getAdminOnlyEdit())
          .put("members_version", info.getMembersVersion())
          .put(
              "members",
              info.getMembersList().stream()
                  .map(member ->
                      Json.object()
                          .put("user", names.of(new UserId(member.getUser())))
                          .put("role", EntryView.role(member.getRole())))
                  .toList());
    }
  }

  @Command(name = "add", description = "Admins: add users.")
  static final class Add extends ChangeOf {

    @Parameters(index = "1..*", arity = "1..*", paramLabel = "NAME", description = "Whom.")
    private List<String> members;

    @Override
    CompletableFuture<Groups.Changed> change(Session session, ChatId id) {
      return session.tern().groups().add(id, users(session, members));
    }

    @Override
    String notAllowed() {
      return "you are no admin there, or " + NOBODY;
    }
  }

  @Command(name = "remove", description = "Admins: remove a member.")
  static final class Remove extends ChangeOf {

    @Parameters(index = "1", paramLabel = "NAME", description = "Whom.")
    private String member;

    @Override
    CompletableFuture<Groups.Changed> change(Session session, ChatId id) {
      return session.tern().groups().remove(id, users(session, List.of(member)).getFirst());
    }
  }

  @Command(
      name = "leave",
      description = "Leave a group. When its owner leaves, an admin, else a member, becomes owner.")
  static final class Leave extends ChangeOf {

    @Override
    CompletableFuture<Groups.Changed> change(Session session, ChatId id) {
      return session.tern().groups().leave(id);
    }
  }

  /// Roles as they are typed.
  enum GivenRole {
    MEMBER(Role.ROLE_MEMBER),
    ADMIN(Role.ROLE_ADMIN),
    OWNER(Role.ROLE_OWNER);

    private final Role role;

    GivenRole(Role role) {
      this.role = role;
    }
  }

  @Command(
      name = "role",
      description = "The owner: give a member a role. owner hands the group over.")
  static final class GiveRole extends ChangeOf {

    @Parameters(index = "1", paramLabel = "NAME", description = "To whom.")
    private String member;

    @Parameters(index = "2", paramLabel = "ROLE", description = "${COMPLETION-CANDIDATES}")
    private GivenRole role;

    @Override
    CompletableFuture<Groups.Changed> change(Session session, ChatId id) {
      return session
          .tern()
          .groups()
          .setRole(id, users(session, List.of(member)).getFirst(), role.role);
    }
  }

  @Command(name = "title", description = "Call the group something else.")
  static final class Title extends ChangeOf {

    @Parameters(index = "1..*", arity = "1..*", paramLabel = "TEXT", description = "The new title.")
    private List<String> text;

    @Override
    CompletableFuture<Groups.Changed> change(Session session, ChatId id) {
      return session.tern().groups().setTitle(id, String.join(" ", text));
    }
  }

  @Command(name = "picture", description = "Give the group another picture.")
  static final class Picture extends ChangeOf {

    @Parameters(index = "1", paramLabel = "REFERENCE", description = "Where it is.")
    private String reference;

    @Override
    CompletableFuture<Groups.Changed> change(Session session, ChatId id) {
      return session.tern().groups().setPicture(id, reference);
    }
  }

  @Command(name = "describe", description = "Say what the group is about.")
  static final class Describe extends ChangeOf {

    @Parameters(
        index = "1..*",
        arity = "1..*",
        paramLabel = "TEXT",
        description = "What it is about.")
    private List<String> text;

    @Override
    CompletableFuture<Groups.Changed> change(Session session, ChatId id) {
      return session.tern().groups().setDescription(id, String.join(" ", text));
    }
  }

  @Command(name = "rules", description = "Admins: who may send, or change the group.")
  static final class Rules extends ChangeOf {

    @ArgGroup(multiplicity = "1")
    private Rule rule;

    static final class Rule {
      @Option(
          names = "--admin-only-send",
          paramLabel = "true|false",
          arity = "1",
          description = "Whether only admins may send.")
      private @Nullable Boolean send;

      @Option(
          names = "--admin-only-edit",
          paramLabel = "true|false",
          arity = "1",
          description = "Whether only admins may change title, picture, description and timer.")
      private @Nullable Boolean edit;
    }

    @Override
    CompletableFuture<Groups.Changed> change(Session session, ChatId id) {
      return rule.send != null
          ? session.tern().groups().setAdminOnlySend(id, rule.send)
          : session.tern().groups().setAdminOnlyEdit(id, Boolean.TRUE.equals(rule.edit));
    }
  }

  @Command(
      name = "invite",
      description = "Admins: print a new link to the group, for join; the old one is void.")
  static final class MakeInvite extends ClientCommand {

    @Parameters(index = "0", paramLabel = "GROUP", description = "Title or id.")
    private String group;

    private static final String ADMINS = "only admins may make a link, or make one void";

    @Option(names = "--off", description = "Only make the old one void.")
    private boolean off;

    @Override
    void run(Session session) {
      var id = session.group(group);
      var chat = session.names().of(id, user.id());
      if (off) {
        session.await(session.tern().groups().revokeInvite(id), ADMINS);
        session.print(Json.object().put("chat", chat).put("invite", (String) null), chat);
      } else {
        var text = session.await(session.tern().groups().invite(id), ADMINS).text();
        session.print(Json.object().put("chat", chat).put("invite", text), text);
      }
    }
  }

  @Command(name = "join", description = "Become a member by a link.")
  static final class Join extends Change {

    @Parameters(index = "0", paramLabel = "INVITE", description = "What invite printed.")
    private String invite;

    @Override
    CompletableFuture<Groups.Changed> change(Session session) {
      return session.tern().groups().join(parse(invite));
    }
  }

  /// What a person typed as an invitation.
  public static Invite parse(String text) {
    try {
      return Invite.parse(text);
    } catch (IllegalArgumentException e) {
      throw new Failure(ExitCode.USAGE, "this is no invitation", e);
    }
  }
}
