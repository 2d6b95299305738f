/// The directory of one process, in memory.
@NullMarked
package io.tern.router.directory;

import org.jspecify.annotations.NullMarked;
