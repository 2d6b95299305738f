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
public interface ClientStore extends AutoCloseable {

  /// A send without an answer yet. `body` is the encoded SEND body, the same for every repeat.
  record PendingSend(ChatId chat, long csn, byte[] body) {}

  /// Sends that were added and not removed, in the order of their csn per chat.
  List<PendingSend> pendingSends();

  /// Keeps a send before it goes out for the first time.
  void addSend(PendingSend send);

  /// The send has been answered for good.
  void removeSend(ChatId chat, long csn);

  /// Highest csn ever given in `chat`, 0 when none.
  long lastCsn(ChatId chat);

  /// Seq up to which this device has every entry of `chat`, -1 when it knows nothing of the chat.
  long position(ChatId chat);

  void setPosition(ChatId chat, long seq);

  /// The newest resume ticket and its count; null when none.
  @Nullable ResumeTicket resumeTicket();

  void setResumeTicket(ResumeTicket ticket);

  record ResumeTicket(byte[] sealed, long count) {}

  @Override
  void close();
}
