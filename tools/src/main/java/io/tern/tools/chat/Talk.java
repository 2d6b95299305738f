package io.tern.tools.chat;

import io.tern.client.Draft;
import io.tern.client.Groups;
import io.tern.client.SendCallback;
import io.tern.client.TernClient;
import io.tern.client.TernClient.Receipted;
import io.tern.client.TernException;
import io.tern.client.UserSettings;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.ChatSetting;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Role;
import io.tern.tools.ChatLists;
import io.tern.tools.CommandClient;
import io.tern.tools.EntryView;
import io.tern.tools.EventCommands;
import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import io.tern.tools.GroupCommand;
import io.tern.tools.InfoCommand;
import io.tern.tools.Names;
import io.tern.tools.SettingsCommand;
import io.tern.tools.TerminalText;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// What a person types: texts for the open chat, and commands that begin with `/`.
///
/// For the thread that reads the keyboard, which waits for the server; what becomes of a text is
/// told to the [ChatView] by the client's event loop.
final class Talk {

  private static final int PAGE = 20;

  private record Action(String usage, String help, Consumer<String> run) {}

  private final CommandClient client;
  private final TernClient tern;
  private final ChatView view;
  private final Names names;
  private final UserId self;
  private final Duration patience;
  private final Map<String, Action> actions = new LinkedHashMap<>();
  private @Nullable ChatId chat;

  Talk(CommandClient client, ChatView view, Names names, UserId self, Duration patience) {
    this.client = client;
    this.tern = client.client();
    this.view = view;
    this.names = names;
    this.self = self;
    this.patience = patience;
    add("with", "NAME", "open the chat with somebody, or +GROUP", this::open);
    add("chats", "", "list your chats", rest -> choose());
    add("more", "", "older messages", rest -> more());
    add("reply", "SEQ TEXT", "answer a message", this::reply);
    add("mention", "NAME TEXT", "say it with a mark for a member", this::mention);
    add("react", "SEQ [TEXT]", "react to a message; without TEXT no longer", this::react);
    add("edit", "SEQ TEXT", "change what a message of yours says", this::edit);
    add("revoke", "SEQ", "take a message back", rest -> send(Draft.revoke(seq(rest))));
    add("forward", "SEQ NAME", "send a message on to somebody, or +GROUP", this::forward);
    add("once", "TEXT", "a message that can be seen once", this::once);
    add("open", "SEQ", "see such a message; it is gone then", this::see);
    add("star", "SEQ", "mark a message", this::star);
    add("hide", "SEQ", "delete a message for yourself", this::hide);
    add("info", "SEQ", "who got and read a message of yours", this::info);
    add("timer", "SECONDS", "let messages disappear; 0: stay", this::timer);
    add("create", "TITLE NAME…", "create a group (\"a title of words\")", this::create);
    add("members", "", "who is in the group", rest -> members());
    add("add", "NAME…", "add to the group", this::addMembers);
    add("remove", "NAME", "remove from the group", this::remove);
    add("role", "NAME ROLE", "make a member an admin, a member or the owner", this::role);
    add("title", "TEXT", "call the group something else", this::title);
    add("invite", "", "a new link to the group", rest -> invite());
    add("join", "LINK", "join a group by its link", this::join);
    add("leave", "", "leave the group", rest -> leave());
    add("mute", "[off]", "do not announce this chat", rest -> set(rest, Talk::mute));
    add("pin", "[off]", "keep this chat at the top", rest -> set(rest, Talk::pin));
    add("archive", "[off]", "put this chat away", rest -> set(rest, Talk::archive));
    add("block", "[off]", "let nothing pass between you", this::block);
  }

  private void add(String name, String usage, String help, Consumer<String> run) {
    actions.put(name, new Action("/" + (name + " " + usage).strip(), help, run));
  }

  /// The open chat; null when none is.
  @Nullable ChatId chat() {
    return chat;
  }

