/// What the port for operators is about: the server's health, who may use the port, and the log of
/// what they did. The port itself is [io.tern.edge.http.HttpGateway], with the list in
/// [io.tern.edge.http.AdminRoutes].
@NullMarked
package io.tern.edge.admin;

import org.jspecify.annotations.NullMarked;
