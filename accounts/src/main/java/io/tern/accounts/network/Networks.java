package io.tern.accounts.network;

import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Which autonomous system an address belongs to: whose network it is, however many addresses they
/// have. From a file in the form of iptoasn.com, a range in each line:
///
/// ```
/// first address TAB last address TAB number of the system TAB country TAB description
/// ```
///
/// The first three count. IPv4 and IPv6 may be mixed; the ranges of each are sorted and do not
/// overlap. System 0 is "not routed", which is like no range at all. Ranges of ::ffff:0:0/96 are
/// never found: such an address is looked up as IPv4.
///
/// Immutable; any thread. A look-up is a binary search in arrays, and makes no objects. Takes 12
/// bytes for a range of IPv4 and 36 for one of IPv6, about three times as much while it is read; at
/// most [#RANGES_MAX] ranges.
public final class Networks {

  /// The system of addresses of which nothing is known.
  public static final long UNKNOWN = 0;

  public static final int RANGES_MAX = 2_000_000;
  public static final long FILE_BYTES_MAX = 256 << 20;

  /// Nothing is known.
  public static final Networks NONE = new Networks(new Ranges4(), new Ranges6());

  /// A file that will not do. The message is what it must be, and has nothing of its content.
  public static final class Unusable extends Exception {
    private static final long serialVersionUID = 1;

    private final int line;

    Unusable(int line, String wanted) {
      super(wanted);
      this.line = line;
    }

    /// From 1; 0 = it is not about one line.
    public int line() {
      return line;
    }

    /// What it must be.
    public String wanted() {
      return String.valueOf(getMessage());
    }
  }

  private static final int IPV6_BYTES = 16;

  /// What is above the 32 bits of an IPv4 address that is written as IPv6.
  private static final int MAPPED = 0xFFFF;

