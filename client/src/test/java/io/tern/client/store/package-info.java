@NullMarked
package io.tern.client.store;

import org.jspecify.annotations.NullMarked;
