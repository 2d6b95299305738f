package io.tern.protocol;

import com.google.protobuf.ByteString;
import io.tern.protocol.v1.*;
import java.nio.charset.StandardCharsets;
import java.util.List;

/// A body of every frame type, with every field of protocol 1 set.
final class Samples {

  static final long ALICE = 0x9A3F_27C1_84E5L;
  static final long BOB = 0xC41D_0B7E_5A92L;
  static final long GROUP = 0x8E55_10F2_6C3BL;
  static final long TS = 1_764_000_000_123L;

  private Samples() {}

  static ByteString utf8(String text) {
    return ByteString.copyFrom(text, StandardCharsets.UTF_8);
  }

  static Content content() {
    return Content.newBuilder()
        .setKind(Kind.KIND_TEXT)
        .setBody(utf8("Grüß dich, 世界 🐦"))
        .setReplyTo(41)
        .addMentions(ALICE)
        .addMentions(BOB)
        .setTtlS(86_400)
        .setForwarded(2)
        .setTarget(40)
        .setViewOnce(true)
        .setPreview(
            LinkPreview.newBuilder()
                .setUrl("https://example.org/")
                .setTitle("Example")
                .setDescription("An example")
                .setThumbnail(utf8("jpeg")))
        .build();
  }

  static Deliver deliver() {
    return Deliver.newBuilder()
        .setSender(ALICE)
        .setDevice(2)
        .setTsMs(TS)
        .setContent(content())
        .setCsn(17)
        .setEditedMs(TS + 5)
        .build();
  }

  static PageEntry pageEntry() {
    return PageEntry.newBuilder()
        .setSeq(42)
        .setOwn(true)
        .setEntry(deliver())
        .addReactions(Reaction.newBuilder().setText("👍").setCount(2).setOwn(true))
        .build();
  }

