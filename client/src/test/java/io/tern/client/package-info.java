@NullMarked
package io.tern.client;

import org.jspecify.annotations.NullMarked;