  private static final VarHandle LONG =
      MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);
  private static final VarHandle INT =
      MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.BIG_ENDIAN);

  private final Ranges4 ranges4;
  private final Ranges6 ranges6;

  private Networks(Ranges4 ranges4, Ranges6 ranges6) {
    this.ranges4 = ranges4;
    this.ranges6 = ranges6;
  }

  /// Reads a file; blocks.
  ///
  /// @throws Unusable it will not do: in which line, and what it must be
  /// @throws IOException it cannot be read
  public static Networks read(Path file) throws IOException, Unusable {
    try (InputStream in = Files.newInputStream(file)) {
      return read(in);
    }
  }

  /// Reads what such a file would have; blocks. The caller closes `in`.
  ///
  /// @throws Unusable as above
  /// @throws IOException `in` cannot be read
  public static Networks read(InputStream in) throws IOException, Unusable {
    var lines = new Lines(in);
    var ranges4 = new Ranges4();
    var ranges6 = new Ranges6();
    boolean known = false;
    while (lines.next()) {
      if (lines.number() > RANGES_MAX) {
        throw new Unusable(0, "a file of at most " + RANGES_MAX + " ranges");
      }
      int firstEnd = lines.fieldEnd(0);
      int lastEnd = lines.fieldEnd(firstEnd + 1);
      if (lastEnd >= lines.length) {
        throw new Unusable(
            lines.number(),
            "first address, last address and number of a system with tabs between them, as"
                + " iptoasn.com has it, unpacked");
      }
      long system = number(lines, lastEnd + 1, lines.fieldEnd(lastEnd + 1), SYSTEM_MAX);
      if (system < 0) {
        throw new Unusable(
            lines.number(), "the number of a system, 0 to 4294967295, after the second tab");
      }
      boolean isAfter;
      long first4 = address4(lines, 0, firstEnd);
      long last4 = address4(lines, firstEnd + 1, lastEnd);
      if (first4 >= 0 && first4 <= last4) {
        isAfter = ranges4.add((int) first4, (int) last4, (int) system);
      } else {
        byte[] first = address6(lines, 0, firstEnd);
        byte[] last = address6(lines, firstEnd + 1, lastEnd);
        if (first == null || last == null || Arrays.compareUnsigned(first, last) > 0) {
          throw new Unusable(
              lines.number(), "two IP addresses of one kind, the second not below the first");
        }
        isAfter =
            ranges6.add(
                (long) LONG.get(first, 0),
                (long) LONG.get(first, Long.BYTES),
                (long) LONG.get(last, 0),
                (long) LONG.get(last, Long.BYTES),
                (int) system);
      }
      if (!isAfter) {
        throw new Unusable(
            lines.number(), "a range beyond the one before it: sorted, and without overlaps");
      }
      known |= system != UNKNOWN;
    }
    if (!known) {
      throw new Unusable(0, "a file with a range of a known system");
    }
    ranges4.trim();
    ranges6.trim();
    return new Networks(ranges4, ranges6);
  }

  /// The system of the address, 1 to 4,294,967,295, or [#UNKNOWN].
  ///
  /// @param address 4 bytes, or 16; those of an IPv4 address as IPv6 has it are IPv4
  public long systemOf(byte[] address) {
    if (address.length == Integer.BYTES) {
      return ranges4.systemOf((int) INT.get(address, 0));
    }
    long high = (long) LONG.get(address, 0);
    long low = (long) LONG.get(address, Long.BYTES);
    return high == 0 && low >>> Integer.SIZE == MAPPED
        ? ranges4.systemOf((int) low)
        : ranges6.systemOf(high, low);
  }

  /// How many ranges there are, those that are not routed too.
  public int ranges() {
    return ranges4.count + ranges6.count;
  }

  // ---- fields ----------------------------------------------------------------------------------

  private static final int IPV4_PARTS = 4;

  /// Of `0000:0000:0000:0000:0000:0000:255.255.255.255`.
  private static final int ADDRESS_CHARACTERS_MAX = 45;

  private static final long SYSTEM_MAX = 0xFFFF_FFFFL;
  private static final int DIGITS_MAX = 10;

  /// At most ten digits; below 0 when it is none.
  private static long number(Lines lines, int from, int to, long max) {
    if (from >= to || to - from > DIGITS_MAX) {
      return -1;
    }
    long number = 0;
    for (int i = from; i < to; i++) {
      int digit = lines.line[i] - '0';
      if (digit < 0 || digit > 9) {
        return -1;
      }
      number = 10 * number + digit;
    }
    return number <= max ? number : -1;
  }

  /// Four numbers with dots between them; below 0 when it is none.
  private static long address4(Lines lines, int from, int to) {
    long address = 0;
    int begin = from;
    for (int part = 1; part <= IPV4_PARTS; part++) {
      int end = begin;
      while (end < to && lines.line[end] != '.') {
        end++;
      }
      long number = end - begin > 3 ? -1 : number(lines, begin, end, 0xFF);
      if (number < 0 || (end < to) != (part < IPV4_PARTS)) {
        return -1;
      }
      address = address << Byte.SIZE | number;
      begin = end + 1;
    }
    return address;
  }

  /// 16 bytes; null when it is no address of IPv6. One with a zone is none.
  private static byte @Nullable [] address6(Lines lines, int from, int to) {
    boolean hasColon = false;
    for (int i = from; i < to; i++) {
      byte c = lines.line[i];
      hasColon |= c == ':';
      if (Character.digit(c, 16) < 0 && c != ':' && c != '.') {
        return null;
      }
    }
    if (!hasColon || to - from > ADDRESS_CHARACTERS_MAX) {
      return null;
    }
    try {
      byte[] bytes = InetAddress.ofLiteral(lines.text(from, to)).getAddress();
      return bytes.length == IPV6_BYTES ? bytes : mapped(bytes);
    } catch (IllegalArgumentException e) {
      return null;
    }
  }

  /// The JDK makes IPv4 of ::ffff:0:0/96, in which ranges of IPv6 may begin or end.
  private static byte[] mapped(byte[] address) {
    return ByteBuffer.allocate(IPV6_BYTES)
        .position(IPV6_BYTES - Integer.BYTES - Short.BYTES)
        .putShort((short) MAPPED)
        .put(address)
        .array();
  }

  // ---- ranges ----------------------------------------------------------------------------------

  private static final int ROOM_AT_FIRST = 1024;

  /// Of IPv4. Numbers are unsigned.
  private static final class Ranges4 {
    private int count;
    private int[] first = {};
    private int[] last = {};
    private int[] system = {};

    /// False when it is not beyond all that there are.
    boolean add(int from, int to, int of) {
      if (count > 0 && Integer.compareUnsigned(from, last[count - 1]) <= 0) {
        return false;
      }
      if (count == first.length) {
        resize(Math.max(ROOM_AT_FIRST, 2 * count));
      }
      first[count] = from;
      last[count] = to;
      system[count] = of;
      count++;
      return true;
    }

    void trim() {
      resize(count);
    }

    private void resize(int length) {
      first = Arrays.copyOf(first, length);
      last = Arrays.copyOf(last, length);
      system = Arrays.copyOf(system, length);
    }

    long systemOf(int address) {
      // The last range that begins at the address or below it.
      int low = 0;
      int high = count - 1;
      while (low <= high) {
        int middle = (low + high) >>> 1;
        if (Integer.compareUnsigned(first[middle], address) <= 0) {
          low = middle + 1;
        } else {
          high = middle - 1;
        }
      }
      return high >= 0 && Integer.compareUnsigned(address, last[high]) <= 0
          ? Integer.toUnsignedLong(system[high])
          : UNKNOWN;
    }
  }

  /// Of IPv6: two longs for an address, the higher one first. Numbers are unsigned.
  private static final class Ranges6 {
    private int count;
    private long[] first = {};
    private long[] last = {};
    private int[] system = {};

    /// False when it is not beyond all that there are.
    boolean add(long fromHigh, long fromLow, long toHigh, long toLow, int of) {
      if (count > 0 && compare(last, count - 1, fromHigh, fromLow) >= 0) {
        return false;
      }
      if (count == system.length) {
        resize(Math.max(ROOM_AT_FIRST, 2 * count));
      }
      first[2 * count] = fromHigh;
      first[2 * count + 1] = fromLow;
      last[2 * count] = toHigh;
      last[2 * count + 1] = toLow;
      system[count] = of;
      count++;
      return true;
    }

    void trim() {
      resize(count);
    }

    private void resize(int length) {
      first = Arrays.copyOf(first, 2 * length);
      last = Arrays.copyOf(last, 2 * length);
      system = Arrays.copyOf(system, length);
    }

    long systemOf(long addressHigh, long addressLow) {
      int low = 0;
      int high = count - 1;
      while (low <= high) {
        int middle = (low + high) >>> 1;
        if (compare(first, middle, addressHigh, addressLow) <= 0) {
          low = middle + 1;
        } else {
          high = middle - 1;
        }
      }
      return high >= 0 && compare(last, high, addressHigh, addressLow) >= 0
          ? Integer.toUnsignedLong(system[high])
          : UNKNOWN;
    }

    private static int compare(long[] addresses, int index, long high, long low) {
      int compared = Long.compareUnsigned(addresses[2 * index], high);
      return compared != 0 ? compared : Long.compareUnsigned(addresses[2 * index + 1], low);
    }
  }

  // ---- lines -----------------------------------------------------------------------------------

  /// The lines of a file, none of which can be so long that it fills the memory.
  private static final class Lines {
    private static final int LINE_BYTES_MAX = 4096;

    private final InputStream in;
    private final byte[] buffer = new byte[64 * 1024];
    private int from;
    private int to;
    private long read;

    /// This line, without its end.
    private final byte[] line = new byte[LINE_BYTES_MAX];

    private int length;
    private int number;

    Lines(InputStream in) {
      this.in = in;
    }

    /// False at the end.
    boolean next() throws IOException, Unusable {
      length = 0;
      number++;
      while (true) {
        if (from == to && !fill()) {
          if (length > 0) {
            throw new Unusable(number, "a whole line with its line end: the file is cut off");
          }
          return false;
        }
        byte next = buffer[from++];
        if (next == '\n') {
          length -= length > 0 && line[length - 1] == '\r' ? 1 : 0;
          return true;
        }
        if (length == LINE_BYTES_MAX) {
          throw new Unusable(number, "a line of at most " + LINE_BYTES_MAX + " bytes");
        }
        line[length++] = next;
      }
    }

    private boolean fill() throws IOException, Unusable {
      from = 0;
      to = Math.max(0, in.read(buffer));
      read += to;
      if (read > FILE_BYTES_MAX) {
        throw new Unusable(0, "a file of at most 256 MiB");
      }
      return to > 0;
    }

    /// Where the field that begins at `from` ends; where the line does if it has no such field.
    int fieldEnd(int from) {
      int end = from;
      while (end < length && line[end] != '\t') {
        end++;
      }
      return end;
    }

    String text(int from, int to) {
      return new String(line, from, to - from, StandardCharsets.ISO_8859_1);
    }

    /// Of this line, from 1.
    int number() {
      return number;
    }
  }
}
