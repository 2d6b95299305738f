package io.tern.tools.simulation;

import com.google.protobuf.ByteString;
import io.tern.client.ClientListener;
import io.tern.client.Groups.Changed;
import io.tern.client.SendCallback;
import io.tern.client.TernException;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Audience;
import io.tern.protocol.v1.Block;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.ChatSetting;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.Contact;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Hide;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Privacy;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.RoleChange;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Star;
import io.tern.protocol.v1.Users;
import io.tern.store.LocalLog;
import io.tern.tools.simulation.ReferenceModel.Line;
import io.tern.tools.simulation.ReferenceModel.Room;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// One sequence: a few people with a few devices who do at random whatever the SDK lets them, each
/// thing after the other, against the real server logic without faults and delays. What each thing
/// was answered, and what everyone sees whenever it has become quiet, is what [ReferenceModel]
/// says.
final class ModelRun {

  static final int EDIT_SECONDS = 20;
  static final int REVOKE_SECONDS = 45;

  private static final int PEOPLE_MAX = 6;
  private static final int DEVICES_MAX = 3;
  private static final long ANSWER_MICROS_MAX = 60_000_000;

  /// Everything that may happen.
  enum Action {
    SEND(12),
    SEND_TO_GROUP(10),
    SEND_ANY_KIND(2),
    NOTE_TO_SELF(2),
    REPLY(3),
    MENTION(4),
    FORWARD(3),
    EDIT(5),
    REVOKE(5),
    REACT(6),
    UNREACT(2),
    SEND_VIEW_ONCE(3),
    OPEN(3),
    SEND_THAT_DISAPPEARS(3),
    SET_TIMER(2),
    PASS_TIME(4),
    READ(10),
    GO_OFFLINE(4),
    SEND_OFFLINE(4),
    GO_ONLINE(6),
    TO_BACKGROUND(3),
    TO_FRONT(3),
    RESTART(2),
    ADD_DEVICE(3),
    REMOVE_DEVICE(1),
    CREATE_GROUP(4),
    ADD_MEMBER(5),
    REMOVE_MEMBER(3),
    LEAVE(2),
    INVITE(3),
    JOIN(4),
    GIVE_ROLE(3),
    HAND_OVER(1),
    DESCRIBE(4),
    ADMINS_ONLY(2),
    SET_CHAT(3),
    STAR(2),
    HIDE(3),
    BLOCK(2),
    UNBLOCK(2),
    SET_PRIVACY(3),
    SET_CONTACT(3),
    WATCH(3),
    TYPE(2);

    private final int weight;

    Action(int weight) {
      this.weight = weight;
    }
  }

  private static final List<Action> CHOICES = new ArrayList<>();

  static {
    for (Action action : Action.values()) {
      for (int i = 0; i < action.weight; i++) {
        CHOICES.add(action);
      }
    }
  }

  private record Queued(ModelDevice device, ChatId chat, Content content) {}

  /// An answer, when it has come.
  private static final class Answer {
    boolean came;
    @Nullable ErrorCode code;
    long seq;
    long tsMillis;
    @Nullable Changed changed;

    void done() {
      came = true;
    }

    void done(Changed value) {
      changed = value;
      seq = value.seq();
      came = true;
    }

    void refused(TernException refusal) {
      code = refusal.code();
      came = true;
    }
  }

  final World world;
  final ReferenceModel model =
      new ReferenceModel(EDIT_SECONDS * 1_000L, REVOKE_SECONDS * 1_000L, 14L * 86_400_000);
  final List<ModelDevice> devices = new ArrayList<>();
  final Map<Action, Integer> done = new EnumMap<>(Action.class);
  final List<String> story = new ArrayList<>();
  private final Random random;
  private final SimServer server;
  private final List<UserId> users = new ArrayList<>();
  private final List<ChatId> groups = new ArrayList<>();
  private final List<Queued> queued = new ArrayList<>();
  private int bodies;

