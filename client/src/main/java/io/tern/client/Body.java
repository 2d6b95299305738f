package io.tern.client;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.client.ClientListener.Message;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ContactCard;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Location;
import io.tern.protocol.v1.RegisteredEvent;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.Settings;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What an entry says, by its kind: made for an exhaustive `switch`.
///
/// ```java
/// switch (message.body()) {
///   case Body.Text text -> show(message.seq(), text.text());
///   case Body.Edited edited -> replace(edited.target(), edited.text());
///   case Body.Revoked revoked -> remove(revoked.target());
///   case Body.Group group -> announce(message.sender(), group.change());
///   …
/// }
/// ```
///
/// What goes with any kind (reply, mentions, forwarded, preview) is in [Content] itself. A kind
/// that this version does not know, or a body that is not what its kind says, is [Unknown].
public sealed interface Body {

  record Text(String text) implements Body {}

  /// The app's own business.
  record Binary(ByteString bytes) implements Body {}

  /// Was here, and is no more: expired, taken back, or hidden by this user.
  record Removed() implements Body {}

  record Contact(ContactCard card) implements Body {}

  record Place(Location location) implements Body {}

  /// The message at `target` says this now. Who asks for it later gets it so, with the time of the
  /// edit.
  record Edited(long target, ByteString bytes) implements Body {
    public String text() {
      return bytes.toStringUtf8();
    }
  }

  /// The message at `target` is [Removed] now.
  record Revoked(long target) implements Body {}

  /// The sender's reaction to the message at `target`, in place of the one before; empty: taken
  /// back.
  record Reacted(long target, String text) implements Body {}

  /// The view-once message at `target` has been opened and is [Removed] now.
  record Opened(long target) implements Body {}

  /// From now on messages of the chat disappear after `after`; zero: they stay.
  record Timer(Duration after) implements Body {}

  /// The sender has changed the group.
  ///
  /// @param newOwner the member who is its owner now, because the owner left; else null
  record Group(GroupChange change, @Nullable UserId newOwner) implements Body {}

  /// The user has changed these settings, together; in the self chat only.
  record SettingsChanged(List<Setting> settings) implements Body {}

  /// The sender has registered anew, on the device that the entry names ([Message#device]): with a
  /// new phone, or it is somebody else who got hold of number and PIN. In direct chats only. For
  /// people to see: whom it surprises asks the other on another way before telling them anything.
  ///
  /// @param atMillis the server's time
  record Registered(long atMillis) implements Body {}

  record Unknown(int kind, ByteString bytes) implements Body {}

  static Body of(Message message) {
    return of(message.content());
  }

  static Body of(Content content) {
    ByteString body = content.getBody();
    try {
      return switch (content.getKind()) {
        case KIND_TEXT -> new Text(body.toStringUtf8());
        case KIND_BINARY -> new Binary(body);
        case KIND_TOMBSTONE -> new Removed();
        case KIND_CONTACT -> new Contact(ContactCard.parseFrom(body));
        case KIND_LOCATION -> new Place(Location.parseFrom(body));
        case KIND_EDIT -> new Edited(content.getTarget(), body);
        case KIND_REVOKE -> new Revoked(content.getTarget());
        case KIND_REACTION -> new Reacted(content.getTarget(), body.toStringUtf8());
        case KIND_OPENED -> new Opened(content.getTarget());
        case KIND_TIMER -> new Timer(Duration.ofSeconds(Integer.toUnsignedLong(content.getTtlS())));
        case KIND_GROUP -> group(GroupEvent.parseFrom(body));
        case KIND_SETTING -> new SettingsChanged(Settings.parseFrom(body).getSetList());
        case KIND_REGISTERED -> new Registered(RegisteredEvent.parseFrom(body).getAtMs());
        case KIND_UNSPECIFIED, UNRECOGNIZED -> new Unknown(content.getKindValue(), body);
      };
    } catch (InvalidProtocolBufferException e) {
      return new Unknown(content.getKindValue(), body);
    }
  }

  private static Body group(GroupEvent event) {
    long owner = event.getNewOwner();
    return new Group(GroupChange.of(event), UserId.isValid(owner) ? new UserId(owner) : null);
  }

  /// Whether entries of this kind are messages, and count as unread; the others are events.
  static boolean isMessage(int kind) {
    return kind >= 1 && kind <= 15;
  }

  /// Whether only the server makes entries of this kind.
  static boolean isOfServer(int kind) {
    return kind >= 32 && kind <= 47;
  }
}
