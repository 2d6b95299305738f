package io.tern.client;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import java.util.Base64;

/// What the link to a group holds. Whoever has it may join; keep it out of logs.
///
/// Its text is `GROUP.TOKEN`: the group's id in base 36 and the token in URL-safe Base64, to be put
/// behind an address of the app's own.
public record Invite(ChatId group, byte[] token) {

  public Invite {
    if (!group.isGroup()) {
      throw new IllegalArgumentException("not a group: " + group);
    }
  }

  /// Reads what [#text] wrote.
  ///
  /// @throws IllegalArgumentException when it is no invitation
  public static Invite parse(String text) {
    int dot = text.indexOf('.');
    if (dot < 1) {
      throw new IllegalArgumentException("not an invitation");
    }
    long id = Long.parseLong(text.substring(0, dot), 36);
    byte[] token = Base64.getUrlDecoder().decode(text.substring(dot + 1));
    if (!UserId.isValid(id) || token.length == 0) {
      throw new IllegalArgumentException("not an invitation");
    }
    return new Invite(ChatId.group(id), token);
  }

  public String text() {
    return Long.toString(group.high(), 36)
        + "."
        + Base64.getUrlEncoder().withoutPadding().encodeToString(token);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Invite invite && invite.text().equals(text());
  }

  @Override
  public int hashCode() {
    return text().hashCode();
  }

  /// Without the token.
  @Override
  public String toString() {
    return "Invite[" + group + "]";
  }
}