  ModelRun(long seed) {
    random = new Random(seed * 0x9E37_79B9_7F4A_7C15L);
    world = new CalmWorld(seed);
    server = SimServer.calm(world, LocalLog::new, EDIT_SECONDS, REVOKE_SECONDS);
  }

  void go() {
    server.start();
    int people = 2 + random.nextInt(PEOPLE_MAX - 1);
    for (int i = 0; i < people; i++) {
      var user = new UserId(101 + i);
      users.add(user);
      addDevice(user);
    }
    world.run(2_000_000);
    int steps = 10 + random.nextInt(40);
    int untilQuiet = 12;
    for (int i = 0; i < steps; i++) {
      step();
      if (--untilQuiet == 0) {
        quiet();
        untilQuiet = 6 + random.nextInt(15);
      }
    }
    quiet();
  }

  private void step() {
    for (int tries = 0; tries < 50; tries++) {
      Action action = CHOICES.get(random.nextInt(CHOICES.size()));
      int before = story.size();
      if (act(action)) {
        done.merge(action, 1, Integer::sum);
        if (story.size() == before) {
          story.add(action.name());
        }
        world.run(1_000);
        return;
      }
    }
  }

  // ---- at rest

  /// Lets everything come to rest and compares.
  private void quiet() {
    awaitUp();
    boolean someoneWatches = devices.stream().anyMatch(d -> !d.watchedUsers.isEmpty());
    // Acknowledgements, then the tick that counts them; offline comes five seconds late.
    world.run((someoneWatches ? 5_500_000 : 500_000) + CalmWorld.TICK_MICROS);
    while (somethingIsAboutToDisappear()) {
      world.run(2_000_000);
    }
    noteDelivered();
    story.add("-- quiet");
    new ModelComparison(this).compare();
  }

  private void awaitUp() {
    await(
        "everyone who is online is up and has no unanswered send",
        () ->
            devices.stream()
                .filter(ModelDevice::isOnline)
                .allMatch(d -> d.isUp() && d.core().pendingSends() == 0));
  }

  private boolean somethingIsAboutToDisappear() {
    long now = world.wallMillis();
    for (Room room : model.rooms.values()) {
      for (Line line : room.lines) {
        if (line.goneMillis > now - 6_000 && line.goneMillis < now + 4_000) {
          return true;
        }
      }
    }
    return false;
  }

  /// A device that is there has acknowledged all that its user sees.
  private void noteDelivered() {
    boolean someAreSlow = devices.stream().anyMatch(ModelDevice::isInBackground);
    world.run(someAreSlow ? 2_400_000 : 400_000);
    for (ModelDevice device : devices) {
      if (device.isOnline()) {
        for (Room room : model.rooms.values()) {
          model.delivered(device.id.user().value(), room.id, Long.MAX_VALUE);
        }
      }
    }
  }

  void await(String what, java.util.function.BooleanSupplier condition) {
    long until = world.micros() + ANSWER_MICROS_MAX;
    while (!condition.getAsBoolean()) {
      if (world.micros() > until) {
        throw new AssertionError("never: " + what);
      }
      world.run(world.micros() + 5_000_000 < until ? 1_000 : 50_000);
    }
  }

  // ---- what happens

