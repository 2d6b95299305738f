/// How codes reach phones.
@NullMarked
package io.tern.accounts.sms;

import org.jspecify.annotations.NullMarked;
