/// Certificates and the TLS contexts made of them: files, reload, the development certificate.
///
/// Only this package knows Bouncy Castle.
@NullMarked
package io.tern.edge.tls;

import org.jspecify.annotations.NullMarked;
