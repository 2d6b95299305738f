/// JMH benchmarks of the pieces; `bench/jmh` runs them. Each says what it is held against.
@NullMarked
package io.tern.bench.micro;

import org.jspecify.annotations.NullMarked;