  /// The encoded body.
  static byte[] body(FrameType type) {
    return switch (type) {
      case HELLO ->
          Hello.newBuilder()
              .setVerMin(1)
              .setVerMax(1)
              .setCaps(Capability.ZSTD_PAGES)
              .setDevice(2)
              .setToken(utf8("token-of-alice"))
              .setResume(utf8("sealed"))
              .setCount(3)
              .setState(ClientActivity.CLIENT_ACTIVITY_ACTIVE)
              .setReason(ConnectReason.CONNECT_REASON_RETRY)
              .setAttempt(1)
              .setApp("Example/1.0")
              .setWindow(128)
              .setMaxFrame(131_072)
              .setPingS(240)
              .build()
              .toByteArray();
      case HELLO_ACK ->
          HelloAck.newBuilder()
              .setVer(1)
              .setCaps(Capability.ZSTD_PAGES)
              .setSession(7)
              .setEpoch(12)
              .setResumed(true)
              .setNowMs(TS)
              .setResume(utf8("sealed-again"))
              .setResumeTtlS(604_800)
              .setLimits(
                  SessionLimits.newBuilder()
                      .setMaxFrame(65_536)
                      .setBodyBytes(16_384)
                      .setInFlight(32)
                      .setSendsPerS(10)
                      .setSendsBurst(40)
                      .setWindow(128)
                      .setWindowBytes(262_144))
              .setBackoff(Backoff.newBuilder().setBaseMs(500).setCapMs(120_000))
              .addEdges("edge-2.example:7777")
              .setPingS(240)
              .setIdleS(370)
              .setUser(ALICE)
              .setDevice(2)
              .build()
              .toByteArray();
      case GOAWAY ->
          GoAway.newBuilder()
              .setCode(304)
              .setGraceMs(5_000)
              .setAfterMinMs(100)
              .setAfterMaxMs(10_000)
              .addEdges("edge-2.example:7777")
              .build()
              .toByteArray();
      case PING, PONG -> new byte[] {1, 2, 3, (byte) 0xFF};
      case ERROR ->
          io.tern.protocol.v1.Error.newBuilder()
              .setCode(406)
              .setRetryMs(20)
              .setDetail("csn 9 is not next")
              .setField("csn")
              .setCsn(8)
              .build()
              .toByteArray();
      case ACK, READ, RESET, BEHIND -> new byte[0];
      case CLIENT_STATE ->
          ClientState.newBuilder()
              .setState(ClientActivity.CLIENT_ACTIVITY_INACTIVE)
              .setPingS(600)
              .build()
              .toByteArray();
      case REAUTH -> Reauth.newBuilder().setToken(utf8("newer-token")).build().toByteArray();
      case BYE -> Bye.newBuilder().setLogout(true).build().toByteArray();
      case SEND -> Send.newBuilder().setCsn(17).setContent(content()).build().toByteArray();
      case CATCH_UP -> CatchUp.newBuilder().setFrom(40).setLimit(100).build().toByteArray();
      case HISTORY -> History.newBuilder().setBefore(40).setLimit(20).build().toByteArray();
      case TYPING -> Typing.newBuilder().setOn(true).setRecording(true).build().toByteArray();
      case CHATS ->
          Chats.newBuilder().setPageToken(utf8("after-bob")).setLimit(20).build().toByteArray();
      case CHAT_INFO -> ChatInfo.newBuilder().setMembersVersion(5).build().toByteArray();
      case GROUP_CREATE ->
          GroupCreate.newBuilder()
              .setTitle("Wanderung")
              .addMembers(ALICE)
              .addMembers(BOB)
              .setOpId(utf8("0123456789abcdef"))
              .setDescription("Am Samstag")
              .setPicture("media/71")
              .build()
              .toByteArray();
      case GROUP_EDIT ->
          GroupEdit.newBuilder()
              .setOpId(utf8("fedcba9876543210"))
              .setRole(RoleChange.newBuilder().setUser(BOB).setRole(Role.ROLE_ADMIN))
              .build()
              .toByteArray();
      case ENTRY_INFO ->
          EntryInfo.newBuilder().setPageToken(utf8("next")).setLimit(20).build().toByteArray();
      case PRESENCE_SUB ->
          PresenceSub.newBuilder()
              .addUsers(ALICE)
              .addUsers(BOB)
              .addGroups(GROUP)
              .build()
              .toByteArray();
      case SETTINGS -> settings().toByteArray();
      case PUSH_REGISTER ->
          PushRegister.newBuilder()
              .setPlatform(Platform.PLATFORM_WEB_PUSH)
              .setToken(utf8("device-token"))
              .build()
              .toByteArray();
      case NACK -> Nack.newBuilder().setCode(407).build().toByteArray();
      case SENT -> Sent.newBuilder().setTsMs(TS).setRepeat(true).build().toByteArray();
      case CATCH_UP_PAGE ->
          CatchUpPage.newBuilder()
              .addChats(ChatDue.newBuilder().setChat(BOB).setHead(45).setDue(3).setPosition(42))
              .addChats(
                  ChatDue.newBuilder()
                      .setChat(GROUP)
                      .setGroup(true)
                      .setHead(9)
                      .setDue(1)
                      .setPosition(8))
              .setDone(true)
              .build()
              .toByteArray();
      case HISTORY_PAGE ->
          HistoryPage.newBuilder()
              .addEntries(pageEntry())
              .setMore(true)
              .setHead(45)
              .setFirst(12)
              .build()
              .toByteArray();
      case CHATS_PAGE ->
          ChatsPage.newBuilder()
              .addChats(
                  ChatItem.newBuilder()
                      .setChat(BOB)
                      .setGroup(false)
                      .setHead(45)
                      .setDelivered(44)
                      .setRead(40)
                      .setUnread(3)
                      .setLast(pageEntry())
                      .setLastCsn(17)
                      .setPeerDelivered(43)
                      .setPeerRead(42)
                      .setUnreadMentions(1)
                      .setPosition(44)
                      .setSettings(chatSetting())
                      .setTtlS(86_400))
              .addChats(
                  ChatItem.newBuilder()
                      .setChat(GROUP)
                      .setGroup(true)
                      .setHead(9)
                      .setTitle("Wanderung")
                      .setPicture("media/71")
                      .setRole(Role.ROLE_ADMIN)
                      .setAllDelivered(8)
                      .setAllRead(7)
                      .setMembers(3))
              .setNextPageToken(utf8("after-bob"))
              .build()
              .toByteArray();
      case CHAT_INFO_PAGE ->
          ChatInfoPage.newBuilder()
              .setUnchanged(true)
              .setMembersVersion(5)
              .addMembers(
                  Member.newBuilder()
                      .setUser(BOB)
                      .setRole(Role.ROLE_OWNER)
                      .setDelivered(43)
                      .setRead(42))
              .setTitle("Wanderung")
              .setHead(45)
              .setLastCsn(17)
              .setPosition(44)
              .setTtlS(86_400)
              .setPicture("media/71")
              .setDescription("Am Samstag")
              .setAdminOnlySend(true)
              .setAdminOnlyEdit(true)
              .setInvite(utf8("0123456789abcdef"))
              .setRole(Role.ROLE_ADMIN)
              .build()
              .toByteArray();
      case GROUP_CREATED ->
          GroupCreated.newBuilder().setMembersVersion(1).addRefused(BOB).build().toByteArray();
      case GROUP_EDITED ->
          GroupEdited.newBuilder().setMembersVersion(6).addRefused(BOB).build().toByteArray();
      case ENTRY_INFO_PAGE ->
          EntryInfoPage.newBuilder()
              .addMembers(
                  EntryInfoMember.newBuilder()
                      .setUser(BOB)
                      .setDeliveredAtMs(TS)
                      .setReadAtMs(TS + 1))
              .setNextPageToken(utf8("next"))
              .setTotal(99)
              .setDelivered(57)
              .setRead(12)
              .build()
              .toByteArray();
      case PRESENCE_PAGE, PRESENCE ->
          Presence.newBuilder()
              .addUsers(UserPresence.newBuilder().setUser(BOB).setOnline(true).setLastSeenMs(TS))
              .addUsers(UserPresence.newBuilder().setUser(ALICE).setLapsed(true))
              .build()
              .toByteArray();
      case SETTINGS_SET ->
          SettingsSet.newBuilder()
              .addAllSettings(settings().getSetList())
              .setNextPageToken(utf8("next"))
              .build()
              .toByteArray();
      case DEVICES -> Devices.getDefaultInstance().toByteArray();
      case DEVICE_REMOVE -> DeviceRemove.newBuilder().setDevice(2).build().toByteArray();
      case DEVICES_PAGE ->
          DevicesPage.newBuilder()
              .addDevices(
                  DeviceItem.newBuilder()
                      .setDevice(2)
                      .setCreatedMs(TS)
                      .setLastSeenMs(TS + 1)
                      .setOnline(true)
                      .setCurrent(true))
              .build()
              .toByteArray();
      case DEVICE_REMOVED -> DeviceRemoved.getDefaultInstance().toByteArray();
      case PUSH_REGISTERED -> PushRegistered.getDefaultInstance().toByteArray();
      case DELIVER -> deliver().toByteArray();
      case RECEIPT ->
          Receipt.newBuilder()
              .setMember(BOB)
              .setDelivered(45)
              .setRead(42)
              .setCount(
                  ReceiptCount.newBuilder().setSeq(45).setTotal(99).setDelivered(57).setRead(12))
              .build()
              .toByteArray();
      case TYPING_PUSH ->
          Typing.newBuilder().setOn(true).setMember(BOB).setRecording(true).build().toByteArray();
    };
  }

