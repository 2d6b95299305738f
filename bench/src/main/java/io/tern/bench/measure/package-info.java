/// What all loads share: reading a process's CPU time and memory from /proc, latencies, the JSON
/// form of a result.
@NullMarked
package io.tern.bench.measure;

import org.jspecify.annotations.NullMarked;
