/// `tern account`: come in by phone number or QR code, and look after one's account.
@NullMarked
package io.tern.tools.account;

import org.jspecify.annotations.NullMarked;