  private boolean act(Action action) {
    return switch (action) {
      case SEND -> send(anyOnline(), text());
      case SEND_TO_GROUP -> sendToGroup(anyOnline(), text());
      case SEND_ANY_KIND ->
          send(anyOnline(), text().setKindValue(new int[] {2, 4, 5, 9}[random.nextInt(4)]));
      case NOTE_TO_SELF -> {
        ModelDevice device = anyOnline();
        yield device != null && send(device, self(device), text());
      }
      case REPLY -> about(line -> true, (d, c, line) -> send(d, c, text().setReplyTo(line.seq)));
      case MENTION -> mention();
      case FORWARD -> forward();
      case EDIT ->
          about(
              Line::isMessage,
              (d, c, line) -> send(d, c, event(Kind.KIND_EDIT, line).setBody(body())));
      case REVOKE ->
          about(Line::isMessage, (d, c, line) -> send(d, c, event(Kind.KIND_REVOKE, line)));
      case REACT ->
          about(
              line -> true,
              (d, c, line) ->
                  send(
                      d,
                      c,
                      event(Kind.KIND_REACTION, line)
                          .setBody(ByteString.copyFromUtf8(random.nextBoolean() ? "+" : "-"))));
      case UNREACT ->
          about(
              line -> !line.reactions.isEmpty(),
              (d, c, line) -> send(d, c, event(Kind.KIND_REACTION, line)));
      case SEND_VIEW_ONCE -> send(anyOnline(), text().setViewOnce(true));
      case OPEN ->
          about(
              line -> line.content.getViewOnce(),
              (d, c, line) -> send(d, c, event(Kind.KIND_OPENED, line)));
      case SEND_THAT_DISAPPEARS -> sendAnywhere(text().setTtlS(30));
      case SET_TIMER ->
          sendAnywhere(
              Content.newBuilder().setKind(Kind.KIND_TIMER).setTtlS(random.nextInt(3) * 25));
      case PASS_TIME -> {
        world.run((5 + random.nextInt(30)) * 1_000_000L);
        yield true;
      }
      case READ -> read();
      case GO_OFFLINE -> goOffline();
      case SEND_OFFLINE -> sendOffline();
      case GO_ONLINE -> goOnline();
      case TO_BACKGROUND ->
          become(
              ModelDevice::isInFront,
              random.nextBoolean()
                  ? ClientActivity.CLIENT_ACTIVITY_INACTIVE
                  : ClientActivity.CLIENT_ACTIVITY_PASSIVE);
      case TO_FRONT -> become(ModelDevice::isInBackground, ClientActivity.CLIENT_ACTIVITY_ACTIVE);
      case RESTART -> restart();
      case ADD_DEVICE -> addDevice(users.get(random.nextInt(users.size())));
      case REMOVE_DEVICE -> removeDevice();
      case CREATE_GROUP -> createGroup();
      case ADD_MEMBER -> {
        UserId user = anyUser();
        yield editGroup(GroupEdit.newBuilder().setAdd(Users.newBuilder().addUsers(user.value())));
      }
      case REMOVE_MEMBER -> {
        UserId user = anyUser();
        yield editGroup(GroupEdit.newBuilder().setRemove(user.value()));
      }
      case LEAVE -> editGroup(GroupEdit.newBuilder().setLeave(true));
      case INVITE -> editGroup(GroupEdit.newBuilder().setInvite(random.nextInt(4) > 0));
      case JOIN -> join();
      case GIVE_ROLE -> giveRole(random.nextBoolean() ? Role.ROLE_ADMIN : Role.ROLE_MEMBER);
      case HAND_OVER -> giveRole(Role.ROLE_OWNER);
      case DESCRIBE -> describe();
      case ADMINS_ONLY ->
          editGroup(
              random.nextBoolean()
                  ? GroupEdit.newBuilder().setAdminOnlySend(random.nextBoolean())
                  : GroupEdit.newBuilder().setAdminOnlyEdit(random.nextBoolean()));
      case SET_CHAT -> setChat();
      case STAR -> about(line -> true, this::star);
      case HIDE -> about(Line::isMessage, this::hide);
      case BLOCK -> block(true);
      case UNBLOCK -> block(false);
      case SET_PRIVACY -> setPrivacy();
      case SET_CONTACT -> setContact();
      case WATCH -> watch();
      case TYPE -> type();
    };
  }

  private interface About {
    boolean act(ModelDevice device, ChatId chat, Line line);
  }

