package io.tern.accounts;

import io.tern.protocol.DeviceId;

/// A device that has come in.
///
/// @param secret for [Tokens#refresh]; told once
/// @param secretNumber its number, likewise
/// @param sameAccount the account was there before; false = a new one
public record Registered(
    DeviceId device, Secret secret, long secretNumber, AccessToken token, boolean sameAccount) {}
