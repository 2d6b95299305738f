/// How the server logs: one event is one line, whatever is in it.
///
/// [io.tern.edge.logging.LineEncoder] makes the lines, as text for people or as JSON for programs;
/// [io.tern.edge.logging.Encoded] is what makes foreign text harmless;
/// [io.tern.edge.logging.Wordless] is an exception without what it says. The rules, for everyone
/// who logs: no message bodies, names, numbers, codes, tokens or other secrets, at any level; no
/// message of an exception that may quote what somebody sent. The canary test (CanaryTest) looks.
@NullMarked
package io.tern.edge.logging;

import org.jspecify.annotations.NullMarked;
