/// The server process's outer side: listeners, sessions, the admin port, and the one place that
/// wires everything together.
///
/// Nothing here blocks an event loop, and message bodies are not parsed.
@NullMarked
package io.tern.edge;

import org.jspecify.annotations.NullMarked;
