package io.tern.tools;

import io.tern.client.UserSettings;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Audience;
import io.tern.protocol.v1.ChatSetting;
import io.tern.protocol.v1.Privacy;
import io.tern.protocol.v1.Setting;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/// `tern settings`: what a user has settled for all their devices.
@Command(
    name = "settings",
    description = "Print and change your settings; they hold on all your devices.",
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      SettingsCommand.ListAll.class,
      SettingsCommand.Mute.class,
      SettingsCommand.Pin.class,
      SettingsCommand.Archive.class,
      SettingsCommand.Star.class,
      SettingsCommand.Hide.class,
      SettingsCommand.Contact.class,
      SettingsCommand.Block.class,
      SettingsCommand.PrivacyOf.class
    })
public final class SettingsCommand implements Runnable {

  @Spec private CommandSpec spec;

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "Say which setting: a command is missing (list prints them all).");
  }

  /// What is settled for a chat now; nothing, if nothing is.
  public static ChatSetting of(List<Setting> all, ChatId chat, UserId self) {
    return all.stream()
        .filter(Setting::hasChat)
        .map(Setting::getChat)
        .filter(s -> s.getGroup() == chat.isGroup() && s.getChat() == chat.wireId(self))
        .reduce((first, last) -> last)
        .orElse(ChatSetting.getDefaultInstance());
  }

  @Command(name = "list", description = "Print all settings.")
  static final class ListAll extends ClientCommand {

    @Override
    void run(Session session) {
      for (var setting : session.await(session.tern().settings().all())) {
        session.print(
            EntryView.json(setting, session.names()), EntryView.phrase(setting, session.names()));
      }
    }
  }

  /// One that sets something and prints it.
  abstract static class Change extends ClientCommand {

    @Override
    final void run(Session session) {
      var setting = setting(session);
      session.await(session.tern().settings().set(setting));
      session.print(
          EntryView.json(setting, session.names()), EntryView.phrase(setting, session.names()));
    }

    abstract Setting setting(Session session);
  }

  /// Mute, pin and archive are settled together: what is not named stays.
  abstract static class OfChat extends Change {

    @Parameters(index = "0", paramLabel = "NAME", description = "Whose chat, or +GROUP.")
    private String name;

    @Option(names = "--off", description = "No longer.")
    boolean off;

    @Override
    final Setting setting(Session session) {
      var chat = session.chat(name);
      var before = of(session.await(session.tern().settings().all()), chat, user.id());
      var after = before.toBuilder().setChat(chat.wireId(user.id())).setGroup(chat.isGroup());
      change(after);
      return Setting.newBuilder().setChat(after).build();
    }

    abstract void change(ChatSetting.Builder setting);
  }

  @Command(name = "mute", description = "Mute a chat.")
  static final class Mute extends OfChat {

    @Option(names = "--hours", paramLabel = "N", description = "For so long, instead of for ever.")
    private @Nullable Long hours;

    @Override
    void change(ChatSetting.Builder setting) {
      setting.setMuteUntilMs(
          off
              ? 0
              : hours == null
                  ? UserSettings.FOREVER
                  : System.currentTimeMillis() + Duration.ofHours(hours).toMillis());
    }
  }

  @Command(name = "pin", description = "Keep a chat at the top of the list.")
  static final class Pin extends OfChat {
    @Override
    void change(ChatSetting.Builder setting) {
      setting.setPin(!off);
    }
  }

  @Command(name = "archive", description = "Put a chat out of sight.")
  static final class Archive extends OfChat {
    @Override
    void change(ChatSetting.Builder setting) {
      setting.setArchive(!off);
    }
  }

  @Command(name = "star", description = "Mark a message.")
  static final class Star extends Change {

    @Parameters(index = "0", paramLabel = "NAME", description = "Whose chat, or +GROUP.")
    private String name;

    @Parameters(index = "1", paramLabel = "SEQ", description = "Which message.")
    private long seq;

    @Option(names = "--off", description = "No longer.")
    private boolean off;

    @Override
    Setting setting(Session session) {
      var chat = session.chat(name);
      return Setting.newBuilder()
          .setStar(
              io.tern.protocol.v1.Star.newBuilder()
                  .setChat(chat.wireId(user.id()))
                  .setGroup(chat.isGroup())
                  .setSeq(seq)
                  .setOn(!off))
          .build();
    }
  }

  @Command(name = "hide", description = "Delete a message for yourself, for good.")
  static final class Hide extends Change {

    @Parameters(index = "0", paramLabel = "NAME", description = "Whose chat, or +GROUP.")
    private String name;

    @Parameters(index = "1", paramLabel = "SEQ", description = "Which message.")
    private long seq;

    @Override
    Setting setting(Session session) {
      var chat = session.chat(name);
      return Setting.newBuilder()
          .setHide(
              io.tern.protocol.v1.Hide.newBuilder()
                  .setChat(chat.wireId(user.id()))
                  .setGroup(chat.isGroup())
                  .setSeq(seq))
          .build();
    }
  }

  @Command(name = "contact", description = "Keep somebody as a contact, or remove them.")
  static final class Contact extends Change {

    @Parameters(index = "0", paramLabel = "NAME", description = "Whom.")
    private String name;

    @Option(names = "--as", paramLabel = "TEXT", description = "What you call them.")
    private @Nullable String as;

    @Option(names = "--remove", description = "No longer.")
    private boolean remove;

    @Override
    Setting setting(Session session) {
      session.names().learn(name);
      var contact = io.tern.protocol.v1.Contact.newBuilder().setUser(Names.id(name).value());
      if (remove) {
        contact.setRemoved(true);
      } else {
        contact.setName(as == null ? name : as);
      }
      return Setting.newBuilder().setContact(contact).build();
    }
  }

  @Command(
      name = "block",
      description =
          "Let nothing pass between somebody and you in your chat; in force when it ends.")
  static final class Block extends Change {

    @Parameters(index = "0", paramLabel = "NAME", description = "Whom.")
    private String name;

    @Option(names = "--off", description = "No longer.")
    private boolean off;

    @Override
    Setting setting(Session session) {
      session.names().learn(name);
      return Setting.newBuilder()
          .setBlock(
              io.tern.protocol.v1.Block.newBuilder().setUser(Names.id(name).value()).setOn(!off))
          .build();
    }
  }

  /// Audiences as they are typed.
  enum Who {
    EVERYONE(Audience.AUDIENCE_EVERYONE),
    CONTACTS(Audience.AUDIENCE_CONTACTS),
    CONTACTS_EXCEPT(Audience.AUDIENCE_CONTACTS_EXCEPT),
    NOBODY(Audience.AUDIENCE_NOBODY);

    private final Audience audience;

    Who(Audience audience) {
      this.audience = audience;
    }

    /// As it is typed.
    @Override
    public String toString() {
      return PrivacyWords.word(audience);
    }
  }

  @Command(
      name = "privacy",
      description = {
        "Say who sees what of you; what is not named stays.",
        "WHO is ${COMPLETION-CANDIDATES}. What you do not show you do not see of others."
      })
  static final class PrivacyOf extends Change {

    @Option(names = "--last-seen", paramLabel = "WHO", description = "When you were last there.")
    private @Nullable Who lastSeen;

    @Option(names = "--online", paramLabel = "WHO", description = "Whether you are there.")
    private @Nullable Who online;

    @Option(names = "--photo", paramLabel = "WHO", description = "Your picture.")
    private @Nullable Who photo;

    @Option(names = "--groups", paramLabel = "WHO", description = "Who may add you to groups.")
    private @Nullable Who groups;

    @Option(
        names = "--except",
        paramLabel = "NAME",
        split = ",",
        description = "Contacts whom contacts-except leaves out.")
    private @Nullable List<String> except;

    @Option(
        names = "--read-receipts",
        paramLabel = "true|false",
        arity = "1",
        description = "Whether others see what you have read, and you what they have.")
    private @Nullable Boolean readReceipts;

    @Override
    Setting setting(Session session) {
      var privacy =
          session.await(session.tern().settings().all()).stream()
              .filter(Setting::hasPrivacy)
              .map(Setting::getPrivacy)
              .reduce((first, last) -> last)
              .orElse(Privacy.getDefaultInstance())
              .toBuilder();
      if (lastSeen != null) {
        privacy.setLastSeen(lastSeen.audience);
      }
      if (online != null) {
        privacy.setOnline(online.audience);
      }
      if (photo != null) {
        privacy.setPhoto(photo.audience);
      }
      if (groups != null) {
        privacy.setGroups(groups.audience);
      }
      if (except != null) {
        privacy.clearExcept();
        for (var name : except) {
          session.names().learn(name);
          privacy.addExcept(Names.id(name).value());
        }
      }
      if (readReceipts != null) {
        privacy.setHideReadReceipts(!readReceipts);
      }
      return Setting.newBuilder().setPrivacy(privacy).build();
    }
  }
}
