/// The Java SDK that apps, the `tern` command, the benches and the tests use: connects, resumes,
/// backs off, sends exactly once and delivers in order.
///
/// Decisions are plain objects; sockets live in `io.tern.client.netty`. Java 17 bytecode, because
/// apps embed it.
@NullMarked
package io.tern.client;

import org.jspecify.annotations.NullMarked;
