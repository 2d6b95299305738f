/// The HTTP gateways. That of accounts: `/v1/…` for accounts, devices, tokens, profiles, discovery
/// and export, and the published token keys. That of operators, on the admin port: health, metrics
/// and `/v1/…` for what they see and do. Each has an `/openapi.json`, which describes all of it.
///
/// [Endpoint] is what one address takes, gives and does; [AccountRoutes] and [AdminRoutes] list
/// them; [HttpGateway] is the server around a list: limits, deadlines, budgets, uniform errors; its
/// [Doorkeeper] knows who is asking. One table makes the server, the document and the tests, so
/// none can drift from another.
///
/// Only this package knows Armeria and Jackson.
@NullMarked
package io.tern.edge.http;

import org.jspecify.annotations.NullMarked;
