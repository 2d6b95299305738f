package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import java.util.List;

/// How far the members of a group have got, as far as it is shown. Counted at most once a
/// [Command.Tick], at a cost that does not grow with the number of receipts.
///
/// @param allDelivered every entry up to here has been delivered to everyone
/// @param allRead every entry up to here has been read by everyone
/// @param authors who is to be told how far their newest message has got; at most
///   [GroupMarks#AUTHORS_PER_GROUP]
public record GroupProgress(ChatId chat, long allDelivered, long allRead, List<Author> authors) {

  /// The newest message of a member.
  ///
  /// @param total members who could see it, without its author
  /// @param delivered how many of them have got it
  /// @param read how many of them have read it and show that
  public record Author(UserId user, long seq, int total, int delivered, int read) {}
}
