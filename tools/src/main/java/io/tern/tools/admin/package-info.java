/// `tern admin`: what the operators of a server see and do.
@NullMarked
package io.tern.tools.admin;

import org.jspecify.annotations.NullMarked;
