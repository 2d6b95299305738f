package io.tern.tools.history;

import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Kind;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;

/// 64 bits that stand for a message's content in a history. Contents of one device must differ from
/// each other (a counter in the body will do), because a send is recognised by its hash.
public final class ContentHash {

  private static final VarHandle LONGS =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN);

  /// What is left of a message that was taken back.
  static final long TOMBSTONE = of(Content.newBuilder().setKind(Kind.KIND_TOMBSTONE).build());

  /// What is left of an edit when its message was edited again or taken back.
  static final long VOID_EDIT = of(Content.newBuilder().setKind(Kind.KIND_EDIT).build());

  private ContentHash() {}

  public static long of(Content content) {
    return of(content.toByteArray());
  }

  /// Hash of an encoded `Content`.
  public static long of(byte[] content) {
    long hash = 0x9E37_79B9_7F4A_7C15L ^ content.length;
    int pos = 0;
    for (; pos + Long.BYTES <= content.length; pos += Long.BYTES) {
      hash = mix(hash ^ (long) LONGS.get(content, pos));
    }
    long rest = 0;
    for (; pos < content.length; pos++) {
      rest = (rest << 8) | (content[pos] & 0xFF);
    }
    return mix(hash ^ rest);
  }

  static long mix(long h) {
    h = (h ^ (h >>> 33)) * 0xFF51_AFD7_ED55_8CCDL;
    h = (h ^ (h >>> 33)) * 0xC4CE_B9FE_1A85_EC53L;
    return h ^ (h >>> 33);
  }
}
