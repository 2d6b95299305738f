package io.tern.protocol;

/// Bits of `caps` in HELLO and HELLO_ACK: what a client understands, and of that what the server
/// will use. Unknown bits are ignored; a bit is never given another meaning.
public final class Capability {

  /// Pages from the server may come Zstandard-compressed, marked by [FrameHeader#ZSTD].
  public static final long ZSTD_PAGES = 1;

  private Capability() {}
}
