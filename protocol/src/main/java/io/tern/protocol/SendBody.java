package io.tern.protocol;

/// The parts of a SEND's body, found without building a message: the store keeps the bytes of
/// `content` as they came. Filled in by [#read] and meant to be used again, without allocation.
/// Confined to its owner's thread; keeps no reference to the bytes.
///
/// Offsets count from the start of the array given to [#read].
public final class SendBody {

  // Tags of tern.v1.Send and tern.v1.Content; SendBodyTest compares them with the descriptors.
  private static final int SEND_CSN = 1 << 3;
  private static final int SEND_CONTENT = 2 << 3 | 2;
  private static final int CONTENT_KIND = 1 << 3;
  private static final int CONTENT_BODY = 2 << 3 | 2;
  private static final int CONTENT_REPLY_TO = 3 << 3;
  private static final int CONTENT_MENTION = 4 << 3;
  private static final int CONTENT_MENTIONS = 4 << 3 | 2;
  private static final int CONTENT_TTL = 5 << 3;
  private static final int CONTENT_TARGET = 7 << 3;
  private static final int CONTENT_VIEW_ONCE = 8 << 3;
  private static final int CONTENT_PREVIEW = 9 << 3 | 2;

  private int pos;

  private long csn;
  private boolean hasContent;
  private int contentOffset;
  private int contentBytes;
  private int kind;
  private int bodyOffset;
  private int bodyBytes;
  private long replyTo;
  private long ttlSeconds;
  private long target;
  private boolean viewOnce;
  private int previewBytes;
  private final long[] mentions = new long[Limits.MENTIONS_MAX];
  private int mentionsCount;

  /// Scans the body with [Prescan] and, when that says OK, fills in the parts. After any other
  /// verdict the parts mean nothing. `bytes` stay the caller's.
  public Prescan.Verdict read(byte[] bytes, int offset, int length) {
    Prescan.Verdict verdict = Prescan.check(FrameType.SEND, bytes, offset, length);
    if (verdict != Prescan.Verdict.OK) {
      return verdict;
    }
    csn = 0;
    hasContent = false;
    contentOffset = offset + length;
    contentBytes = 0;
    kind = 0;
    bodyOffset = contentOffset;
    bodyBytes = 0;
    replyTo = 0;
    ttlSeconds = 0;
    target = 0;
    viewOnce = false;
    previewBytes = 0;
    mentionsCount = 0;

    // From here on the bytes are known to be well formed: no check is repeated.
    int end = offset + length;
    pos = offset;
    while (pos < end) {
      int tag = (int) varint(bytes);
      if (tag == SEND_CSN) {
        csn = varint(bytes);
      } else if (tag == SEND_CONTENT) {
        hasContent = true;
        contentBytes = (int) varint(bytes);
        contentOffset = pos;
        readContent(bytes);
      } else {
        skip(bytes, tag);
      }
    }
    return verdict;
  }

  private void readContent(byte[] bytes) {
    int end = contentOffset + contentBytes;
    bodyOffset = end;
    while (pos < end) {
      int tag = (int) varint(bytes);
      switch (tag) {
        case CONTENT_KIND -> kind = (int) varint(bytes);
        case CONTENT_BODY -> {
          bodyBytes = (int) varint(bytes);
          bodyOffset = pos;
          pos += bodyBytes;
        }
        case CONTENT_REPLY_TO -> replyTo = varint(bytes);
        case CONTENT_MENTION -> mentions[mentionsCount++] = varint(bytes);
        case CONTENT_MENTIONS -> {
          int packedBytes = (int) varint(bytes);
          int packedEnd = pos + packedBytes;
          while (pos < packedEnd) {
            mentions[mentionsCount++] = varint(bytes);
          }
        }
        case CONTENT_TTL -> ttlSeconds = varint(bytes);
        case CONTENT_TARGET -> target = varint(bytes);
        case CONTENT_VIEW_ONCE -> viewOnce = varint(bytes) != 0;
        case CONTENT_PREVIEW -> {
          previewBytes = (int) varint(bytes);
          pos += previewBytes;
        }
        default -> skip(bytes, tag);
      }
    }
  }

  private void skip(byte[] bytes, int tag) {
    switch (tag & 7) {
      case 0 -> varint(bytes);
      case 1 -> pos += 8;
      case 2 -> {
        int length = (int) varint(bytes);
        pos += length;
      }
      default -> pos += 4;
    }
  }

  private long varint(byte[] bytes) {
    long value = 0;
    int shift = 0;
    while (true) {
      byte b = bytes[pos++];
      value |= (b & 0x7FL) << shift;
      if (b >= 0) {
        return value;
      }
      shift += 7;
    }
  }

  /// An unsigned 64-bit number; 0 when absent, which no client may send.
  public long csn() {
    return csn;
  }

  public boolean hasContent() {
    return hasContent;
  }

  /// Where the encoded `Content` starts.
  public int contentOffset() {
    return contentOffset;
  }

  public int contentBytes() {
    return contentBytes;
  }

  /// Number of the content's `Kind`, which may be one that this version does not know.
  public int kind() {
    return kind;
  }

  /// Where the content's `body` starts.
  public int bodyOffset() {
    return bodyOffset;
  }

  /// Length of the content's `body`, the one that [Limits#BODY_BYTES_MAX] bounds.
  public int bodyBytes() {
    return bodyBytes;
  }

  /// Seq of the entry that this one answers; 0 for none.
  public long replyTo() {
    return replyTo;
  }

  /// 0 for "keep it". An unsigned 32-bit number.
  public long ttlSeconds() {
    return ttlSeconds;
  }

  /// Seq of the message that an event is about; 0 when there is none.
  public long target() {
    return target;
  }

  public boolean isViewOnce() {
    return viewOnce;
  }

  /// Length of the link preview; 0 when there is none.
  public int previewBytes() {
    return previewBytes;
  }

  public int mentionsCount() {
    return mentionsCount;
  }

  /// The user who is mentioned `index`-th, as it was sent: not checked to be an id.
  public long mention(int index) {
    return mentions[index];
  }
}