  /// Does something about an entry that a device's user sees; a recent one more often.
  private boolean about(Predicate<Line> which, About what) {
    ModelDevice device = anyOnline();
    Room room = device == null ? null : anyRoomOf(device.id.user());
    if (device == null || room == null) {
      return false;
    }
    long user = device.id.user().value();
    for (int i = room.lines.size() - 1, tries = 0; i >= 0 && tries < 6; i--, tries++) {
      Line line = room.lines.get(i);
      if (which.test(line)
          && model.sees(room, user, line.seq)
          && random.nextInt(3) > 0
          && !isOnTheEdge(line)) {
        return what.act(device, room.id, line);
      }
    }
    return false;
  }

  /// Too close to a limit in time to say what the server will think.
  private boolean isOnTheEdge(Line line) {
    long now = world.wallMillis();
    long age = now - line.tsMillis;
    return Math.abs(age - EDIT_SECONDS * 1_000L) < 500
        || Math.abs(age - REVOKE_SECONDS * 1_000L) < 500
        || (line.goneMillis > now - 6_000 && line.goneMillis < now + 4_000);
  }

  private boolean send(@Nullable ModelDevice device, Content.Builder content) {
    if (device == null) {
      return false;
    }
    UserId peer = anyUser();
    if (peer.equals(device.id.user()) && content.getViewOnce()) {
      return false;
    }
    return send(device, ChatId.direct(device.id.user(), peer), content);
  }

  private boolean sendToGroup(@Nullable ModelDevice device, Content.Builder content) {
    return device != null
        && !groups.isEmpty()
        && send(device, groups.get(random.nextInt(groups.size())), content);
  }

  private boolean sendAnywhere(Content.Builder content) {
    ModelDevice device = anyOnline();
    return random.nextBoolean() ? send(device, content) : sendToGroup(device, content);
  }

  private boolean send(ModelDevice device, ChatId chat, Content.Builder builder) {
    Content content = builder.build();
    var answer = new Answer();
    device.send(chat, content, callback(answer));
    await("SEND is answered: " + content, () -> answer.came);
    took(device, chat, content, answer);
    return true;
  }

  private static SendCallback callback(Answer answer) {
    return new SendCallback() {
      @Override
      public void onSent(ChatId chat, long seq, long csn, long tsMillis, boolean repeat) {
        answer.seq = seq;
        answer.tsMillis = tsMillis;
        answer.done();
      }

      @Override
      public void onRefused(ChatId chat, TernException refusal) {
        answer.refused(refusal);
      }
    };
  }

  private void took(ModelDevice device, ChatId chat, Content content, Answer answer) {
    long now = answer.code == null ? answer.tsMillis : world.wallMillis();
    check(device, chat, content, answer, model.send(device.id, chat, content, now));
  }

  private boolean mention() {
    ModelDevice device = anyOnline();
    if (device == null || groups.isEmpty()) {
      return false;
    }
    Content.Builder content = text();
    for (UserId user : users) {
      if (random.nextInt(3) == 0) {
        content.addMentions(user.value());
      }
    }
    return send(device, groups.get(random.nextInt(groups.size())), content);
  }

  private boolean forward() {
    return about(
        line -> line.isMessage() && !line.isGone(world.wallMillis()),
        (device, from, line) ->
            send(
                device,
                Content.newBuilder()
                    .setKindValue(line.content.getKindValue())
                    .setBody(line.content.getBody())
                    .setForwarded(line.content.getForwarded() + 1)));
  }

  private boolean read() {
    ModelDevice device = anyOnline();
    Room room = device == null ? null : anyRoomOf(device.id.user());
    if (device == null || room == null) {
      return false;
    }
    long user = device.id.user().value();
    long seq = Math.max(1, room.headFor(user) - random.nextInt(3));
    story.add(device.id + " reads " + room.id + " up to " + seq);
    device.core().read(device.millis(), room.id, seq);
    device.endPass();
    world.run(10_000);
    model.read(user, room.id, seq);
    return true;
  }

  // ---- devices