  /// Does what a line says; false when it says to leave.
  boolean line(String line) {
    if (line.equals("/quit")) {
      return false;
    }
    try {
      if (line.startsWith("/") && !line.startsWith("//")) {
        int space = line.indexOf(' ');
        var name = space < 0 ? line.substring(1) : line.substring(1, space);
        var action = actions.get(name);
        if (action == null) {
          help();
        } else {
          action.run.accept(space < 0 ? "" : line.substring(space + 1).strip());
        }
      } else if (!line.isEmpty()) {
        send(Draft.text(line.startsWith("//") ? line.substring(1) : line).content());
      }
    } catch (Failure e) {
      view.say("(" + e.getMessage() + ")");
    }
    return true;
  }

  private void help() {
    for (var action : actions.values()) {
      view.say("%-20s %s".formatted(action.usage(), action.help()));
    }
    view.say("%-20s %s".formatted("/quit", "leave (also Ctrl-D)"));
    view.say("%-20s %s".formatted("//text", "send a text that starts with /"));
  }

  // ---- chats

  void open(String name) {
    if (name.isEmpty()) {
      throw usage("with");
    }
    names.learn(name);
    open(client.chat(name, patience));
  }

  private void open(ChatId opening) {
    view.opening(opening);
    try {
      var history = client.await(tern.historyBefore(opening, 0, PAGE), patience);
      var item =
          chats().stream()
              .filter(c -> ChatId.fromWire(self, c.getChat(), c.getGroup()).equals(opening))
              .findAny()
              .orElse(null);
      chat = opening;
      watch(opening);
      view.opened(opening, history, item);
    } catch (RuntimeException e) {
      chat = null;
      view.notOpened();
      throw e;
    }
  }

  private void watch(ChatId opened) {
    if (opened.isGroup()) {
      tern.watch(List.of(), List.of(opened));
    } else {
      tern.watch(opened.isSelf() ? List.of() : List.of(opened.peerOf(self)), List.of());
    }
  }

  void choose() {
    var chats = chats();
    view.say(chats.isEmpty() ? "You have no chats yet. /with NAME opens one." : "Your chats:");
    for (var item : chats) {
      var id = ChatId.fromWire(self, item.getChat(), item.getGroup());
      var last = EntryView.of(item.getLast(), id, self, names);
      view.say(
          "  "
              + ChatLists.name(item, last.chat())
              + " ("
              + ChatLists.marks(item)
              + ")  "
              + last.clock()
              + "  "
              + (id.isGroup() ? last.from() + ": " : "")
              + last.text());
    }
  }

  private List<ChatItem> chats() {
    var chats = ChatLists.all(client, patience);
    view.learn(chats);
    return chats;
  }

  private void more() {
    var open = openChat();
    if (view.oldest() > 1) {
      view.older(open, client.await(tern.historyBefore(open, view.oldest(), PAGE), patience));
    } else {
      view.say("(nothing older)");
    }
  }

  // ---- messages

  private void send(Content content) {
    tern.send(
        openChat(),
        content,
        new SendCallback() {
          @Override
          public void onSent(ChatId in, long seq, long csn, long tsMillis, boolean repeat) {
            view.sent(new Receipted(in, seq, csn, tsMillis, repeat), content);
          }

          @Override
          public void onRefused(ChatId in, TernException refusal) {
            view.refused(String.valueOf(CommandClient.failure(refusal).getMessage()));
          }
        });
  }

  private void reply(String rest) {
    send(Draft.text(behind(rest, "reply")).replyTo(seq(rest)).content());
  }

  private void mention(String rest) {
    var text = behind(rest, "mention");
    var name = rest.substring(0, rest.indexOf(' '));
    names.learn(name);
    send(Draft.text("@" + name + " " + text).mention(Names.id(name)).content());
  }

  private void react(String rest) {
    int space = rest.indexOf(' ');
    send(Draft.react(seq(rest), space < 0 ? "" : rest.substring(space + 1).strip()));
  }

