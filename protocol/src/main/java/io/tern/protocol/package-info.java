/// What travels between an app and Tern, and nothing else: the messages (from `src/main/proto`),
/// the frame around them, ids, limits and error codes.
///
/// Pure functions over bytes: no threads, no sockets, no clock. Java 17 bytecode, because apps
/// embed it.
@NullMarked
package io.tern.protocol;

import org.jspecify.annotations.NullMarked;
