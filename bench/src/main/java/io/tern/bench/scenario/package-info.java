/// End-to-end scenarios: a server in a process of its own, something that loads it in another, and
/// a report of what came out. `bench/run` runs them.
///
/// A figure of Tern stands next to the yardstick's from the same run: rounds alternate between the
/// two, so that whatever else the machine does meets both.
@NullMarked
package io.tern.bench.scenario;

import org.jspecify.annotations.NullMarked;
