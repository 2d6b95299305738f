package io.tern.tools;

import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.client.ClientListener.Message;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.PageEntry;
import io.tern.store.Entry;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.Base64;

/// An entry as commands show it: one JSON object with stable keys, or one line of fields with tabs
/// between (seq, time, sender, text), both safe to print whatever the sender wrote.
///
/// @param chat name of the other side
/// @param from name of the sender
public record EntryView(
    String chat, String from, boolean own, long seq, long tsMillis, Content content) {

  private static final DateTimeFormatter CLOCK = DateTimeFormatter.ofPattern("HH:mm");

  public static EntryView of(Message message, UserId self, Names names) {
    return new EntryView(
        chat(message.chat(), self, names),
        names.of(message.sender()),
        message.own(),
        message.seq(),
        message.tsMillis(),
        message.content());
  }

  public static EntryView of(PageEntry entry, ChatId chat, UserId self, Names names) {
    var sender = entry.getOwn() ? self : chat.peerOf(self);
    return new EntryView(
        chat(chat, self, names),
        names.of(sender),
        entry.getOwn(),
        entry.getSeq(),
        entry.getEntry().getTsMs(),
        entry.getEntry().getContent());
  }

  /// An entry as the store has it, seen by nobody in particular.
  ///
  /// @throws Failure when its content is not one
  static EntryView of(Entry entry, Names names) {
    try {
      return new EntryView(
          entry.chat().toString(),
          names.of(entry.sender().user()),
          false,
          entry.seq(),
          entry.tsMillis(),
          Content.parseFrom(entry.content()));
    } catch (InvalidProtocolBufferException e) {
      throw new Failure(ExitCode.FAILED, entry.chat() + " #" + entry.seq() + " is damaged", e);
    }
  }

  private static String chat(ChatId chat, UserId self, Names names) {
    return chat.isGroup() ? chat.toString() : names.of(chat.peerOf(self));
  }

  public Json json() {
    var json =
        Json.object()
            .put("chat", chat)
            .put("seq", seq)
            .put("from", from)
            .put("own", own)
            .put("time", time())
            .put("kind", kind());
    if (content.getKind() == Kind.KIND_TEXT) {
      json.put("text", content.getBody().toStringUtf8());
    } else {
      json.put("body_base64", Base64.getEncoder().encodeToString(content.getBody().toByteArray()));
    }
    if (content.getReplyTo() > 0) {
      json.put("reply_to", content.getReplyTo());
    }
    return json;
  }

  public String line() {
    return seq + "\t" + time() + "\t" + from + "\t" + text();
  }

  /// The text on one line.
  public String text() {
    return switch (content.getKind()) {
      case KIND_TEXT -> TerminalText.line(content.getBody().toStringUtf8());
      case KIND_TOMBSTONE -> "(removed)";
      case KIND_BINARY, KIND_UNSPECIFIED, UNRECOGNIZED ->
          "(" + content.getBody().size() + " bytes)";
      case KIND_CONTACT,
          KIND_LOCATION,
          KIND_EDIT,
          KIND_REVOKE,
          KIND_REACTION,
          KIND_OPENED,
          KIND_TIMER,
          KIND_GROUP,
          KIND_SETTING ->
          "(" + kind() + ")";
    };
  }

  /// Hour and minute of the person's day.
  public String clock() {
    return CLOCK.format(Instant.ofEpochMilli(tsMillis).atZone(ZoneId.systemDefault()));
  }

  private String time() {
    return Instant.ofEpochMilli(tsMillis).truncatedTo(ChronoUnit.MILLIS).toString();
  }

  private String kind() {
    return switch (content.getKind()) {
      case KIND_TEXT -> "text";
      case KIND_BINARY -> "binary";
      case KIND_TOMBSTONE -> "removed";
      case KIND_CONTACT -> "contact";
      case KIND_LOCATION -> "location";
      case KIND_EDIT -> "edit";
      case KIND_REVOKE -> "revoke";
      case KIND_REACTION -> "reaction";
      case KIND_OPENED -> "opened";
      case KIND_TIMER -> "timer";
      case KIND_GROUP -> "group";
      case KIND_SETTING -> "setting";
      case KIND_UNSPECIFIED, UNRECOGNIZED -> "unknown";
    };
  }
}
