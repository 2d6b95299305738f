/// A device's session as a plain object: frames, deliveries and the time go in, frames, commands
/// and questions come out. No threads, no sockets: the shell is `io.tern.edge.netty`.
@NullMarked
package io.tern.edge.session;

import org.jspecify.annotations.NullMarked;
