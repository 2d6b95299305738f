/// From what a device has acknowledged to the present, as a paged, flow-controlled reader.
@NullMarked
package io.tern.router.catchup;

import org.jspecify.annotations.NullMarked;
