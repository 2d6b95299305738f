package io.tern.edge.http;

import io.tern.edge.admin.AdminCredentials.Administrator;
import io.tern.protocol.DeviceId;

/// Who asks, as a [Doorkeeper] found out. Immutable.
sealed interface Asker {

  /// Nobody has looked: the endpoint is for anyone.
  Anyone ANYONE = new Anyone();

  record Anyone() implements Asker {}

  record OfDevice(DeviceId device) implements Asker {}

  record OfOperator(Administrator administrator) implements Asker {}
}
