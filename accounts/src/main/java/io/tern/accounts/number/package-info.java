/// Phone numbers, by libphonenumber.
@NullMarked
package io.tern.accounts.number;

import org.jspecify.annotations.NullMarked;
