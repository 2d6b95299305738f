package io.tern.edge.session;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.edge.metrics.Count;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.DeviceItem;
import io.tern.protocol.v1.DeviceRemove;
import io.tern.protocol.v1.Devices;
import io.tern.protocol.v1.DevicesPage;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.HistoryPage;
import io.tern.store.Command;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/// A user's devices: the list, removal, and where a new one begins.
class DevicesTest {

  private static final UserId ALICE = new UserId(1_001);
  private static final UserId BOB = new UserId(2_002);
  private static final ChatId CHAT = ChatId.direct(ALICE, BOB);

  private final Node node = new Node();

  private static FakeHost.Out remove(Node.Client by, int device) {
    return by.ask(FrameType.DEVICE_REMOVE, DeviceRemove.newBuilder().setDevice(device).build());
  }

  @Test
  void theListSaysWhoIsThereAndWhoAsks() {
    Node.Client phone = node.login(ALICE, 1);
    node.login(ALICE, 2).disconnect();
    List<DeviceItem> devices =
        phone
            .ask(FrameType.DEVICES, Devices.getDefaultInstance())
            .as(DevicesPage.getDefaultInstance())
            .getDevicesList();
    assertThat(devices).extracting(DeviceItem::getDevice).containsExactly(1, 2);
    assertThat(devices).extracting(DeviceItem::getOnline).containsExactly(true, false);
    assertThat(devices).extracting(DeviceItem::getCurrent).containsExactly(true, false);
    assertThat(devices).allMatch(device -> device.getCreatedMs() == node.wallMillis);
    assertThat(devices).allMatch(device -> device.getLastSeenMs() == node.wallMillis);
  }

  @Test
  void aBannedUsersSessionsEndAndNoneComesUntilThen() {
    Node.Client phone = node.login(ALICE, 1);
    Node.Client laptop = node.login(ALICE, 2);
    Node.Client bob = node.login(BOB, 1);
    node.run(new Command.Ban(ALICE, node.wallMillis + 60_000));
    assertThat(phone.finished).isEqualTo(CloseReason.BANNED);
    assertThat(laptop.finished).isEqualTo(CloseReason.BANNED);
    assertThat(laptop.out.getLast().error()).isEqualTo(ErrorCode.BANNED);
    assertThat(bob.session.isLive()).isTrue();

    var again = node.new Client(new DeviceId(ALICE, 1));
    again.hello();
    node.settle();
    assertThat(again.finished).isEqualTo(CloseReason.BANNED);
    node.run(new Command.Ban(ALICE, 0));
    assertThat(node.login(ALICE, 1).session.isLive()).isTrue();
  }

  @Test
  void anErasedUsersSessionsEndAndNoneComes() {
    Node.Client phone = node.login(ALICE, 1);
    Node.Client bob = node.login(BOB, 1);
    node.run(new Command.EraseUser(ALICE));
    assertThat(phone.finished).isEqualTo(CloseReason.REVOKED);
    assertThat(bob.session.isLive()).isTrue();
    var again = node.new Client(new DeviceId(ALICE, 3));
    again.hello();
    node.settle();
    assertThat(again.finished).isEqualTo(CloseReason.REVOKED);
  }

  @Test
  void aRemovedDevicesSessionEndsAndItCannotComeBack() {
    Node.Client phone = node.login(ALICE, 1);
    Node.Client laptop = node.login(ALICE, 2);
    assertThat(remove(phone, 2).type()).isEqualTo(FrameType.DEVICE_REMOVED);
    assertThat(laptop.finished).isEqualTo(CloseReason.REVOKED);
    assertThat(laptop.out.getLast().error()).isEqualTo(ErrorCode.REVOKED);
    assertThat(phone.session.isLive()).isTrue();

    var again = node.new Client(new DeviceId(ALICE, 2));
    again.hello();
    node.settle();
    assertThat(again.finished).isEqualTo(CloseReason.REVOKED);
    assertThat(remove(phone, 2).error()).isNotEqualTo(ErrorCode.INTERNAL);
  }

  /// It was looked at: that costs no commit.
  @Test
  void aDeviceThatHasBeenHereIsLetInWithoutTheShard() {
    node.login(ALICE, 1);
    assertThat(node.enrols).isEqualTo(1);

    assertThat(node.login(ALICE, 1).session.isLive()).isTrue();
    assertThat(node.enrols).isEqualTo(1);
    assertThat(node.login(ALICE, 2).session.isLive()).isTrue();
    assertThat(node.enrols).isEqualTo(2);
  }

