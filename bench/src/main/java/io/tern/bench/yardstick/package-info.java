/// The least a durable message server can do, to hold Tern against: frames in, one synced write for
/// whatever has gathered, frames out. [BareServer] is that loop, [BareLoad] drives it.
///
/// What it leaves out is what Tern is: sessions, limits, chats, csn, recipients, acknowledgements,
/// receipts, an outbox, refusals. It answers one question only: how much of a figure is the price
/// of the machine (sockets, RocksDB, fsync, JVM), and how much is ours.
@NullMarked
package io.tern.bench.yardstick;

import org.jspecify.annotations.NullMarked;
