package io.tern.tools.system;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;

/// Spoils valid sessions, given as lists of frames, in the ways that broken clients, broken
/// networks and attackers do. All decisions come from `random`.
final class Mutator {

  private static final int MUTATIONS_MAX = 4;

  // Values that sit on the edges of what a byte of a varint can say.
  private static final int[] EDGES = {0x00, 0x01, 0x02, 0x7F, 0x80, 0x81, 0xC0, 0xFE, 0xFF};

  private final Random random;

  Mutator(Random random) {
    this.random = random;
  }

  /// A spoiled copy of `frames`; `others` is another valid session to splice from.
  byte[] spoil(List<byte[]> frames, List<byte[]> others) {
    var mine = new ArrayList<>(frames);
    int mutations = 1 + random.nextInt(MUTATIONS_MAX);
    for (int i = 0; i < mutations; i++) {
      if (random.nextInt(3) == 0) {
        spoilOrder(mine, others);
      } else {
        int at = random.nextInt(mine.size());
        mine.set(at, spoilBytes(mine.get(at)));
      }
    }
    var bytes = new ByteArrayOutputStream();
    mine.forEach(bytes::writeBytes);
    var all = bytes.toByteArray();
    // The end of a connection may come anywhere.
    return random.nextInt(10) == 0 ? cut(all, random.nextInt(all.length + 1)) : all;
  }

  private void spoilOrder(List<byte[]> frames, List<byte[]> others) {
    int at = random.nextInt(frames.size());
    switch (random.nextInt(5)) {
      case 0 -> frames.add(at, frames.get(random.nextInt(frames.size())).clone());
      case 1 -> Collections.swap(frames, at, random.nextInt(frames.size()));
      case 2 -> frames.add(at, others.get(random.nextInt(others.size())));
      case 3 -> {
        if (frames.size() > 1) {
          frames.remove(at);
        }
      }
      default -> {
        var noise = new byte[1 + random.nextInt(40)];
        random.nextBytes(noise);
        frames.add(at, noise);
      }
    }
  }

  private byte[] spoilBytes(byte[] frame) {
    if (frame.length == 0) {
      return new byte[] {(byte) random.nextInt(256)};
    }
    var bytes = frame.clone();
    int at = random.nextInt(bytes.length);
    switch (random.nextInt(8)) {
      case 0 -> bytes[at] ^= (byte) (1 << random.nextInt(8));
      case 1 -> bytes[at] = (byte) EDGES[random.nextInt(EDGES.length)];
      // The first bytes are the ones that steer: LEN, TYPE, FLAGS.
      case 2 -> bytes[Math.min(bytes.length - 1, random.nextInt(4))] = (byte) random.nextInt(256);
      case 3 -> bytes = cut(bytes, at);
      case 4 -> bytes = insert(bytes, at, (byte) random.nextInt(256));
      case 5 -> bytes = hugeLength(bytes);
      case 6 -> bytes = repeatPiece(bytes, at);
      default -> {
        int end = Math.min(bytes.length, at + 1 + random.nextInt(8));
        for (int i = at; i < end; i++) {
          bytes[i] = (byte) random.nextInt(256);
        }
      }
    }
    return bytes;
  }

  /// LEN replaced by one far larger than what follows, in minimal form or not.
  private byte[] hugeLength(byte[] frame) {
    byte[][] lengths = {
      {(byte) 0xFF, (byte) 0xFF, 0x03},
      {(byte) 0x81, (byte) 0x80, 0x04},
      {(byte) 0xFF, (byte) 0xFF, 0x7F},
      {(byte) 0xFF, (byte) 0xFF, (byte) 0xFF, (byte) 0xFF, 0x07},
      {(byte) 0x80, (byte) 0x80, 0x00}
    };
    var length = lengths[random.nextInt(lengths.length)];
    var bytes = new byte[length.length + frame.length - 1];
    System.arraycopy(length, 0, bytes, 0, length.length);
    System.arraycopy(frame, 1, bytes, length.length, frame.length - 1);
    return bytes;
  }

  private byte[] repeatPiece(byte[] bytes, int at) {
    int length = Math.min(bytes.length - at, 1 + random.nextInt(16));
    int times = 1 + random.nextInt(20);
    var repeated = new ByteArrayOutputStream();
    repeated.write(bytes, 0, at);
    for (int i = 0; i < times; i++) {
      repeated.write(bytes, at, length);
    }
    repeated.write(bytes, at, bytes.length - at);
    return repeated.toByteArray();
  }

  private static byte[] insert(byte[] bytes, int at, byte value) {
    var longer = new byte[bytes.length + 1];
    System.arraycopy(bytes, 0, longer, 0, at);
    longer[at] = value;
    System.arraycopy(bytes, at, longer, at + 1, bytes.length - at);
    return longer;
  }

  private static byte[] cut(byte[] bytes, int length) {
    var shorter = new byte[length];
    System.arraycopy(bytes, 0, shorter, 0, length);
    return shorter;
  }
}
