package io.tern.store;

import static io.tern.store.ShardNode.ALICE;
import static io.tern.store.ShardNode.ALICE_1;
import static io.tern.store.ShardNode.ALICE_2;
import static io.tern.store.ShardNode.BOB_1;
import static io.tern.store.ShardNode.refused;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.store.Reads.DeviceInfo;
import org.junit.jupiter.api.Test;

/// A user's devices: new ones, removed ones, when they were last there.
class DevicesTest {

  private final ShardNode node = new ShardNode();

  private Outcome enrol(DeviceId device) {
    return node.run(new Command.Enrol(device));
  }

  @Test
  void aNewDeviceOfAnExistingUserIsToldApart() {
    assertThat(enrol(ALICE_1)).isEqualTo(new Outcome.Enrolled(true, false));
    assertThat(enrol(ALICE_2)).isEqualTo(new Outcome.Enrolled(true, true));
    assertThat(enrol(ALICE_2)).isEqualTo(new Outcome.Enrolled(false, true));
  }

  @Test
  void twoNewDevicesInOneBatchMakeOneUser() {
    assertThat(node.prepare(new Command.Enrol(ALICE_1)))
        .isEqualTo(new Outcome.Enrolled(true, false));
    assertThat(node.prepare(new Command.Enrol(ALICE_2)))
        .isEqualTo(new Outcome.Enrolled(true, true));
    node.shard.commit();

    assertThat(Reads.devices(node.storage, ALICE)).hasSize(2);
  }

  @Test
  void aDeviceThatWasThereBeforeCostsNoSync() {
    enrol(ALICE_1);
    node.storage.restart();

    assertThat(node.run(new Command.Enrol(ALICE_1))).isEqualTo(new Outcome.Enrolled(false, true));
    assertThat(node.prepare(new Command.Enrol(ALICE_1))).isNotNull();
    assertThat(node.shard.commit()).isZero();
  }

  @Test
  void aRemovedDeviceDoesNotComeBack() {
    enrol(ALICE_1);
    enrol(ALICE_2);

    assertThat(node.run(new Command.RemoveDevice(ALICE_1, 2)))
        .isEqualTo(new Outcome.DeviceRemoved(ALICE_2));

    assertThat(node.storage.unsyncedBatches()).isZero();
    refused(enrol(ALICE_2), ErrorCode.REVOKED);
    node.restart();
    refused(enrol(ALICE_2), ErrorCode.REVOKED);
    assertThat(Reads.deviceExists(node.storage, ALICE_2)).isFalse();
    assertThat(Reads.devices(node.storage, ALICE)).extracting(DeviceInfo::index).containsExactly(1);
    assertThat(node.run(new Command.RemoveDevice(ALICE_1, 2)))
        .isEqualTo(new Outcome.DeviceRemoved(ALICE_2));
  }

  @Test
  void onlyAnotherDeviceThatIsThereCanBeRemoved() {
    enrol(ALICE_1);
    refused(node.run(new Command.RemoveDevice(ALICE_1, 1)), ErrorCode.ARGUMENT);
    refused(node.run(new Command.RemoveDevice(ALICE_1, 0)), ErrorCode.ARGUMENT);
    refused(node.run(new Command.RemoveDevice(ALICE_1, 2)), ErrorCode.NOT_FOUND);
  }

  @Test
  void aRemovedDeviceMakesRoomForAnother() {
    for (int index = 1; index <= Limits.DEVICES_PER_USER_MAX; index++) {
      enrol(new DeviceId(ALICE, index));
    }
    refused(enrol(new DeviceId(ALICE, 11)), ErrorCode.QUOTA);

    node.prepare(new Command.RemoveDevice(ALICE_1, 5));
    assertThat(node.prepare(new Command.Enrol(new DeviceId(ALICE, 11))))
        .isEqualTo(new Outcome.Enrolled(true, true));
    node.shard.commit();
    refused(enrol(new DeviceId(ALICE, 12)), ErrorCode.QUOTA);
  }

  @Test
  void whenADeviceWasLastThereIsKeptWithoutASync() {
    enrol(ALICE_1);
    long created = node.now;
    node.run(new Command.Seen(ALICE_1, created + 500));
    node.run(new Command.Seen(ALICE_1, created + 400));

    assertThat(Reads.devices(node.storage, ALICE))
        .containsExactly(new DeviceInfo(1, created, created + 500));
    assertThat(Reads.lastSeen(node.storage, ALICE)).isEqualTo(created + 500);
    assertThat(node.storage.unsyncedBatches()).isEqualTo(1);
    assertThat(node.run(new Command.Seen(ALICE_1, 0))).as("connected").isEqualTo(Outcome.Done.DONE);
    assertThat(Reads.lastSeen(node.storage, ALICE)).isEqualTo(created + 500);
    assertThat(node.run(new Command.Seen(BOB_1, 5))).isEqualTo(Outcome.Done.DONE);
    assertThat(Reads.userExists(node.storage, BOB_1.user())).isFalse();
    assertThat(Reads.lastSeen(node.storage, BOB_1.user())).isZero();
  }
}
