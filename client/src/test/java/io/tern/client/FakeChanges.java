package io.tern.client;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.DeviceRemoved;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupCreated;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.GroupEdited;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import io.tern.protocol.v1.SettingsSet;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.Map;

/// What a [FakeServer] does for who asks for a change, for one session: groups, settings, devices.
final class FakeChanges {

  private final FakeServer server;
  private final FakeSession session;

  FakeChanges(FakeServer server, FakeSession session) {
    this.server = server;
    this.session = session;
  }

  void onGroupCreate(GroupCreate create) {
    if (create.getOpId().size() != 16) {
      server.violations.add("an operation id of " + create.getOpId().size() + " bytes");
    }
    if (session.refusesQuestion()) {
      return;
    }
    UserId user = session.deviceId().user();
    long hash = (user.value() * 31 + create.getOpId().hashCode()) & UserId.VALUE_MAX;
    ChatId id = ChatId.group(Math.max(1, hash));
    FakeLog log = server.log(id);
    if (log.group == null) {
      log.group = new FakeGroup(user, create);
      appendEvent(log, Kind.KIND_GROUP, FakeGroup.birth(create));
    }
    answerChange(
        FrameType.GROUP_CREATED,
        FrameHeader.RID | FrameHeader.CHAT | FrameHeader.SEQ | FrameHeader.GROUP,
        id.high(),
        1,
        GroupCreated.newBuilder().setMembersVersion(log.group.version).build());
  }

  void onGroupEdit(GroupEdit edit) {
    if (edit.getOpId().size() != 16) {
      server.violations.add("an operation id of " + edit.getOpId().size() + " bytes");
    }
    if (session.refusesQuestion()) {
      return;
    }
    UserId user = session.deviceId().user();
    FakeLog log = server.chats.get(session.chat());
    FakeGroup group = log == null ? null : log.group;
    if (log == null || group == null) {
      session.error(session.header.rid(), ErrorCode.NOT_MEMBER, 0);
      return;
    }
    String operation = user + " " + edit.getOpId().hashCode();
    Long seq = group.operations.get(operation);
    if (seq == null) {
      GroupEvent event = group.change(user, edit, log.head() + 1);
      if (event == null) {
        ErrorCode why = group.refusal;
        session.error(session.header.rid(), why == null ? ErrorCode.INTERNAL : why, 0);
        return;
      }
      seq = log.head() + 1;
      group.operations.put(operation, seq);
      appendEvent(log, Kind.KIND_GROUP, event);
    }
    answerChange(
        FrameType.GROUP_EDITED,
        FrameHeader.RID | FrameHeader.SEQ,
        0,
        seq,
        GroupEdited.newBuilder().setMembersVersion(group.version).build());
  }

  void onSettings(Settings asked) {
    if (session.refusesQuestion()) {
      return;
    }
    UserId user = session.deviceId().user();
    Map<String, Setting> mine = server.settings.computeIfAbsent(user, u -> new LinkedHashMap<>());
    if (asked.getSetCount() == 0) {
      var all = new ArrayList<>(mine.values());
      int from =
          asked.getPageToken().isEmpty()
              ? 0
              : Integer.parseInt(asked.getPageToken().toStringUtf8());
      int to = Math.min(all.size(), from + 3);
      SettingsSet.Builder page = SettingsSet.newBuilder().addAllSettings(all.subList(from, to));
      if (to < all.size()) {
        page.setNextPageToken(ByteString.copyFromUtf8(String.valueOf(to)));
      }
      session.reply(FrameType.SETTINGS_SET, page.build());
      return;
    }
    for (Setting setting : asked.getSetList()) {
      mine.put(FakeServer.key(setting), setting);
    }
    FakeLog log = server.log(ChatId.direct(user, user));
    appendEvent(
        log, Kind.KIND_SETTING, Settings.newBuilder().addAllSet(asked.getSetList()).build());
    answerChange(
        FrameType.SETTINGS_SET,
        FrameHeader.RID | FrameHeader.SEQ,
        0,
        log.head(),
        SettingsSet.getDefaultInstance());
  }

  /// The server's own entry, on behalf of this device.
  private void appendEvent(FakeLog log, Kind kind, MessageLite body) {
    FakeLog.Entry entry =
        new FakeLog.Entry(
            log.head() + 1,
            session.deviceId(),
            0,
            server.nowMillis++,
            Content.newBuilder().setKind(kind).setBody(body.toByteString()).build());
    log.entries.add(entry);
    session.chats.pushLive(log, entry, server.pushesOwnEvents);
  }

  private void answerChange(FrameType type, int flags, long chat, long seq, MessageLite body) {
    Error forgotten = server.faults.forgetChange();
    if (forgotten != null) {
      session.frame(
          FrameType.ERROR, FrameHeader.RID, session.header.rid(), 0, 0, forgotten.toByteArray());
    } else {
      session.frame(type, flags, session.header.rid(), chat, seq, body.toByteArray());
    }
  }

  void onDeviceRemove(int index) {
    if (session.refusesQuestion()) {
      return;
    }
    var gone = new DeviceId(session.deviceId().user(), index);
    server.known.remove(gone);
    server.removed.add(gone);
    FakeSession other = server.sessions.get(gone);
    if (other != null) {
      other.error(0, ErrorCode.REVOKED, 0);
      other.shut();
    }
    session.reply(FrameType.DEVICE_REMOVED, DeviceRemoved.getDefaultInstance());
  }
}
