/// The server's configuration: one record per component, read from `reference.conf`, a file and
/// `--set key=value`, and validated before anything starts.
///
/// Only this package knows Typesafe Config.
@NullMarked
package io.tern.edge.config;

import org.jspecify.annotations.NullMarked;
