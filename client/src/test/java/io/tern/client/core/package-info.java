@NullMarked
package io.tern.client.core;

import org.jspecify.annotations.NullMarked;
