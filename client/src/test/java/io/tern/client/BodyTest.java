package io.tern.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.LinkPreview;
import io.tern.protocol.v1.Location;
import io.tern.protocol.v1.RegisteredEvent;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.RoleChange;
import io.tern.protocol.v1.Users;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What is written by [Draft] is read by [Body].
class BodyTest {

  private static final UserId BOB = new UserId(2002);

  @Test
  void messagesComeBackAsTheyWereWritten() {
    assertThat(Body.of(Draft.text("hi").content())).isEqualTo(new Body.Text("hi"));
    var place = Location.newBuilder().setLatitude(1).setName("pier").build();
    assertThat(Body.of(Draft.location(place).content())).isEqualTo(new Body.Place(place));
    assertThat(Body.of(Draft.binary(ByteString.copyFromUtf8("x")).content()))
        .isEqualTo(new Body.Binary(ByteString.copyFromUtf8("x")));
  }

  @Test
  void whatGoesWithAMessageStaysWithIt() {
    Content content =
        Draft.text("look @bob")
            .replyTo(4)
            .mention(BOB)
            .viewOnce()
            .disappearAfter(Duration.ofMinutes(1))
            .content();
    assertThat(content.getReplyTo()).isEqualTo(4);
    assertThat(content.getMentionsList()).containsExactly(BOB.value());
    assertThat(content.getViewOnce()).isTrue();
    assertThat(content.getTtlS()).isEqualTo(60);
  }

  @Test
  void eventsNameTheirTarget() {
    assertThat(Body.of(Draft.edit(3, Draft.text("new"))))
        .isInstanceOfSatisfying(
            Body.Edited.class,
            edited -> {
              assertThat(edited.target()).isEqualTo(3);
              assertThat(edited.text()).isEqualTo("new");
            });
    assertThat(Body.of(Draft.revoke(3))).isEqualTo(new Body.Revoked(3));
    assertThat(Body.of(Draft.react(3, "👍"))).isEqualTo(new Body.Reacted(3, "👍"));
    assertThat(Body.of(Draft.opened(3))).isEqualTo(new Body.Opened(3));
    assertThat(Body.of(Draft.timer(Duration.ofDays(7))))
        .isEqualTo(new Body.Timer(Duration.ofDays(7)));
  }

  @Test
  void anEditTakesItsMentionsAndPreviewAlong() {
    var preview = LinkPreview.newBuilder().setUrl("https://example.org").build();
    Content edit = Draft.edit(3, Draft.text("new").mention(BOB).preview(preview));
    assertThat(edit.getMentionsList()).containsExactly(BOB.value());
    assertThat(edit.getPreview()).isEqualTo(preview);
  }

  @Test
  void aForwardCountsAndLeavesBehindWhatWasSaidToOthers() {
    Content once = Draft.forward(Draft.text("news").replyTo(9).mention(BOB).content()).content();
    assertThat(once.getForwarded()).isEqualTo(1);
    assertThat(once.getReplyTo()).isZero();
    assertThat(once.getMentionsCount()).isZero();
    assertThat(Draft.forward(once).content().getForwarded()).isEqualTo(2);
  }

  @Test
  void whatMayBeSeenOnceOrIsNoMessageIsNotForwarded() {
    for (Content content :
        List.of(
            Draft.text("secret").viewOnce().content(),
            Draft.revoke(1),
            Content.newBuilder().setKind(Kind.KIND_TOMBSTONE).build())) {
      assertThatThrownBy(() -> Draft.forward(content)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void everyChangeOfAGroupHasItsRecord() {
    assertThat(
            change(
                GroupEvent.newBuilder()
                    .setCreated(GroupBirth.newBuilder().setTitle("t").addMembers(2002))))
        .isEqualTo(new GroupChange.Created("t", List.of(BOB), "", ""));
    assertThat(change(GroupEvent.newBuilder().setAdded(Users.newBuilder().addUsers(2002))))
        .isEqualTo(new GroupChange.Added(List.of(BOB)));
    assertThat(change(GroupEvent.newBuilder().setRemoved(2002)))
        .isEqualTo(new GroupChange.Removed(BOB));
    assertThat(change(GroupEvent.newBuilder().setLeft(true))).isEqualTo(new GroupChange.Left());
    assertThat(change(GroupEvent.newBuilder().setJoined(true))).isEqualTo(new GroupChange.Joined());
    assertThat(
            change(
                GroupEvent.newBuilder()
                    .setRole(RoleChange.newBuilder().setUser(2002).setRole(Role.ROLE_ADMIN))))
        .isEqualTo(new GroupChange.RoleGiven(BOB, Role.ROLE_ADMIN));
    assertThat(change(GroupEvent.newBuilder().setTitle("t")))
        .isEqualTo(new GroupChange.Titled("t"));
    assertThat(change(GroupEvent.newBuilder().setPicture("p")))
        .isEqualTo(new GroupChange.Pictured("p"));
    assertThat(change(GroupEvent.newBuilder().setDescription("d")))
        .isEqualTo(new GroupChange.Described("d"));
    assertThat(change(GroupEvent.newBuilder().setAdminOnlySend(true)))
        .isEqualTo(new GroupChange.AdminOnlySend(true));
    assertThat(change(GroupEvent.newBuilder().setAdminOnlyEdit(false)))
        .isEqualTo(new GroupChange.AdminOnlyEdit(false));
    assertThat(change(GroupEvent.newBuilder().setInvite(true)))
        .isEqualTo(new GroupChange.Linked(true));
    assertThat(change(GroupEvent.newBuilder())).isEqualTo(new GroupChange.Unknown());
  }

  @Test
  void aRegistrationHasItsTime() {
    var body = RegisteredEvent.newBuilder().setAtMs(5_000).build().toByteString();
    var content = Content.newBuilder().setKind(Kind.KIND_REGISTERED).setBody(body).build();
    assertThat(Body.of(content)).isEqualTo(new Body.Registered(5_000));
  }

  @Test
  void whatThisVersionDoesNotKnowIsUnknown() {
    var bytes = ByteString.copyFromUtf8("\u00ff");
    assertThat(Body.of(Content.newBuilder().setKindValue(99).setBody(bytes).build()))
        .isEqualTo(new Body.Unknown(99, bytes));
    assertThat(Body.of(Content.newBuilder().setKind(Kind.KIND_GROUP).setBody(bytes).build()))
        .isEqualTo(new Body.Unknown(32, bytes));
  }

  @Test
  void anInvitationIsText() {
    var invite = new Invite(ChatId.group(123456), new byte[] {-1, 0, 62, 63});
    assertThat(Invite.parse(invite.text())).isEqualTo(invite);
    assertThat(invite.toString()).doesNotContain(invite.text());
    for (String wrong : List.of("", "x", ".abc", "zz.", "-1.abcd", "zz.!!", "!.abcd")) {
      assertThatThrownBy(() -> Invite.parse(wrong)).isInstanceOf(IllegalArgumentException.class);
    }
  }

  private static GroupChange change(GroupEvent.Builder event) {
    var content =
        Content.newBuilder().setKind(Kind.KIND_GROUP).setBody(event.build().toByteString()).build();
    return ((Body.Group) Body.of(content)).change();
  }
}
