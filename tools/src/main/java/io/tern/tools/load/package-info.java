/// `tern load`: many users on one event loop who talk, and who check by content that nothing is
/// lost, doubled or out of order.
///
/// [io.tern.tools.load.LoadCommand] reads the options, [io.tern.tools.load.LoadRun] runs them,
/// [io.tern.tools.load.Flow] is the bookkeeping of one sender and those who get it, and knows no
/// sockets; [io.tern.tools.load.LoadGroup] makes a group. It speaks the wire protocol by itself
/// rather than through the SDK: the generator must cost less than the server it measures, and a
/// second client keeps the specification honest.
@NullMarked
package io.tern.tools.load;

import org.jspecify.annotations.NullMarked;