  private boolean addDevice(UserId user) {
    int index = model.person(user).devices.size() + 1;
    long there = devices.stream().filter(d -> d.id.user().equals(user) && !d.removed).count();
    if (there >= DEVICES_MAX) {
      return false;
    }
    model.person(user).devices.add(index);
    var device = new ModelDevice(world, server, new DeviceId(user, index));
    story.add(device.id + " is new");
    if (index > 1) {
      for (Room room : model.rooms.values()) {
        device.start(room.id, room.headFor(user.value()));
      }
    }
    devices.add(device);
    awaitUp();
    return true;
  }

  private boolean removeDevice() {
    ModelDevice device = anyOnline();
    if (device == null) {
      return false;
    }
    for (ModelDevice other : devices) {
      if (other != device && other.id.user().equals(device.id.user()) && !other.removed) {
        noteDelivered();
        story.add(device.id + " removes " + other.id);
        var answer = new Answer();
        device
            .core()
            .changes()
            .removeDevice(other.id.index(), nothing -> answer.done(), answer::refused);
        device.endPass();
        await("DEVICE_REMOVE is answered", () -> answer.came);
        expect(answer.code, null);
        boolean wasOnline = other.isOnline();
        other.removed = true;
        queued.removeIf(each -> each.device == other);
        world.run(100_000);
        if (!wasOnline) {
          other.goOnline();
        }
        await("a removed device is refused: " + other.id, other::isRefused);
        return true;
      }
    }
    return false;
  }

  private boolean goOffline() {
    ModelDevice device = anyOnline();
    if (device == null) {
      return false;
    }
    noteDelivered();
    story.add(device.id + " goes offline");
    device.goOffline();
    return true;
  }

  private boolean become(Predicate<ModelDevice> which, ClientActivity activity) {
    ModelDevice device = any(which);
    if (device == null) {
      return false;
    }
    story.add(device.id + " becomes " + activity);
    device.setActivity(activity);
    return true;
  }

  private boolean sendOffline() {
    ModelDevice device = any(d -> !d.isOnline() && !d.removed);
    if (device == null) {
      return false;
    }
    ChatId chat =
        groups.isEmpty() || random.nextBoolean()
            ? ChatId.direct(device.id.user(), anyUser())
            : groups.get(random.nextInt(groups.size()));
    Content content = text().build();
    story.add(device.id + " sends offline to " + chat);
    queued.add(new Queued(device, chat, content));
    return true;
  }

  private boolean goOnline() {
    ModelDevice device = any(d -> !d.isOnline() && !d.removed);
    if (device == null) {
      return false;
    }
    story.add(device.id + " comes online");
    List<Queued> mine = queued.stream().filter(each -> each.device == device).toList();
    List<Answer> answers = new ArrayList<>();
    for (Queued each : mine) {
      var answer = new Answer();
      answers.add(answer);
      device.send(each.chat, each.content, callback(answer));
    }
    queued.removeAll(mine);
    device.goOnline();
    awaitUp();
    await("what was sent offline is answered", () -> answers.stream().allMatch(a -> a.came));
    for (int i = 0; i < mine.size(); i++) {
      took(device, mine.get(i).chat, mine.get(i).content, answers.get(i));
    }
    return true;
  }

  private boolean restart() {
    ModelDevice device = anyOnline();
    if (device == null) {
      return false;
    }
    noteDelivered();
    story.add(device.id + " restarts");
    device.restart();
    awaitUp();
    return true;
  }

  // ---- groups

