/// Moves a command to the shard that owns its chat and the result to the devices it concerns: the
/// rings, dispatch, the directory, the bus and catch-up.
///
/// Only `io.tern.router.ring` knows the Disruptor.
@NullMarked
package io.tern.router;

import org.jspecify.annotations.NullMarked;
