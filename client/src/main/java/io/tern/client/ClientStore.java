package io.tern.client;

import io.tern.protocol.ChatId;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a device must remember to send exactly once and to receive without holes.
/// `MemoryClientStore` forgets with the process, `FileClientStore` keeps a folder; apps bring their
/// own database.
///
/// Called on the client's event loop only. A change counts when the method returns; one that cannot
/// be kept throws, and the client stops.
///
/// A store belongs to one device. One that has lost its memory is safe to use again: the client
/// asks the server where it stands before it numbers the first send of a chat.
public interface ClientStore extends AutoCloseable {

  /// A send without an answer yet. `content` is the encoded `Content`, the same for every repeat,
  /// and must not be changed.
  record PendingSend(ChatId chat, long csn, byte[] content) {}

  /// Sends that were added and not removed, in the order of their csn per chat.
  List<PendingSend> pendingSends();

  /// Keeps a send before it goes out for the first time. Its csn follows that of the chat's newest
  /// send.
  void addSend(PendingSend send);

  /// The send has been answered for good.
  void removeSend(ChatId chat, long csn);

  /// The server has counted this device's sends in `chat` up to `csn`, and none of the pending ones
  /// above `after`: those are numbered csn + 1, csn + 2… from now on, in their order. One atomic
  /// change.
  void renumberSends(ChatId chat, long after, long csn);

  /// Highest csn ever given in `chat`; -1 while [#renumberSends] was never called for it, which
  /// means that the server's count is not known and pending sends are numbered from 1 for the time
  /// being.
  long lastCsn(ChatId chat);

  /// Seq up to which this device has every entry of `chat`, -1 when it knows nothing of the chat.
  long position(ChatId chat);

  void setPosition(ChatId chat, long seq);

  /// The newest resume ticket and how often this device has resumed; null when none.
  @Nullable ResumeTicket resumeTicket();

  /// Null forgets it.
  void setResumeTicket(@Nullable ResumeTicket ticket);

  /// `sealed` is empty when the ticket is of no more use and only the count is.
  record ResumeTicket(byte[] sealed, long count) {}

  /// Called once before frames go out that tell the server of changes: makes them survive what the
  /// store promises to survive.
  ///
  /// @param newSends there is a send among them that goes out for the first time
  default void sync(boolean newSends) {}

  @Override
  void close();
}
