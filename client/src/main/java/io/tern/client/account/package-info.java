/// An account over HTTP: come in, keep an access token fresh, devices and the rest of `/v1`.
///
/// [AccountApi] asks the server, [CredentialsFile] keeps what proves a device, and [AccountTokens]
/// feeds a [io.tern.client.TernClient] with tokens for as long as it runs.
@NullMarked
package io.tern.client.account;

import org.jspecify.annotations.NullMarked;
