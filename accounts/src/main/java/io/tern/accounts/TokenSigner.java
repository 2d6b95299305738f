package io.tern.accounts;

import io.tern.protocol.DeviceId;
import java.time.Instant;

/// Makes the tokens with which a device logs in. Any thread.
public interface TokenSigner {

  AccessToken sign(DeviceId device, Instant now);
}