  private void edit(String rest) {
    send(Draft.edit(seq(rest), Draft.text(behind(rest, "edit"))));
  }

  private void forward(String rest) {
    var words = words(rest);
    if (words.size() != 2) {
      throw usage("forward");
    }
    var draft = EventCommands.forward(client, openChat(), seq(rest), patience);
    names.learn(words.get(1));
    var to = client.chat(words.get(1), patience);
    client.await(tern.send(to, draft), patience);
    view.say("(sent on to " + view.name(to) + ")");
  }

  private void once(String rest) {
    if (rest.isEmpty()) {
      throw usage("once");
    }
    send(Draft.text(rest).viewOnce().content());
  }

  private void see(String rest) {
    long seq = seq(rest);
    view.say("  " + TerminalText.line(EventCommands.onceAt(client, openChat(), seq, patience)));
    send(Draft.opened(seq));
  }

  private void star(String rest) {
    client.await(tern.settings().setStar(openChat(), seq(rest), true), patience);
    view.say("(#" + seq(rest) + " has a star)");
  }

  private void hide(String rest) {
    client.await(tern.settings().hide(openChat(), seq(rest)), patience);
    view.say("(#" + seq(rest) + " is deleted for you)");
  }

  private void info(String rest) {
    var open = openChat();
    var pages = InfoCommand.pages(tern, answer -> client.await(answer, patience), open, seq(rest));
    for (var page : pages) {
      for (var member : page.getMembersList()) {
        view.say("  " + InfoCommand.line(member, names).replace('\t', ' '));
      }
    }
    view.say("  " + InfoCommand.summary(pages.getFirst()));
  }

  private void timer(String rest) {
    send(Draft.timer(Duration.ofSeconds(number(rest, "timer"))));
  }

  // ---- groups

  private void create(String rest) {
    var words = words(rest);
    if (words.isEmpty()) {
      throw usage("create");
    }
    var members = users(words.subList(1, words.size()));
    var created = client.await(tern.groups().create(words.getFirst(), members), patience);
    open(created.group());
    sayRefused(created);
  }

  private void members() {
    var info = client.await(tern.groups().info(openGroup()), patience);
    for (var member : info.getMembersList()) {
      view.say(
          "  "
              + (UserId.isValid(member.getUser()) ? names.of(new UserId(member.getUser())) : "?")
              + " ("
              + EntryView.role(member.getRole())
              + ")");
    }
  }

  private void addMembers(String rest) {
    var users = users(words(rest));
    if (users.isEmpty()) {
      throw usage("add");
    }
    sayRefused(change(tern.groups().add(openGroup(), users)));
  }

  private void sayRefused(Groups.Changed changed) {
    for (var user : changed.refused()) {
      view.say("(" + names.of(user) + " does not let you add them)");
    }
  }

  private void remove(String rest) {
    var users = users(words(rest));
    if (users.size() != 1) {
      throw usage("remove");
    }
    change(tern.groups().remove(openGroup(), users.getFirst()));
  }

  private void role(String rest) {
    var words = words(rest);
    var role =
        words.size() != 2
            ? Role.ROLE_UNSPECIFIED
            : switch (words.get(1)) {
              case "member" -> Role.ROLE_MEMBER;
              case "admin" -> Role.ROLE_ADMIN;
              case "owner" -> Role.ROLE_OWNER;
              default -> Role.ROLE_UNSPECIFIED;
            };
    if (role == Role.ROLE_UNSPECIFIED) {
      throw usage("role");
    }
    change(tern.groups().setRole(openGroup(), users(words.subList(0, 1)).getFirst(), role));
  }

  private void title(String rest) {
    if (rest.isEmpty()) {
      throw usage("title");
    }
    change(tern.groups().setTitle(openGroup(), rest));
  }

  private void invite() {
    view.say("/join " + client.await(tern.groups().invite(openGroup()), patience).text());
  }

