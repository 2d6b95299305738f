package io.tern.client;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Block;
import io.tern.protocol.v1.ChatSetting;
import io.tern.protocol.v1.Contact;
import io.tern.protocol.v1.Hide;
import io.tern.protocol.v1.Privacy;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.SettingsSet;
import io.tern.protocol.v1.Star;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// What this user has settled for all their devices: see [TernClient#settings].
///
/// A change is durable, and in force, when its future completes; it goes out again until it is
/// answered, over lost connections. All devices, this one included, hear of it by
/// [ClientListener#onSetting]; a device that is new asks for [#all] once.
///
/// Thread-safe; nothing blocks.
public final class UserSettings {

  /// For [ChatSetting#getMuteUntilMs]: for ever.
  public static final long FOREVER = Long.MAX_VALUE;

  private final TernClient client;

  UserSettings(TernClient client) {
    this.client = client;
  }

  /// Mute, pin and archive of a chat, all three at once: this replaces what was settled before.
  ///
  /// @param muteUntilMillis 0 = not muted, [#FOREVER]
  public CompletableFuture<Void> setChat(
      ChatId chat, long muteUntilMillis, boolean pin, boolean archive) {
    return set(
        Setting.newBuilder()
            .setChat(
                ChatSetting.newBuilder()
                    .setChat(client.checkOurs(chat).wireId(client.user()))
                    .setGroup(chat.isGroup())
                    .setMuteUntilMs(muteUntilMillis)
                    .setPin(pin)
                    .setArchive(archive))
            .build());
  }

  public CompletableFuture<Void> setStar(ChatId chat, long seq, boolean on) {
    return set(
        Setting.newBuilder()
            .setStar(
                Star.newBuilder()
                    .setChat(client.checkOurs(chat).wireId(client.user()))
                    .setGroup(chat.isGroup())
                    .setSeq(seq)
                    .setOn(on))
            .build());
  }

  /// Deletes an entry for this user: it is [Body.Removed] for them from now on, for good.
  public CompletableFuture<Void> hide(ChatId chat, long seq) {
    return set(
        Setting.newBuilder()
            .setHide(
                Hide.newBuilder()
                    .setChat(client.checkOurs(chat).wireId(client.user()))
                    .setGroup(chat.isGroup())
                    .setSeq(seq))
            .build());
  }

  public CompletableFuture<Void> setContact(UserId user, String name) {
    return set(
        Setting.newBuilder()
            .setContact(Contact.newBuilder().setUser(user.value()).setName(name))
            .build());
  }

  public CompletableFuture<Void> removeContact(UserId user) {
    return set(
        Setting.newBuilder()
            .setContact(Contact.newBuilder().setUser(user.value()).setRemoved(true))
            .build());
  }

  /// Who sees what of this user, all of it at once.
  public CompletableFuture<Void> setPrivacy(Privacy privacy) {
    return set(Setting.newBuilder().setPrivacy(privacy).build());
  }

  /// From the moment the future completes nothing passes between the two in their direct chat: no
  /// message, receipt, presence or typing.
  public CompletableFuture<Void> setBlock(UserId user, boolean on) {
    return set(
        Setting.newBuilder().setBlock(Block.newBuilder().setUser(user.value()).setOn(on)).build());
  }

  public CompletableFuture<Void> set(Setting setting) {
    return set(List.of(setting));
  }

  /// Several at once, at most 16; they are changed together.
  public CompletableFuture<Void> set(List<Setting> settings) {
    var together = List.copyOf(settings);
    return client.ask((core, done, refused) -> core.changes().set(together, done, refused));
  }

  /// One page of all settings; `pageToken` null for the first.
  public CompletableFuture<SettingsSet> page(byte @Nullable [] pageToken) {
    return client.ask((core, done, refused) -> core.queries().settings(pageToken, done, refused));
  }

  /// All of them, page by page.
  public CompletableFuture<List<Setting>> all() {
    return all(null, new ArrayList<>());
  }

  private CompletableFuture<List<Setting>> all(byte @Nullable [] pageToken, List<Setting> before) {
    return page(pageToken)
        .thenCompose(page -> {
          before.addAll(page.getSettingsList());
          return page.getNextPageToken().isEmpty()
              ? CompletableFuture.completedFuture(before)
              : all(page.getNextPageToken().toByteArray(), before);
        });
  }
}
