package io.tern.client;

import com.google.protobuf.ByteString;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ContactCard;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.LinkPreview;
import io.tern.protocol.v1.Location;
import java.time.Duration;

/// A message that is being written: `Draft.text("see you").replyTo(12).mention(bob)`. Immutable;
/// each call answers with a new one.
public final class Draft {

  private final Content content;

  private Draft(Content.Builder content) {
    this.content = content.build();
  }

  public static Draft text(String text) {
    return new Draft(of(Kind.KIND_TEXT, ByteString.copyFromUtf8(text)));
  }

  /// The app's own bytes.
  public static Draft binary(ByteString bytes) {
    return new Draft(of(Kind.KIND_BINARY, bytes));
  }

  public static Draft contact(ContactCard card) {
    return new Draft(of(Kind.KIND_CONTACT, card.toByteString()));
  }

  public static Draft location(Location location) {
    return new Draft(of(Kind.KIND_LOCATION, location.toByteString()));
  }

  /// What `original` says, counted as forwarded once more. Who had said it, to what and to whom
  /// does not go along.
  ///
  /// @throws IllegalArgumentException for what may not be forwarded: events, what is removed, and
  ///   what may be seen only once
  public static Draft forward(Content original) {
    if (!Body.isMessage(original.getKindValue())
        || original.getKind() == Kind.KIND_TOMBSTONE
        || original.getViewOnce()) {
      throw new IllegalArgumentException("cannot be forwarded: " + original.getKind());
    }
    Content.Builder copy =
        Content.newBuilder()
            .setKindValue(original.getKindValue())
            .setBody(original.getBody())
            .setForwarded(original.getForwarded() + 1);
    if (original.hasPreview()) {
      copy.setPreview(original.getPreview());
    }
    return new Draft(copy);
  }

  /// As an answer to the message at `seq` of the same chat.
  public Draft replyTo(long seq) {
    return new Draft(content.toBuilder().setReplyTo(seq));
  }

  /// Names a member, who gets a mark for it. At most 64.
  public Draft mention(UserId user) {
    return new Draft(content.toBuilder().addMentions(user.value()));
  }

  /// Gone when it has been opened, and after 14 days at the latest; in direct chats.
  public Draft viewOnce() {
    return new Draft(content.toBuilder().setViewOnce(true));
  }

  /// Gone after this time, whatever the chat's timer says; whole seconds.
  public Draft disappearAfter(Duration time) {
    return new Draft(content.toBuilder().setTtlS(seconds(time)));
  }

  /// What the sender's device saw behind a link in the text.
  public Draft preview(LinkPreview preview) {
    return new Draft(content.toBuilder().setPreview(preview));
  }

  public Content content() {
    return content;
  }

  // ---- events, as TernClient sends them

  /// The message at `target` says what `newer` does from now on.
  public static Content edit(long target, Draft newer) {
    Content.Builder event =
        of(Kind.KIND_EDIT, newer.content.getBody())
            .setTarget(target)
            .addAllMentions(newer.content.getMentionsList());
    if (newer.content.hasPreview()) {
      event.setPreview(newer.content.getPreview());
    }
    return event.build();
  }

  /// The message at `target` is taken back.
  public static Content revoke(long target) {
    return of(Kind.KIND_REVOKE, ByteString.EMPTY).setTarget(target).build();
  }

  /// A reaction to the message at `target`; empty takes it back.
  public static Content react(long target, String reaction) {
    return of(Kind.KIND_REACTION, ByteString.copyFromUtf8(reaction)).setTarget(target).build();
  }

  /// The view-once message at `target` has been seen.
  public static Content opened(long target) {
    return of(Kind.KIND_OPENED, ByteString.EMPTY).setTarget(target).build();
  }

  /// Messages of the chat disappear after this time; zero: they stay.
  public static Content timer(Duration after) {
    return of(Kind.KIND_TIMER, ByteString.EMPTY).setTtlS(seconds(after)).build();
  }

  private static Content.Builder of(Kind kind, ByteString body) {
    return Content.newBuilder().setKind(kind).setBody(body);
  }

  private static int seconds(Duration time) {
    if (time.isNegative() || time.toSeconds() > 0xFFFF_FFFFL) {
      throw new IllegalArgumentException("0 to 2^32 - 1 s: " + time);
    }
    return (int) time.toSeconds();
  }
}