  private boolean createGroup() {
    ModelDevice device = anyOnline();
    if (device == null || groups.size() >= 3) {
      return false;
    }
    GroupCreate.Builder create = GroupCreate.newBuilder().setTitle("g" + groups.size());
    List<Long> refused = new ArrayList<>();
    GroupBirth.Builder birth = GroupBirth.newBuilder().setTitle(create.getTitle());
    long me = device.id.user().value();
    for (UserId user : users) {
      if (user.value() != me && random.nextInt(4) > 0) {
        create.addMembers(user.value());
        if (model.mayAdd(me, user.value())) {
          birth.addMembers(user.value());
        } else {
          refused.add(user.value());
        }
      }
    }
    var answer = new Answer();
    device.core().changes().createGroup(create, answer::done, answer::refused);
    device.endPass();
    await("GROUP_CREATE is answered", () -> answer.came);
    story.add(device.id + " creates a group with " + create.getMembersList());
    if (birth.getMembersCount() == 0 && !refused.isEmpty()) {
      expect(answer.code, ErrorCode.NOT_ALLOWED);
      return true;
    }
    expect(answer.code, null);
    Changed changed = Objects.requireNonNull(answer.changed);
    groups.add(changed.group());
    model.create(device.id, changed.group(), birth.build(), world.wallMillis());
    expect(changed.seq(), 1L);
    expect(changed.refused().stream().map(UserId::value).sorted().toList(), refused);
    return true;
  }

  private boolean editGroup(GroupEdit.Builder edit) {
    ModelDevice device = anyOnline();
    if (device == null || groups.isEmpty()) {
      return false;
    }
    ChatId group = groups.get(random.nextInt(groups.size()));
    Room room = room(group);
    // Who may is more interesting than who may not.
    if (random.nextInt(3) > 0 && !room.isAdmin(device.id.user().value())) {
      return false;
    }
    return editGroup(device, group, edit);
  }

  private boolean editGroup(ModelDevice device, ChatId group, GroupEdit.Builder edit) {
    long user = device.id.user().value();
    Room room = room(group);
    if (edit.getRemove() == user || edit.getRole().getUser() == user) {
      return false;
    }
    // For whoever leaves, and the marks of who stays.
    noteDelivered();
    story.add(device.id + " edits " + group + ": " + edit.build().toString().replace('\n', ' '));
    var answer = new Answer();
    device.core().changes().editGroup(group, edit.clone(), answer::done, answer::refused);
    device.endPass();
    await("GROUP_EDIT is answered", () -> answer.came);
    ByteString invite = ByteString.EMPTY;
    if (answer.code == null && edit.getInvite()) {
      invite = inviteOf(device, group);
    }
    ErrorCode expected = model.edit(device.id, group, edit.build(), invite, world.wallMillis());
    expect(answer.code, expected);
    if (expected == null) {
      expect(answer.seq, room.head());
    }
    return true;
  }

  private ByteString inviteOf(ModelDevice device, ChatId group) {
    var info = new ChatInfoPage[1];
    device
        .core()
        .queries()
        .chatInfo(
            group,
            0,
            page -> info[0] = page,
            refusal -> {
              throw new AssertionError(refusal);
            });
    device.endPass();
    await("CHAT_INFO is answered", () -> info[0] != null);
    return info[0].getInvite();
  }

  private boolean join() {
    ModelDevice device = anyOnline();
    if (device == null || groups.isEmpty()) {
      return false;
    }
    ChatId group = groups.get(random.nextInt(groups.size()));
    Room room = room(group);
    if (room.invite.isEmpty() && random.nextInt(4) > 0) {
      return false;
    }
    // Also one that is void.
    ByteString token =
        room.invite.isEmpty() || random.nextInt(5) == 0
            ? ByteString.copyFromUtf8("0123456789abcdef")
            : room.invite;
    return editGroup(device, group, GroupEdit.newBuilder().setJoin(token));
  }

  private boolean giveRole(Role role) {
    return editGroup(
        GroupEdit.newBuilder()
            .setRole(RoleChange.newBuilder().setUser(anyUser().value()).setRole(role)));
  }

  private boolean describe() {
    String text = "t" + random.nextInt(5);
    return editGroup(
        switch (random.nextInt(3)) {
          case 0 -> GroupEdit.newBuilder().setTitle(text);
          case 1 -> GroupEdit.newBuilder().setPicture(text);
          default -> GroupEdit.newBuilder().setDescription(text);
        });
  }

