/// Codes by SMPP, with jsmpp.
@NullMarked
package io.tern.accounts.sms.smpp;

import org.jspecify.annotations.NullMarked;
