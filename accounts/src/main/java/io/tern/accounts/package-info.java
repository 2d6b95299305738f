/// The user service: who may enter. Registration by phone number and one-time code, devices and
/// their secrets, profiles, discovery. Logic only: HTTP is the edge's.
@NullMarked
package io.tern.accounts;

import org.jspecify.annotations.NullMarked;
