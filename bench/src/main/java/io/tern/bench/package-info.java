/// Benchmarks: JMH for the pieces, end-to-end scenarios for the whole, and the bare loop that both
/// are measured against.
@NullMarked
package io.tern.bench;

import org.jspecify.annotations.NullMarked;
