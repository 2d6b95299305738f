/// The HTTP gateway: `/v1/…` for accounts, devices, tokens, profiles, discovery and export;
/// `/openapi.json`, which describes all of it; and the published token keys.
///
/// [Endpoint] is what one address takes, gives and does; [AccountRoutes] lists them; [HttpGateway]
/// is the server around them: limits, deadlines, budgets, who is asking, uniform errors. One table
/// makes the server, the document and the tests, so none can drift from another.
///
/// Only this package knows Armeria and Jackson.
@NullMarked
package io.tern.edge.http;

import org.jspecify.annotations.NullMarked;
