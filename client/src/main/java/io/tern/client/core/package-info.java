/// The logic of a client without threads and without I/O: a plain object that takes what happened
/// and the time, and answers with effects. Sockets and timers are in `io.tern.client.netty`; the
/// simulation drives this package directly.
@NullMarked
package io.tern.client.core;

import org.jspecify.annotations.NullMarked;
