/// The `tern` command: server, chat client, load generator and inspection.
///
/// Everything a person types starts in [io.tern.tools.Tern].
@NullMarked
package io.tern.tools;

import org.jspecify.annotations.NullMarked;
