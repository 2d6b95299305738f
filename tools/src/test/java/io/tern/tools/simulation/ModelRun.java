package io.tern.tools.simulation;

import static io.tern.tools.simulation.ModelMessageActions.event;
import static io.tern.tools.simulation.ModelMessageActions.self;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Role;
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
    REGISTER_ANEW(2),
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

  final World world;
  final ReferenceModel model =
      new ReferenceModel(EDIT_SECONDS * 1_000L, REVOKE_SECONDS * 1_000L, 14L * 86_400_000);
  final List<ModelDevice> devices = new ArrayList<>();
  final Map<Action, Integer> done = new EnumMap<>(Action.class);
  final List<String> story = new ArrayList<>();
  final Random random;
  final SimServer server;
  final List<UserId> users = new ArrayList<>();
  final List<ChatId> groups = new ArrayList<>();

  private final ModelMessageActions messages = new ModelMessageActions(this);
  private final ModelDeviceActions comings = new ModelDeviceActions(this, messages);
  private final ModelGroupActions groupChanges = new ModelGroupActions(this);
  private final ModelSettingActions settings = new ModelSettingActions(this);
  private final ModelWatchActions watching = new ModelWatchActions(this);

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
      comings.addDevice(user);
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

  void awaitUp() {
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
  void noteDelivered() {
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

  private boolean act(Action action) {
    return switch (action) {
      case SEND -> messages.send(anyOnline(), messages.text());
      case SEND_TO_GROUP -> messages.sendToGroup(anyOnline(), messages.text());
      case SEND_ANY_KIND ->
          messages.send(
              anyOnline(), messages.text().setKindValue(new int[] {2, 4, 5, 9}[random.nextInt(4)]));
      case NOTE_TO_SELF -> {
        ModelDevice device = anyOnline();
        yield device != null && messages.send(device, self(device), messages.text());
      }
      case REPLY ->
          messages.about(
              line -> true,
              (d, c, line) -> messages.send(d, c, messages.text().setReplyTo(line.seq)));
      case MENTION -> messages.mention();
      case FORWARD -> messages.forward();
      case EDIT ->
          messages.about(
              Line::isMessage,
              (d, c, line) ->
                  messages.send(d, c, event(Kind.KIND_EDIT, line).setBody(messages.body())));
      case REVOKE ->
          messages.about(
              Line::isMessage, (d, c, line) -> messages.send(d, c, event(Kind.KIND_REVOKE, line)));
      case REACT ->
          messages.about(
              line -> true,
              (d, c, line) ->
                  messages.send(
                      d,
                      c,
                      event(Kind.KIND_REACTION, line)
                          .setBody(ByteString.copyFromUtf8(random.nextBoolean() ? "+" : "-"))));
      case UNREACT ->
          messages.about(
              line -> !line.reactions.isEmpty(),
              (d, c, line) -> messages.send(d, c, event(Kind.KIND_REACTION, line)));
      case SEND_VIEW_ONCE -> messages.send(anyOnline(), messages.text().setViewOnce(true));
      case OPEN ->
          messages.about(
              line -> line.content.getViewOnce(),
              (d, c, line) -> messages.send(d, c, event(Kind.KIND_OPENED, line)));
      case SEND_THAT_DISAPPEARS -> messages.sendAnywhere(messages.text().setTtlS(30));
      case SET_TIMER ->
          messages.sendAnywhere(
              Content.newBuilder().setKind(Kind.KIND_TIMER).setTtlS(random.nextInt(3) * 25));
      case PASS_TIME -> {
        world.run((5 + random.nextInt(30)) * 1_000_000L);
        yield true;
      }
      case READ -> messages.read();
      case GO_OFFLINE -> comings.goOffline();
      case SEND_OFFLINE -> comings.sendOffline();
      case GO_ONLINE -> comings.goOnline();
      case TO_BACKGROUND ->
          comings.become(
              ModelDevice::isInFront,
              random.nextBoolean()
                  ? ClientActivity.CLIENT_ACTIVITY_INACTIVE
                  : ClientActivity.CLIENT_ACTIVITY_PASSIVE);
      case TO_FRONT ->
          comings.become(ModelDevice::isInBackground, ClientActivity.CLIENT_ACTIVITY_ACTIVE);
      case RESTART -> comings.restart();
      case ADD_DEVICE -> comings.addDevice(users.get(random.nextInt(users.size())));
      case REMOVE_DEVICE -> comings.removeDevice();
      case REGISTER_ANEW -> comings.registerAnew();
      case CREATE_GROUP -> groupChanges.createGroup();
      case ADD_MEMBER -> {
        UserId user = anyUser();
        yield groupChanges.editGroup(
            GroupEdit.newBuilder().setAdd(Users.newBuilder().addUsers(user.value())));
      }
      case REMOVE_MEMBER -> {
        UserId user = anyUser();
        yield groupChanges.editGroup(GroupEdit.newBuilder().setRemove(user.value()));
      }
      case LEAVE -> groupChanges.editGroup(GroupEdit.newBuilder().setLeave(true));
      case INVITE ->
          groupChanges.editGroup(GroupEdit.newBuilder().setInvite(random.nextInt(4) > 0));
      case JOIN -> groupChanges.join();
      case GIVE_ROLE ->
          groupChanges.giveRole(random.nextBoolean() ? Role.ROLE_ADMIN : Role.ROLE_MEMBER);
      case HAND_OVER -> groupChanges.giveRole(Role.ROLE_OWNER);
      case DESCRIBE -> groupChanges.describe();
      case ADMINS_ONLY ->
          groupChanges.editGroup(
              random.nextBoolean()
                  ? GroupEdit.newBuilder().setAdminOnlySend(random.nextBoolean())
                  : GroupEdit.newBuilder().setAdminOnlyEdit(random.nextBoolean()));
      case SET_CHAT -> settings.setChat();
      case STAR -> messages.about(line -> true, settings::star);
      case HIDE -> messages.about(Line::isMessage, settings::hide);
      case BLOCK -> settings.block(true);
      case UNBLOCK -> settings.block(false);
      case SET_PRIVACY -> settings.setPrivacy();
      case SET_CONTACT -> settings.setContact();
      case WATCH -> watching.watch();
      case TYPE -> watching.type();
    };
  }

  UserId anyUser() {
    return users.get(random.nextInt(users.size()));
  }

  @Nullable ModelDevice anyOnline() {
    return any(ModelDevice::isOnline);
  }

  @Nullable ModelDevice any(Predicate<ModelDevice> which) {
    List<ModelDevice> those = devices.stream().filter(which).toList();
    return those.isEmpty() ? null : those.get(random.nextInt(those.size()));
  }

  /// A chat that the user is in, or was.
  @Nullable Room anyRoomOf(UserId user) {
    List<Room> theirs =
        model.rooms.values().stream().filter(r -> r.parts.containsKey(user.value())).toList();
    return theirs.isEmpty() ? null : theirs.get(random.nextInt(theirs.size()));
  }

  Room room(ChatId chat) {
    return Objects.requireNonNull(model.rooms.get(chat));
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
