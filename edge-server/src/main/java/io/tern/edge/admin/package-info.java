/// The port for operators: health and metrics, on loopback only.
@NullMarked
package io.tern.edge.admin;

import org.jspecify.annotations.NullMarked;
