/// How much of something one address, network, number, account, device, chat or peer may have in a
/// time: keyed token buckets with a bound on how many are told apart.
///
/// Only this package knows Bucket4j.
@NullMarked
package io.tern.accounts.budget;

import org.jspecify.annotations.NullMarked;
