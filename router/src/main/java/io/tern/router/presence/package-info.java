/// Who looks at whom right now: what presence and typing are told to. Soft state, never stored.
@NullMarked
package io.tern.router.presence;

import org.jspecify.annotations.NullMarked;
