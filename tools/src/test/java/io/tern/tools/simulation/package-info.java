/// A whole Tern on one thread: the real logic of shards, dispatch, catch-up, sessions and SDK, with
/// a simulated clock, network and disk. Everything follows from a seed.
@NullMarked
package io.tern.tools.simulation;

import org.jspecify.annotations.NullMarked;