  // ---- settings

  private boolean set(ModelDevice device, Setting.Builder setting) {
    List<Setting> settings = List.of(setting.build());
    noteDelivered();
    story.add(device.id + " sets " + settings.getFirst().toString().replace('\n', ' '));
    var answer = new Answer();
    device.core().changes().set(settings, nothing -> answer.done(), answer::refused);
    device.endPass();
    await("SETTINGS is answered", () -> answer.came);
    expect(answer.code, model.set(device.id, settings, world.wallMillis()));
    return true;
  }

  private boolean setChat() {
    ModelDevice device = anyOnline();
    Room room = device == null ? null : anyRoomOf(device.id.user());
    return device != null
        && room != null
        && set(
            device,
            Setting.newBuilder()
                .setChat(
                    ChatSetting.newBuilder()
                        .setChat(room.id.wireId(device.id.user()))
                        .setGroup(room.id.isGroup())
                        .setMuteUntilMs(random.nextBoolean() ? 0 : Long.MAX_VALUE)
                        .setPin(random.nextBoolean())
                        .setArchive(random.nextBoolean())));
  }

  private boolean star(ModelDevice device, ChatId chat, Line line) {
    return set(
        device,
        Setting.newBuilder()
            .setStar(
                Star.newBuilder()
                    .setChat(chat.wireId(device.id.user()))
                    .setGroup(chat.isGroup())
                    .setSeq(line.seq)
                    .setOn(random.nextInt(4) > 0)));
  }

  private boolean hide(ModelDevice device, ChatId chat, Line line) {
    return set(
        device,
        Setting.newBuilder()
            .setHide(
                Hide.newBuilder()
                    .setChat(chat.wireId(device.id.user()))
                    .setGroup(chat.isGroup())
                    .setSeq(line.seq)));
  }

  private boolean block(boolean on) {
    ModelDevice device = anyOnline();
    if (device == null) {
      return false;
    }
    Set<Long> blocked = model.person(device.id.user()).blocks;
    UserId other = anyUser();
    if (!on && !blocked.isEmpty()) {
      other = new UserId(blocked.iterator().next());
    }
    boolean is = blocked.contains(other.value());
    return !other.equals(device.id.user())
        && is != on
        && set(
            device,
            Setting.newBuilder().setBlock(Block.newBuilder().setUser(other.value()).setOn(on)));
  }

  private boolean setPrivacy() {
    ModelDevice device = anyOnline();
    if (device == null) {
      return false;
    }
    Privacy.Builder privacy =
        Privacy.newBuilder()
            .setLastSeen(audience())
            .setOnline(audience())
            .setGroups(audience())
            .setHideReadReceipts(random.nextBoolean());
    if (random.nextBoolean()) {
      privacy.addExcept(anyUser().value());
    }
    return set(device, Setting.newBuilder().setPrivacy(privacy));
  }

  private Audience audience() {
    return random.nextInt(2) == 0
        ? Audience.AUDIENCE_UNSPECIFIED
        : Audience.forNumber(1 + random.nextInt(4));
  }

  private boolean setContact() {
    ModelDevice device = anyOnline();
    if (device == null) {
      return false;
    }
    UserId other = anyUser();
    boolean is = model.person(device.id.user()).contacts.contains(other.value());
    Contact.Builder contact = Contact.newBuilder().setUser(other.value());
    if (is && random.nextInt(3) == 0) {
      contact.setRemoved(true);
    } else {
      contact.setName("n" + random.nextInt(9));
    }
    return !other.equals(device.id.user()) && set(device, Setting.newBuilder().setContact(contact));
  }

  // ---- presence

