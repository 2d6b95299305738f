/// What the edge counts and times, and how Prometheus reads it.
///
/// Only this package knows Micrometer.
@NullMarked
package io.tern.edge.metrics;

import org.jspecify.annotations.NullMarked;
