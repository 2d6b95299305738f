/// What a device remembers: in memory, or in a folder that survives a crash at any byte.
@NullMarked
package io.tern.client.store;

import org.jspecify.annotations.NullMarked;
