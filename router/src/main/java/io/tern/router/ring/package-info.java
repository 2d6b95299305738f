/// One Disruptor ring per shard: commands in, one commit per batch, outcomes out. The only package
/// that knows the Disruptor.
@NullMarked
package io.tern.router.ring;

import org.jspecify.annotations.NullMarked;