  private void join(String rest) {
    open(change(tern.groups().join(GroupCommand.parse(rest))).group());
  }

  private void leave() {
    change(tern.groups().leave(openGroup()));
  }

  /// Waits; the change itself comes as an entry.
  private Groups.Changed change(CompletableFuture<Groups.Changed> change) {
    return client.await(change, patience);
  }

  // ---- settings

  private interface Set {
    void set(ChatSetting.Builder setting, boolean on);
  }

  private static void mute(ChatSetting.Builder setting, boolean on) {
    setting.setMuteUntilMs(on ? UserSettings.FOREVER : 0);
  }

  private static void pin(ChatSetting.Builder setting, boolean on) {
    setting.setPin(on);
  }

  private static void archive(ChatSetting.Builder setting, boolean on) {
    setting.setArchive(on);
  }

  private void set(String rest, Set change) {
    var open = openChat();
    var all = client.await(tern.settings().all(), patience);
    var setting = SettingsCommand.of(all, open, self).toBuilder();
    change.set(setting, !rest.equals("off"));
    client.await(
        tern.settings()
            .setChat(open, setting.getMuteUntilMs(), setting.getPin(), setting.getArchive()),
        patience);
    view.say(
        "("
            + EntryView.mute(setting.getMuteUntilMs())
            + (setting.getPin() ? ", pinned" : "")
            + (setting.getArchive() ? ", archived" : "")
            + ")");
  }

  private void block(String rest) {
    var open = openChat();
    if (open.isGroup() || open.isSelf()) {
      throw new Failure(ExitCode.USAGE, "only somebody can be blocked");
    }
    boolean on = !rest.equals("off");
    client.await(tern.settings().setBlock(open.peerOf(self), on), patience);
    view.say("(" + view.name(open) + (on ? " is blocked)" : " is not blocked any more)"));
  }

  // ---- what was typed

  private ChatId openChat() {
    var open = chat;
    if (open == null) {
      throw new Failure(ExitCode.USAGE, "to whom? /with NAME");
    }
    return open;
  }

  private ChatId openGroup() {
    var open = openChat();
    if (!open.isGroup()) {
      throw new Failure(ExitCode.USAGE, "this is no group");
    }
    return open;
  }

  private List<UserId> users(List<String> typed) {
    typed.forEach(names::learn);
    return typed.stream().map(Names::id).toList();
  }

  private Failure usage(String action) {
    var known = actions.get(action);
    return new Failure(ExitCode.USAGE, known == null ? "/help" : known.usage());
  }

  private static long seq(String rest) {
    int space = rest.indexOf(' ');
    var word = space < 0 ? rest : rest.substring(0, space);
    try {
      long seq = Long.parseLong(word.startsWith("#") ? word.substring(1) : word);
      if (seq > 0) {
        return seq;
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    throw new Failure(ExitCode.USAGE, "which message? Its number is behind it: #1, #2, …");
  }

  private String behind(String rest, String action) {
    int space = rest.indexOf(' ');
    if (space < 0) {
      throw usage(action);
    }
    return rest.substring(space + 1).strip();
  }

  private long number(String rest, String action) {
    try {
      long number = Long.parseLong(rest);
      if (number >= 0 && number <= 0xFFFF_FFFFL) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    throw usage(action);
  }

  /// Separated by spaces; what is in quotation marks is one.
  static List<String> words(String line) {
    var words = new ArrayList<String>();
    var word = new StringBuilder();
    boolean isQuoted = false;
    boolean isWord = false;
    for (int i = 0; i < line.length(); i++) {
      char c = line.charAt(i);
      if (c == '"') {
        isQuoted = !isQuoted;
        isWord = true;
      } else if (c == ' ' && !isQuoted) {
        if (isWord) {
          words.add(word.toString());
        }
        word.setLength(0);
        isWord = false;
      } else {
        word.append(c);
        isWord = true;
      }
    }
    if (isWord) {
      words.add(word.toString());
    }
    return words;
  }
}
