package io.tern.accounts;

import static io.tern.accounts.World.caller;
import static io.tern.accounts.World.ok;
import static io.tern.accounts.World.refused;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import java.time.Duration;
import org.junit.jupiter.api.Test;

/// Another device by QR code: only when both ends say yes, only for the account that read it.
class LinkingTest {

  private final World world = new World(9);
  private final Registered anna = world.register(World.number(14_141_414));
  private final Registered eve = world.register(World.number(15_151_515));
  private final Linking linking = world.accounts.linking();
  private final Linking.Opened opened = ok(linking.open("tablet", caller("192.0.2.9")));

  @Test
  void bothSayYesAndTheNewDeviceIsIn() {
    assertThat(ok(linking.status(opened.link(), opened.key())).state())
        .isEqualTo(Linking.State.OPEN);
    Linking.Claimed claimed = ok(linking.claim(anna.device(), opened.link(), opened.key()));
    assertThat(claimed.deviceName()).isEqualTo("tablet");
    Linking.Status status = ok(linking.status(opened.link(), opened.key()));
    assertThat(status.compare()).isEqualTo(claimed.compare()).hasSize(6);
    assertThat(status.accountName()).isEqualTo("Anna");
    ok(linking.confirm(anna.device(), opened.link(), true));
    Registered tablet = ok(linking.complete(opened.link(), opened.key()));
    assertThat(tablet.device().user()).isEqualTo(anna.device().user());
    assertThat(world.connects(tablet.device())).isTrue();
    assertThat(world.refreshes(tablet)).isTrue();
    assertThat(ok(world.accounts.devices().list(tablet.device()))).hasSize(2);
    // Once.
    refused(linking.complete(opened.link(), opened.key()), ErrorCode.NOT_ALLOWED, "link");
  }

  @Test
  void nothingHappensBeforeBothSayYes() {
    refused(linking.complete(opened.link(), opened.key()), ErrorCode.NOT_ALLOWED, "link");
    ok(linking.claim(anna.device(), opened.link(), opened.key()));
    refused(linking.complete(opened.link(), opened.key()), ErrorCode.NOT_ALLOWED, "link");
    ok(linking.confirm(anna.device(), opened.link(), false));
    refused(linking.complete(opened.link(), opened.key()), ErrorCode.NOT_ALLOWED, "link");
    refused(linking.confirm(anna.device(), opened.link(), true), ErrorCode.CONFLICT, "link");
  }

  @Test
  void itIsBoundToTheDeviceThatReadIt() {
    ok(linking.claim(anna.device(), opened.link(), opened.key()));
    refused(linking.claim(eve.device(), opened.link(), opened.key()), ErrorCode.CONFLICT, "link");
    refused(linking.confirm(eve.device(), opened.link(), true), ErrorCode.NOT_ALLOWED, "link");
  }

  @Test
  void theKeyIsAskedFor() {
    var wrong = new Secret("wrong");
    refused(linking.claim(eve.device(), opened.link(), wrong), ErrorCode.NOT_ALLOWED, "key");
    refused(linking.status(opened.link(), wrong), ErrorCode.NOT_ALLOWED, "link");
    refused(linking.status("nonsense", opened.key()), ErrorCode.NOT_ALLOWED, "link");
    ok(linking.claim(anna.device(), opened.link(), opened.key()));
    ok(linking.confirm(anna.device(), opened.link(), true));
    refused(linking.complete(opened.link(), wrong), ErrorCode.NOT_ALLOWED, "link");
  }

  @Test
  void aRevokedDeviceBringsNobodyIn() {
    ok(linking.claim(anna.device(), opened.link(), opened.key()));
    ok(linking.confirm(anna.device(), opened.link(), true));
    ok(world.accounts.devices().revoke(anna.device(), anna.device().index()));
    refused(linking.complete(opened.link(), opened.key()), ErrorCode.REVOKED, "");
  }

  @Test
  void itLastsFiveMinutes() {
    world.clock.pass(Duration.ofMinutes(5));
    refused(
        linking.claim(anna.device(), opened.link(), opened.key()), ErrorCode.NOT_ALLOWED, "link");
  }

  @Test
  void anAccountHasTenDevices() {
    for (int i = 1; i < Limits.DEVICES_PER_USER_MAX; i++) {
      link();
    }
    Linking.Opened more = ok(linking.open("one more", caller("192.0.2.9")));
    ok(linking.claim(anna.device(), more.link(), more.key()));
    ok(linking.confirm(anna.device(), more.link(), true));
    refused(linking.complete(more.link(), more.key()), ErrorCode.QUOTA, "device");
    ok(world.accounts.devices().revoke(anna.device(), 2));
    // The place is free; the index is not given again.
    assertThat(ok(linking.complete(more.link(), more.key())).device().index()).isEqualTo(11);
  }

  @Test
  void anAddressDoesNotOpenLinksWithoutEnd() {
    for (int i = 1; i < 100; i++) {
      ok(linking.open("tablet", caller("192.0.2.9")));
    }
    refused(linking.open("tablet", caller("192.0.2.9")), ErrorCode.RATE, "");
  }

  private void link() {
    Linking.Opened other = ok(linking.open("tablet", caller("192.0.2.9")));
    ok(linking.claim(anna.device(), other.link(), other.key()));
    ok(linking.confirm(anna.device(), other.link(), true));
    ok(linking.complete(other.link(), other.key()));
  }
}