  @Test
  void aReaderLooksOnlyForWhatIsNotInMemory() {
    node.login(ALICE, 1);
    long before = node.counters.get(Count.QUESTIONS);
    node.login(ALICE, 1);
    long warm = node.counters.get(Count.QUESTIONS) - before;

    node.allIsOnDisk = true;
    assertThat(node.login(ALICE, 1).session.isLive()).isTrue();

    assertThat(node.counters.get(Count.QUESTIONS) - before - warm).isEqualTo(warm + 1);
    assertThat(node.enrols).isEqualTo(1);
  }

  @Test
  void aDeviceRemovedBetweenTheLookAtItAndItsRouteEndsAtOnce() {
    Node.Client phone = node.login(ALICE, 1);
    node.login(ALICE, 2);
    node.beforeAttach =
        () -> {
          node.beforeAttach = () -> {};
          node.commit(new Command.Revoke(new DeviceId(ALICE, 2)));
        };

    var again = node.new Client(new DeviceId(ALICE, 2));
    again.hello();
    node.settle();

    assertThat(node.enrols).isEqualTo(2);
    assertThat(again.finished).isEqualTo(CloseReason.REVOKED);
    assertThat(phone.session.isLive()).isTrue();
  }

  @Test
  void aDeviceRemovedWhileTheDirectoryIsAwayEndsWithinASweep() {
    Node.Client phone = node.login(ALICE, 1);
    Node.Client laptop = node.login(ALICE, 2);
    Node.Client bob = node.login(BOB, 2);
    node.directoryAway = true;
    assertThat(remove(phone, 2).type()).isEqualTo(FrameType.DEVICE_REMOVED);

    node.pass(Duration.ofSeconds(1));

    assertThat(laptop.finished).isEqualTo(CloseReason.REVOKED);
    assertThat(laptop.out.getLast().error()).isEqualTo(ErrorCode.REVOKED);
    assertThat(phone.session.isLive()).isTrue();
    assertThat(bob.session.isLive()).isTrue();
    // It is refused for good, and nobody else comes in either.
    var again = node.new Client(new DeviceId(ALICE, 2));
    again.hello();
    var other = node.new Client(new DeviceId(ALICE, 3));
    other.hello();
    node.settle();
    assertThat(again.finished).isEqualTo(CloseReason.REVOKED);
    assertThat(other.finished).isEqualTo(CloseReason.BUSY);
    assertThat(other.out.getLast().error()).isEqualTo(ErrorCode.BUSY);

    node.directoryAway = false;
    assertThat(node.login(ALICE, 3).session.isLive()).isTrue();
  }

  @Test
  void aDeviceThatTheDirectoryHasForgottenEndsToo() {
    Node.Client phone = node.login(ALICE, 1);
    Node.Client laptop = node.login(ALICE, 2);
    var route = node.directory.lookup(List.of(ALICE)).getFirst().sessions().getLast();
    node.directory.detach(route, null);
    remove(phone, 2);

    node.pass(Duration.ofSeconds(1));

    assertThat(laptop.finished).isEqualTo(CloseReason.REVOKED);
  }

  @Test
  void oneselfOrWhatIsNoDeviceIsAnArgument() {
    Node.Client phone = node.login(ALICE, 1);
    assertThat(remove(phone, 1).error()).isEqualTo(ErrorCode.ARGUMENT);
    assertThat(remove(phone, 0).error()).isEqualTo(ErrorCode.ARGUMENT);
    assertThat(remove(phone, 7).error()).isEqualTo(ErrorCode.NOT_FOUND);
  }

  // ---- a new device ----------------------------------------------------------------------------

  @Test
  void aNewDeviceStartsFromThePresentAndPagesWhatWas() {
    Node.Client bob = node.login(BOB, 1);
    node.login(ALICE, 1);
    for (int i = 1; i <= 30; i++) {
      bob.text(CHAT, "text " + i);
    }
    Node.Client laptop = node.login(ALICE, 2);
    assertThat(laptop.take(FrameType.RESET))
        .filteredOn(reset -> reset.chat() == BOB.value())
        .singleElement()
        .matches(reset -> reset.seq() == 30);
    assertThat(laptop.take(FrameType.DELIVER)).isEmpty();
    assertThat(
            laptop
                .ask(FrameType.HISTORY, CHAT, History.newBuilder().setLimit(100).build())
                .as(HistoryPage.getDefaultInstance())
                .getEntriesCount())
        .isEqualTo(30);
    bob.text(CHAT, "for both");
    assertThat(laptop.take(FrameType.DELIVER))
        .singleElement()
        .matches(deliver -> deliver.seq() == 31);

    // The RESET has been acknowledged: nothing comes again.
    laptop.disconnect();
    Node.Client again = node.login(ALICE, 2);
    assertThat(again.take(FrameType.RESET)).isEmpty();
    assertThat(again.take(FrameType.DELIVER)).isEmpty();
  }

