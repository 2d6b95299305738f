/// Who a HELLO speaks for: signed tokens, the development issuer's, and resume tickets.
///
/// Only this package knows the JWT library.
@NullMarked
package io.tern.edge.token;

import org.jspecify.annotations.NullMarked;
