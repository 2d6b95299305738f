/// `tern chat`: a conversation on a terminal. [io.tern.tools.chat.ChatView] decides what is shown,
/// [io.tern.tools.chat.ChatCommand] connects it with JLine and a client.
@NullMarked
package io.tern.tools.chat;

import org.jspecify.annotations.NullMarked;
