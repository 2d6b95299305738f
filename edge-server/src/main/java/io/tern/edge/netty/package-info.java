/// The shell around sessions: listeners, channels, event loops. One handler per channel does the
/// framing; everything that is written in one event-loop pass leaves a channel in one write.
@NullMarked
package io.tern.edge.netty;

import org.jspecify.annotations.NullMarked;
