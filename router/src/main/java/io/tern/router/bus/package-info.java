/// The bus of one process, in memory.
@NullMarked
package io.tern.router.bus;

import org.jspecify.annotations.NullMarked;