  private static ChatSetting chatSetting() {
    return ChatSetting.newBuilder()
        .setChat(BOB)
        .setMuteUntilMs(TS)
        .setPin(true)
        .setArchive(true)
        .build();
  }

  /// Every setting there is.
  static Settings settings() {
    return Settings.newBuilder()
        .addSet(Setting.newBuilder().setChat(chatSetting()))
        .addSet(
            Setting.newBuilder()
                .setStar(Star.newBuilder().setChat(GROUP).setGroup(true).setSeq(9).setOn(true)))
        .addSet(Setting.newBuilder().setHide(Hide.newBuilder().setChat(BOB).setSeq(41)))
        .addSet(Setting.newBuilder().setContact(Contact.newBuilder().setUser(BOB).setName("Bob")))
        .addSet(
            Setting.newBuilder()
                .setPrivacy(
                    Privacy.newBuilder()
                        .setLastSeen(Audience.AUDIENCE_CONTACTS)
                        .setOnline(Audience.AUDIENCE_NOBODY)
                        .setPhoto(Audience.AUDIENCE_EVERYONE)
                        .setGroups(Audience.AUDIENCE_CONTACTS_EXCEPT)
                        .addExcept(BOB)
                        .setHideReadReceipts(true)))
        .addSet(Setting.newBuilder().setBlock(Block.newBuilder().setUser(BOB).setOn(true)))
        .setPageToken(utf8("next"))
        .build();
  }

