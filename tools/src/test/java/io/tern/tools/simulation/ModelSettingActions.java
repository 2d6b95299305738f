package io.tern.tools.simulation;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Audience;
import io.tern.protocol.v1.Block;
import io.tern.protocol.v1.ChatSetting;
import io.tern.protocol.v1.Contact;
import io.tern.protocol.v1.Hide;
import io.tern.protocol.v1.Privacy;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Star;
import io.tern.tools.simulation.ReferenceModel.Line;
import io.tern.tools.simulation.ReferenceModel.Room;
import java.util.List;
import java.util.Set;

/// What people of a [ModelRun] set.
final class ModelSettingActions {

  private final ModelRun run;

  ModelSettingActions(ModelRun run) {
    this.run = run;
  }

  private boolean set(ModelDevice device, Setting.Builder setting) {
    List<Setting> settings = List.of(setting.build());
    run.noteDelivered();
    run.story.add(device.id + " sets " + settings.getFirst().toString().replace('\n', ' '));
    var answer = new ModelAnswer();
    device.core().changes().set(settings, nothing -> answer.done(), answer::refused);
    device.endPass();
    run.await("SETTINGS is answered", () -> answer.came);
    run.expect(answer.code, run.model.set(device.id, settings, run.world.wallMillis()));
    return true;
  }

  boolean setChat() {
    ModelDevice device = run.anyOnline();
    Room room = device == null ? null : run.anyRoomOf(device.id.user());
    return device != null
        && room != null
        && set(
            device,
            Setting.newBuilder()
                .setChat(
                    ChatSetting.newBuilder()
                        .setChat(room.id.wireId(device.id.user()))
                        .setGroup(room.id.isGroup())
                        .setMuteUntilMs(run.random.nextBoolean() ? 0 : Long.MAX_VALUE)
                        .setPin(run.random.nextBoolean())
                        .setArchive(run.random.nextBoolean())));
  }

  boolean star(ModelDevice device, ChatId chat, Line line) {
    return set(
        device,
        Setting.newBuilder()
            .setStar(
                Star.newBuilder()
                    .setChat(chat.wireId(device.id.user()))
                    .setGroup(chat.isGroup())
                    .setSeq(line.seq)
                    .setOn(run.random.nextInt(4) > 0)));
  }

  boolean hide(ModelDevice device, ChatId chat, Line line) {
    return set(
        device,
        Setting.newBuilder()
            .setHide(
                Hide.newBuilder()
                    .setChat(chat.wireId(device.id.user()))
                    .setGroup(chat.isGroup())
                    .setSeq(line.seq)));
  }

  boolean block(boolean on) {
    ModelDevice device = run.anyOnline();
    if (device == null) {
      return false;
    }
    Set<Long> blocked = run.model.person(device.id.user()).blocks;
    UserId other = run.anyUser();
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

  boolean setPrivacy() {
    ModelDevice device = run.anyOnline();
    if (device == null) {
      return false;
    }
    Privacy.Builder privacy =
        Privacy.newBuilder()
            .setLastSeen(audience())
            .setOnline(audience())
            .setGroups(audience())
            .setHideReadReceipts(run.random.nextBoolean());
    if (run.random.nextBoolean()) {
      privacy.addExcept(run.anyUser().value());
    }
    return set(device, Setting.newBuilder().setPrivacy(privacy));
  }

  private Audience audience() {
    return run.random.nextInt(2) == 0
        ? Audience.AUDIENCE_UNSPECIFIED
        : Audience.forNumber(1 + run.random.nextInt(4));
  }

  boolean setContact() {
    ModelDevice device = run.anyOnline();
    if (device == null) {
      return false;
    }
    UserId other = run.anyUser();
    boolean is = run.model.person(device.id.user()).contacts.contains(other.value());
    Contact.Builder contact = Contact.newBuilder().setUser(other.value());
    if (is && run.random.nextInt(3) == 0) {
      contact.setRemoved(true);
    } else {
      contact.setName("n" + run.random.nextInt(9));
    }
    return !other.equals(device.id.user()) && set(device, Setting.newBuilder().setContact(contact));
  }
}
