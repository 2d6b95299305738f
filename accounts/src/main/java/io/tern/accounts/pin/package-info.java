/// Registration PINs: Argon2id, by password4j.
@NullMarked
package io.tern.accounts.pin;

import org.jspecify.annotations.NullMarked;
