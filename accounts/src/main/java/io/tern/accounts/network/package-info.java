/// Whose networks addresses belong to: autonomous systems, as a file of ranges names them.
@NullMarked
package io.tern.accounts.network;

import org.jspecify.annotations.NullMarked;
