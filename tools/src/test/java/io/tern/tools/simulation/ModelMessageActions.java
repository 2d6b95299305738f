package io.tern.tools.simulation;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.tools.simulation.ReferenceModel.Line;
import io.tern.tools.simulation.ReferenceModel.Room;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/// What people of a [ModelRun] write, and do about what was written.
final class ModelMessageActions {

  interface About {
    boolean act(ModelDevice device, ChatId chat, Line line);
  }

  private final ModelRun run;
  private int bodies;

  ModelMessageActions(ModelRun run) {
    this.run = run;
  }

  boolean send(@Nullable ModelDevice device, Content.Builder content) {
    if (device == null) {
      return false;
    }
    UserId peer = run.anyUser();
    if (peer.equals(device.id.user()) && content.getViewOnce()) {
      return false;
    }
    return send(device, ChatId.direct(device.id.user(), peer), content);
  }

  boolean send(ModelDevice device, ChatId chat, Content.Builder builder) {
    Content content = builder.build();
    var answer = new ModelAnswer();
    device.send(chat, content, answer.callback());
    run.await("SEND is answered: " + content, () -> answer.came);
    took(device, chat, content, answer);
    return true;
  }

  boolean sendToGroup(@Nullable ModelDevice device, Content.Builder content) {
    return device != null
        && !run.groups.isEmpty()
        && send(device, run.groups.get(run.random.nextInt(run.groups.size())), content);
  }

  boolean sendAnywhere(Content.Builder content) {
    ModelDevice device = run.anyOnline();
    return run.random.nextBoolean() ? send(device, content) : sendToGroup(device, content);
  }

  void took(ModelDevice device, ChatId chat, Content content, ModelAnswer answer) {
    long now = answer.code == null ? answer.tsMillis : run.world.wallMillis();
    check(device, chat, content, answer, run.model.send(device.id, chat, content, now));
  }

  boolean mention() {
    ModelDevice device = run.anyOnline();
    if (device == null || run.groups.isEmpty()) {
      return false;
    }
    Content.Builder content = text();
    for (UserId user : run.users) {
      if (run.random.nextInt(3) == 0) {
        content.addMentions(user.value());
      }
    }
    return send(device, run.groups.get(run.random.nextInt(run.groups.size())), content);
  }

  boolean forward() {
    return about(
        line -> line.isMessage() && !line.isGone(run.world.wallMillis()),
        (device, from, line) ->
            send(
                device,
                Content.newBuilder()
                    .setKindValue(line.content.getKindValue())
                    .setBody(line.content.getBody())
                    .setForwarded(line.content.getForwarded() + 1)));
  }

  boolean read() {
    ModelDevice device = run.anyOnline();
    Room room = device == null ? null : run.anyRoomOf(device.id.user());
    if (device == null || room == null) {
      return false;
    }
    long user = device.id.user().value();
    long seq = Math.max(1, room.headFor(user) - run.random.nextInt(3));
    run.story.add(device.id + " reads " + room.id + " up to " + seq);
    device.core().read(device.millis(), room.id, seq);
    device.endPass();
    run.world.run(10_000);
    run.model.read(user, room.id, seq);
    return true;
  }

  /// Does something about an entry that a device's user sees; a recent one more often.
  boolean about(Predicate<Line> which, About what) {
    ModelDevice device = run.anyOnline();
    Room room = device == null ? null : run.anyRoomOf(device.id.user());
    if (device == null || room == null) {
      return false;
    }
    long user = device.id.user().value();
    for (int i = room.lines.size() - 1, tries = 0; i >= 0 && tries < 6; i--, tries++) {
      Line line = room.lines.get(i);
      if (which.test(line)
          && run.model.sees(room, user, line.seq)
          && run.random.nextInt(3) > 0
          && !isOnTheEdge(line)) {
        return what.act(device, room.id, line);
      }
    }
    return false;
  }

  Content.Builder text() {
    return Content.newBuilder().setKind(Kind.KIND_TEXT).setBody(body());
  }

  static Content.Builder event(Kind kind, Line target) {
    return Content.newBuilder().setKind(kind).setTarget(target.seq);
  }

  static ChatId self(ModelDevice device) {
    return ChatId.direct(device.id.user(), device.id.user());
  }

  ByteString body() {
    return ByteString.copyFromUtf8("m" + bodies++);
  }

  private void check(
      ModelDevice device,
      ChatId chat,
      Content content,
      ModelAnswer answer,
      @Nullable ErrorCode expected) {
    run.story.add(
        device.id
            + " to "
            + chat
            + ": "
            + content.toString().replace('\n', ' ')
            + "-> "
            + (answer.code == null ? answer.seq : answer.code));
    run.expect(answer.code, expected);
    if (expected == null) {
      run.expect(answer.seq, run.room(chat).head());
    }
  }

  /// Too close to a limit in time to say what the server will think.
  private boolean isOnTheEdge(Line line) {
    long now = run.world.wallMillis();
    long age = now - line.tsMillis;
    return Math.abs(age - ModelRun.EDIT_SECONDS * 1_000L) < 500
        || Math.abs(age - ModelRun.REVOKE_SECONDS * 1_000L) < 500
        || (line.goneMillis > now - 6_000 && line.goneMillis < now + 4_000);
  }
}
