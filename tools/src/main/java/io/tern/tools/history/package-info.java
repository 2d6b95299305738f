/// Histories of what clients did and saw, and the proof that the delivery contract held: every
/// device has a recorder, and when a run is over the checker reads what they wrote.
///
/// Used by `tern load`, by the crash and power-cut tests and by the simulation. Knows the protocol
/// and the client SDK, nothing of the server.
@NullMarked
package io.tern.tools.history;

import org.jspecify.annotations.NullMarked;
