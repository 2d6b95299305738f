/// `tern demo`: a story of a few people and one server, told with a real server process, real
/// clients and a real `kill -9`, and checked by comparing what everybody has.
@NullMarked
package io.tern.tools.demo;

import org.jspecify.annotations.NullMarked;