  /// One GROUP_EDIT of each change.
  static List<GroupEdit> groupEdits() {
    ByteString op = utf8("fedcba9876543210");
    return List.of(
        GroupEdit.newBuilder().setOpId(op).setAdd(Users.newBuilder().addUsers(BOB)).build(),
        GroupEdit.newBuilder().setOpId(op).setRemove(BOB).build(),
        GroupEdit.newBuilder().setOpId(op).setLeave(true).build(),
        GroupEdit.newBuilder()
            .setOpId(op)
            .setRole(RoleChange.newBuilder().setUser(BOB).setRole(Role.ROLE_ADMIN))
            .build(),
        GroupEdit.newBuilder().setOpId(op).setTitle("Wanderung").build(),
        GroupEdit.newBuilder().setOpId(op).setPicture("media/71").build(),
        GroupEdit.newBuilder().setOpId(op).setDescription("Am Samstag").build(),
        GroupEdit.newBuilder().setOpId(op).setAdminOnlySend(true).build(),
        GroupEdit.newBuilder().setOpId(op).setAdminOnlyEdit(true).build(),
        GroupEdit.newBuilder().setOpId(op).setInvite(true).build(),
        GroupEdit.newBuilder().setOpId(op).setJoin(utf8("0123456789abcdef")).build());
  }

  /// What a client sends, one of each kind.
  static List<Content> contents() {
    Content.Builder any = Content.newBuilder();
    return List.of(
        any.clone().setKind(Kind.KIND_TEXT).setBody(utf8("Hi Bob!")).build(),
        any.clone().setKind(Kind.KIND_BINARY).setBody(utf8("app")).build(),
        any.clone()
            .setKind(Kind.KIND_CONTACT)
            .setBody(
                ContactCard.newBuilder()
                    .setName("Bob")
                    .addPhones("+49 30 901820")
                    .setUser(BOB)
                    .build()
                    .toByteString())
            .build(),
        any.clone()
            .setKind(Kind.KIND_LOCATION)
            .setBody(
                Location.newBuilder()
                    .setLatitude(47.5)
                    .setLongitude(11.25)
                    .setAccuracyM(20)
                    .setName("Kochelsee")
                    .setAddress("82431 Kochel")
                    .build()
                    .toByteString())
            .build(),
        any.clone().setKind(Kind.KIND_EDIT).setTarget(40).setBody(utf8("Hi, Bob!")).build(),
        any.clone().setKind(Kind.KIND_REVOKE).setTarget(40).build(),
        any.clone().setKind(Kind.KIND_REACTION).setTarget(40).setBody(utf8("👍")).build(),
        any.clone().setKind(Kind.KIND_OPENED).setTarget(40).build(),
        any.clone().setKind(Kind.KIND_TIMER).setTtlS(86_400).build());
  }

  /// Bodies of KIND_GROUP, one of each change.
  static List<GroupEvent> groupEvents() {
    GroupEvent.Builder any = GroupEvent.newBuilder();
    return List.of(
        any.clone()
            .setCreated(
                GroupBirth.newBuilder()
                    .setTitle("Wanderung")
                    .addMembers(BOB)
                    .setDescription("Am Samstag")
                    .setPicture("media/71"))
            .build(),
        any.clone().setAdded(Users.newBuilder().addUsers(BOB)).build(),
        any.clone().setRemoved(BOB).build(),
        any.clone().setLeft(true).setNewOwner(BOB).build(),
        any.clone().setRole(RoleChange.newBuilder().setUser(BOB).setRole(Role.ROLE_OWNER)).build(),
        any.clone().setTitle("Wanderung").build(),
        any.clone().setPicture("media/71").build(),
        any.clone().setDescription("Am Samstag").build(),
        any.clone().setAdminOnlySend(true).build(),
        any.clone().setAdminOnlyEdit(false).build(),
        any.clone().setInvite(true).build(),
        any.clone().setJoined(true).build());
  }

  /// Body of KIND_REGISTERED.
  static RegisteredEvent registeredEvent() {
    return RegisteredEvent.newBuilder().setAtMs(1_764_000_000_123L).build();
  }

  /// What the other side of a direct chat gets: from their second device.
  static Deliver registered() {
    return Deliver.newBuilder()
        .setDevice(2)
        .setTsMs(1_764_000_000_130L)
        .setContent(
            Content.newBuilder()
                .setKind(Kind.KIND_REGISTERED)
                .setBody(registeredEvent().toByteString()))
        .build();
  }
}
