package io.tern.store;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;

/// One position of a chat's log. Immutable; `content` is the sender's `Content` message, byte for
/// byte, and must not be changed.
///
/// @param csn the sending device's number for it
/// @param tsMillis server time, never below an earlier entry's of the chat
/// @param ordinal how many entries up to and including this one count as unread
public record Entry(
    ChatId chat,
    long seq,
    DeviceId sender,
    long csn,
    long tsMillis,
    long ordinal,
    byte[] content) {}
