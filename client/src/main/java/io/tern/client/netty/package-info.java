/// The thin shell around [io.tern.client.core.ClientCore]: event loops, sockets and timers.
@NullMarked
package io.tern.client.netty;

import org.jspecify.annotations.NullMarked;
