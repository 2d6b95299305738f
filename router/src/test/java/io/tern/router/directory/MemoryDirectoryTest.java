package io.tern.router.directory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.router.Directory;
import io.tern.router.Directory.News;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class MemoryDirectoryTest extends DirectoryContract {

  @Override
  Directory create(int chatsPerDeviceMax, int usersMax) {
    return new MemoryDirectory(
        new MemoryDirectory.Config(chatsPerDeviceMax, usersMax, 1_000_000), 1);
  }

  @Test
  void newsOfAllDevicesTogetherAreBounded() {
    directory = new MemoryDirectory(new MemoryDirectory.Config(16, 64, 4), 1);
    var a = new DeviceId(new UserId(1), 1);
    var b = new DeviceId(new UserId(2), 1);
    directory.detach(attach(a, EDGE, 1).now(), Set.of());
    directory.detach(attach(b, EDGE, 2).now(), Set.of());
    for (int i = 1; i <= 2; i++) {
      directory.addNews(
          List.of(new News(a.user(), ChatId.group(i)), new News(b.user(), ChatId.group(i))));
    }
    directory.addNews(List.of(new News(b.user(), ChatId.group(3))));

    assertThat(attach(a, EDGE, 3).news()).isNull();
    assertThat(attach(b, EDGE, 4).news()).hasSize(3);
  }

  @Test
  void nothingIsKeptOfUsersThatAreGoneForGood() {
    var memory = new MemoryDirectory(MemoryDirectory.Config.DEFAULT, 1);
    directory = memory;
    for (int i = 1; i <= 100; i++) {
      directory.detach(attach(new DeviceId(new UserId(i), 1), EDGE, i).now(), null);
    }

    assertThat(memory.users()).isZero();
  }

  @Test
  void usersAreCountedByWhetherTheyAreConnectedAndActiveNotByTheirSessions() {
    var memory = new MemoryDirectory(MemoryDirectory.Config.DEFAULT, 1);
    var phone = new DeviceId(new UserId(1), 1);
    var tablet = new DeviceId(new UserId(1), 2);
    var other = new DeviceId(new UserId(2), 1);
    var first = memory.attach(phone, EDGE, 1, true).join().now();
    var second = memory.attach(tablet, EDGE, 2, false).join().now();
    var third = memory.attach(other, EDGE, 3, false).join().now();
    assertCounts(memory, 2, 1);

    // A session takes over, in the background; the tablet comes to the front; all twice.
    var takeover = memory.attach(phone, EDGE, 4, false).join().now();
    assertCounts(memory, 2, 0);
    memory.detach(first, Set.of());
    memory.setActive(second, true);
    memory.setActive(second, true);
    assertCounts(memory, 2, 1);
    memory.setActive(takeover, true);
    memory.setActive(second, false);
    assertCounts(memory, 2, 1);

    memory.addNews(List.of(new News(other.user(), ChatId.group(1))));
    memory.detach(takeover, Set.of());
    assertCounts(memory, 2, 0);
    memory.detach(second, Set.of());
    memory.detach(second, null);
    assertCounts(memory, 1, 0);
    memory.detach(third, null);
    assertCounts(memory, 0, 0);
  }

  private static void assertCounts(MemoryDirectory memory, int connected, int active) {
    assertThat(memory.connected()).isEqualTo(connected);
    assertThat(memory.active()).isEqualTo(active);
  }

  @Test
  void epochsBeginWhereTheyAreTold() {
    directory = new MemoryDirectory(MemoryDirectory.Config.DEFAULT, 500);

    assertThat(attach(PHONE, EDGE, 1).now().epoch()).isEqualTo(500);
  }

  @Test
  void aBoundBelowOneIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new MemoryDirectory.Config(0, 1, 1))
        .withMessageContaining("chatsPerDeviceMax");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new MemoryDirectory.Config(1, 0, 1))
        .withMessageContaining("usersMax");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> new MemoryDirectory.Config(1, 1, 0))
        .withMessageContaining("chatsMax");
  }
}
