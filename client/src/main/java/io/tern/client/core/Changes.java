package io.tern.client.core;

import com.google.protobuf.ByteString;
import io.tern.client.GroupChange;
import io.tern.client.Groups.Changed;
import io.tern.client.TernException;
import io.tern.protocol.ChatId;
import io.tern.protocol.FrameType;
import io.tern.protocol.Limits;
import io.tern.protocol.v1.DeviceRemove;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupCreated;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.GroupEdited;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// What an app may change with one request. Each has exactly one effect: what belongs to a group
/// has an operation id, the app's own or a random one, the rest sets absolute values, so all of
/// them are asked again until they are answered, over lost connections and however often the server
/// says "later".
///
/// A change of a group, or of a setting, is an entry; one that the server does not push to this
/// device is read by HISTORY, so that the listener hears of all of them in order.
///
/// For [ClientCore]'s thread.
public final class Changes {

  private final ClientCore core;

  Changes(ClientCore core) {
    this.core = core;
  }

  /// Creates a group.
  ///
  /// @param group without an operation id, or with one that the app keeps
  public void createGroup(
      GroupCreate.Builder group, Consumer<Changed> onDone, Consumer<TernException> onRefused) {
    core.questions.ask(
        new Request(
                FrameType.GROUP_CREATE,
                0,
                0,
                group.clone().setOpId(opId(group.getOpId())).build().toByteArray(),
                bytes -> {
                  GroupCreated created = GroupCreated.parseFrom(bytes);
                  Chat chat = core.chatOfHeader();
                  if (chat == null) {
                    onRefused.accept(new TernException(500, 0, "a group without an id"));
                  } else {
                    onDone.accept(
                        changed(chat, created.getMembersVersion(), created.getRefusedList()));
                  }
                },
                onRefused::accept)
            .untilAnswered());
  }

  /// Changes a group in one way.
  ///
  /// @param change without an operation id, or with one that the app keeps
  public void editGroup(
      ChatId group,
      GroupEdit.Builder change,
      Consumer<Changed> onDone,
      Consumer<TernException> onRefused) {
    Chat chat = core.chat(group);
    core.questions.ask(
        new Request(
                FrameType.GROUP_EDIT,
                chat.wireFlags,
                chat.wireId,
                change.clone().setOpId(opId(change.getOpId())).build().toByteArray(),
                bytes -> {
                  GroupEdited edited = GroupEdited.parseFrom(bytes);
                  onDone.accept(changed(chat, edited.getMembersVersion(), edited.getRefusedList()));
                },
                onRefused::accept)
            .untilAnswered());
  }

  private Changed changed(Chat chat, long membersVersion, List<Long> refused) {
    long seq = core.header.seq();
    core.entries.expect(chat, seq);
    return new Changed(chat.id, seq, membersVersion, GroupChange.users(refused));
  }

  private ByteString opId(ByteString ofTheApp) {
    if (!ofTheApp.isEmpty()) {
      return ofTheApp;
    }
    var id = new byte[Limits.OP_ID_BYTES];
    core.random.nextBytes(id);
    return ByteString.copyFrom(id);
  }

  /// Absolute values, at most 16.
  public void set(
      List<Setting> settings, Consumer<@Nullable Void> onDone, Consumer<TernException> onRefused) {
    core.questions.ask(
        new Request(
                FrameType.SETTINGS,
                0,
                0,
                Settings.newBuilder().addAllSet(settings).build().toByteArray(),
                bytes -> {
                  core.entries.expect(
                      core.chat(ChatId.direct(core.me, core.me)), core.header.seq());
                  onDone.accept(null);
                },
                onRefused::accept)
            .untilAnswered());
  }

  public void removeDevice(
      int device, Consumer<@Nullable Void> onDone, Consumer<TernException> onRefused) {
    core.questions.ask(
        new Request(
                FrameType.DEVICE_REMOVE,
                0,
                0,
                DeviceRemove.newBuilder().setDevice(device).build().toByteArray(),
                bytes -> onDone.accept(null),
                onRefused::accept)
            .untilAnswered());
  }
}