  @Test
  void aNewDeviceWhoseFirstSessionEndsEarlyStartsFromThePresentAllTheSame() {
    UserId carol = new UserId(3_003);
    Node.Client bob = node.login(BOB, 1);
    Node.Client other = node.login(carol, 1);
    node.login(ALICE, 1);
    bob.text(CHAT, "one");
    other.text(ChatId.direct(ALICE, carol), "one");
    node.pass(Duration.ofSeconds(1));
    var laptop = node.new Client(new DeviceId(ALICE, 2));
    laptop.acknowledges = false;
    laptop.hello();
    node.settle();
    assertThat(laptop.take(FrameType.RESET)).hasSize(2);
    laptop.disconnect();
    node.pass(Duration.ofSeconds(1));
    other.text(ChatId.direct(ALICE, carol), "two");

    Node.Client again = node.login(ALICE, 2);
    assertThat(again.take(FrameType.RESET))
        .extracting(FakeHost.Out::chat)
        .containsExactly(BOB.value());
    assertThat(again.take(FrameType.DELIVER))
        .as("something has come since")
        .extracting(FakeHost.Out::chat)
        .containsOnly(carol.value());
  }

  @Test
  void theFirstDeviceOfAUserGetsEverything() {
    Node.Client bob = node.login(BOB, 1);
    Node.Client alice = node.login(ALICE, 1);
    alice.acknowledges = false;
    bob.text(CHAT, "one");
    bob.text(CHAT, "two");
    alice.disconnect();
    Node.Client again = node.login(ALICE, 1);
    assertThat(again.take(FrameType.RESET)).isEmpty();
    assertThat(again.take(FrameType.DELIVER)).extracting(FakeHost.Out::seq).containsExactly(1L, 2L);
  }

  @Test
  void whatComesWhileANewDeviceLogsInIsPushed() {
    Node.Client bob = node.login(BOB, 1);
    node.login(ALICE, 1);
    for (int i = 1; i <= 5; i++) {
      bob.text(CHAT, "before");
    }
    var laptop = node.new Client(new DeviceId(ALICE, 2));
    laptop.hello();
    // Up to the answer of HELLO: the scan of the chat list waits.
    while (!laptop.session.isLive()) {
      node.partitions.forEach(Node.Partition::round);
      while (!node.tasks.isEmpty() && !laptop.session.isLive()) {
        node.tasks.poll().run();
      }
      if (!laptop.session.isLive() && !node.questions.isEmpty()) {
        node.questions.poll().run();
      }
    }
    var scan = List.copyOf(node.questions);
    node.questions.clear();
    bob.text(CHAT, "meanwhile");
    node.questions.addAll(scan);
    node.settle();

    assertThat(laptop.take(FrameType.RESET))
        .filteredOn(reset -> reset.chat() == BOB.value())
        .singleElement()
        .matches(reset -> reset.seq() == 5);
    assertThat(laptop.take(FrameType.DELIVER))
        .singleElement()
        .matches(deliver -> deliver.seq() == 6);
  }

  @Test
  void theAcknowledgementOfAResetIsFree() {
    var strict = new Node("limits.cheap.rate=1", "limits.cheap.burst=2");
    Node.Client bob = strict.login(BOB, 1);
    Node.Client alice = strict.login(ALICE, 1);
    for (int i = 0; i < 20; i++) {
      alice.text(ChatId.group(alice.create("g" + i).chat()), "text");
    }
    Node.Client laptop = strict.login(ALICE, 2);
    assertThat(laptop.take(FrameType.RESET)).hasSize(20);
    assertThat(laptop.session.isLive()).isTrue();
    assertThat(laptop.session.wantsInput(0, strict.now)).isTrue();
    assertThat(bob.session.isLive()).isTrue();
  }

  @Test
  void ownReadStateReachesOnesOtherDevices() {
    Node.Client bob = node.login(BOB, 1);
    Node.Client phone = node.login(ALICE, 1);
    Node.Client laptop = node.login(ALICE, 2);
    long seq = bob.text(CHAT, "one").seq();
    phone.tell(FrameType.READ, CHAT, seq);
    assertThat(laptop.take(FrameType.RECEIPT))
        .anyMatch(receipt ->
            receipt.as(io.tern.protocol.v1.Receipt.getDefaultInstance()).getMember()
                    == ALICE.value()
                && (receipt.flags() & FrameHeader.GROUP) == 0);
  }
}