  private boolean watch() {
    ModelDevice device = anyOnline();
    if (device == null) {
      return false;
    }
    device.watchedUsers.clear();
    device.watchedGroups.clear();
    device.present.clear();
    for (UserId user : users) {
      if (!user.equals(device.id.user()) && random.nextBoolean()) {
        device.watchedUsers.add(user);
      }
    }
    for (ChatId group : groups) {
      if (random.nextBoolean()) {
        device.watchedGroups.add(group);
      }
    }
    story.add(device.id + " watches " + device.watchedUsers + " " + device.watchedGroups);
    device
        .core()
        .watching()
        .watch(
            device.millis(), List.copyOf(device.watchedUsers), List.copyOf(device.watchedGroups));
    device.endPass();
    world.run(50_000);
    return true;
  }

  private boolean type() {
    ModelDevice device = anyOnline();
    Room room = device == null ? null : anyRoomOf(device.id.user());
    if (device == null || room == null || room.id.isSelf()) {
      return false;
    }
    awaitUp();
    // Who watches has heard of changes of privacy and has asked again.
    world.run(6_000_000);
    devices.forEach(d -> d.typing.clear());
    device.core().watching().typing(room.id, ClientListener.Typing.TEXT);
    device.endPass();
    world.run(50_000);
    long me = device.id.user().value();
    story.add(device.id + " types in " + room.id);
    for (ModelDevice other : devices) {
      if (other.id.user().equals(device.id.user())) {
        continue;
      }
      boolean watches =
          room.id.isGroup()
              ? other.watchedGroups.contains(room.id)
                  && room.in(other.id.user().value()) != null
                  && room.in(me) != null
              : other.watchedUsers.contains(device.id.user())
                  && room.parts.containsKey(other.id.user().value())
                  && model.mayTalk(me, other.id.user().value());
      expect(
          other.id + " is told of typing: " + other.typing,
          other.typing.isEmpty(),
          !(watches && other.isOnline() && device.isInFront()));
    }
    return true;
  }

  // ---- choices

  private Content.Builder text() {
    return Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(body());
  }

  private ByteString body() {
    return ByteString.copyFromUtf8("m" + bodies++);
  }

  private static Content.Builder event(Kind kind, Line target) {
    return Content.newBuilder().setKind(kind).setTarget(target.seq);
  }

  private static ChatId self(ModelDevice device) {
    return ChatId.direct(device.id.user(), device.id.user());
  }

  private UserId anyUser() {
    return users.get(random.nextInt(users.size()));
  }

  private @Nullable ModelDevice anyOnline() {
    return any(ModelDevice::isOnline);
  }

  private @Nullable ModelDevice any(Predicate<ModelDevice> which) {
    List<ModelDevice> those = devices.stream().filter(which).toList();
    return those.isEmpty() ? null : those.get(random.nextInt(those.size()));
  }

  /// A chat that the user is in, or was.
  private @Nullable Room anyRoomOf(UserId user) {
    List<Room> theirs =
        model.rooms.values().stream().filter(r -> r.parts.containsKey(user.value())).toList();
    return theirs.isEmpty() ? null : theirs.get(random.nextInt(theirs.size()));
  }

  private Room room(ChatId chat) {
    return Objects.requireNonNull(model.rooms.get(chat));
  }

  // ---- what is checked

  private void check(
      ModelDevice device,
      ChatId chat,
      Content content,
      Answer answer,
      @Nullable ErrorCode expected) {
    story.add(
        device.id
            + " to "
            + chat
            + ": "
            + content.toString().replace('\n', ' ')
            + "-> "
            + (answer.code == null ? answer.seq : answer.code));
    expect(answer.code, expected);
    if (expected == null) {
      expect(answer.seq, room(chat).head());
    }
  }

  void expect(@Nullable Object is, @Nullable Object expected) {
    expect("the last answer", is, expected);
  }

  void expect(String what, @Nullable Object is, @Nullable Object expected) {
    if (!java.util.Objects.equals(is, expected)) {
      throw new AssertionError(what + " is\n  " + is + "\nand should be\n  " + expected);
    }
  }
}
