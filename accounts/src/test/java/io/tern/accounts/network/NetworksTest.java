package io.tern.accounts.network;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tern.accounts.network.Networks.Unusable;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigInteger;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.function.IntFunction;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Whose network an address is in, and the files that say so.
class NetworksTest {

  private static final String FILE =
      """
      1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET
      1.0.1.0\t1.0.3.255\t0\tNone\tNot routed
      1.0.4.0\t1.0.7.255\t38803\tAU\tWPL-AS-AP Wirefreebroadband Pty Ltd
      100.64.0.9\t100.64.0.9\t7\tDE\tone address
      127.255.255.255\t128.0.0.0\t8\tDE\tacross the sign
      255.255.255.0\t255.255.255.255\t4294967295\tDE\tto the end
      ::\t::fffe:ffff:ffff\t9\tDE\tfrom the beginning
      2001:db8::\t2001:db8:0:ffff:ffff:ffff:ffff:ffff\t64496\tDE\tTérn €
      2001:db8:1:2:3::\t2001:db8:1:2:3::7\t64497\tDE\twithin a /64
      7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\t8000::\t64498\tDE\tacross the sign
      ffff::\tffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\t64499\tDE\tto the end
      """;

  @TempDir Path folder;

  private static Networks read(String text) throws IOException, Unusable {
    return Networks.read(new ByteArrayInputStream(text.getBytes(StandardCharsets.UTF_8)));
  }

  private static byte[] address(String text) {
    return InetAddress.ofLiteral(text).getAddress();
  }

  @ParameterizedTest
  @CsvSource({
    "0.0.0.0, 0",
    "0.255.255.255, 0",
    "1.0.0.0, 13335",
    "1.0.0.1, 13335",
    "1.0.0.255, 13335",
    "1.0.1.0, 0",
    "1.0.3.255, 0",
    "1.0.4.0, 38803",
    "1.0.7.255, 38803",
    "1.0.8.0, 0",
    "100.64.0.8, 0",
    "100.64.0.9, 7",
    "100.64.0.10, 0",
    "127.255.255.254, 0",
    "127.255.255.255, 8",
    "128.0.0.0, 8",
    "128.0.0.1, 0",
    "255.255.254.255, 0",
    "255.255.255.0, 4294967295",
    "255.255.255.255, 4294967295",
    "::, 9",
    "::1, 9",
    "::fffe:ffff:ffff, 9",
    "::1:0:0:0, 0",
    "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff, 0",
    "2001:db8::, 64496",
    "2001:db8:0:ffff:ffff:ffff:ffff:ffff, 64496",
    "2001:db8:1::, 0",
    "2001:db8:1:2:2:ffff:ffff:ffff, 0",
    "2001:db8:1:2:3::, 64497",
    "2001:db8:1:2:3::7, 64497",
    "2001:db8:1:2:3::8, 0",
    "7fff:ffff:ffff:ffff:ffff:ffff:ffff:fffe, 0",
    "7fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff, 64498",
    "8000::, 64498",
    "8000::1, 0",
    "fffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff, 0",
    "ffff::, 64499",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff, 64499",
  })
  void anAddressIsInItsRangeFromTheFirstToTheLast(String address, long system)
      throws IOException, Unusable {
    Networks networks = read(FILE);
    assertThat(networks.ranges()).isEqualTo(11);
    assertThat(networks.systemOf(address(address))).isEqualTo(system);
    Path file = Files.writeString(folder.resolve("ranges.tsv"), FILE);
    assertThat(Networks.read(file).systemOf(address(address))).isEqualTo(system);
  }

  /// An IPv4 address is one, also in the form in which a socket of IPv6 has it.
  @ParameterizedTest
  @CsvSource({"1.0.0.0, 13335", "1.0.3.255, 0", "100.64.0.9, 7", "255.255.255.255, 4294967295"})
  void aMappedAddressIsTheOneOfIpv4(String address, long system) throws IOException, Unusable {
    byte[] mapped = new byte[16];
    mapped[10] = (byte) 0xFF;
    mapped[11] = (byte) 0xFF;
    System.arraycopy(address(address), 0, mapped, 12, 4);
    assertThat(read(FILE).systemOf(mapped)).isEqualTo(system);
    String around = "::\tffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\t9\tDE\tall of IPv6\n";
    assertThat(read(around).systemOf(mapped)).as("no IPv6").isZero();
    String aside = "::ffff:0:0\t::ffff:255.255.255.255\t5\tDE\tbeside IPv4\n";
    assertThat(read(FILE.replace("2001:db8::\t", aside + "2001:db8::\t")).systemOf(mapped))
        .isEqualTo(system);
  }

  @Test
  void withoutAFileNothingIsKnown() {
    assertThat(Networks.NONE.systemOf(address("1.0.0.0"))).isZero();
    assertThat(Networks.NONE.systemOf(address("2001:db8::1"))).isZero();
    assertThat(Networks.NONE.ranges()).isZero();
  }

  /// Each kind of address in itself: files of the two may be put together in either order.
  @Test
  void rangesOfBothKindsMayBeMixed() throws IOException, Unusable {
    Networks networks =
        read("2001:db8::\t2001:db8::1\t1\n9.0.0.0\t9.0.0.1\t2\n2001:db8::2\t2001:db8::3\t3\r\n");
    assertThat(networks.systemOf(address("2001:db8::1"))).isEqualTo(1);
    assertThat(networks.systemOf(address("9.0.0.1"))).isEqualTo(2);
    assertThat(networks.systemOf(address("2001:db8::2"))).isEqualTo(3);
  }

  // ---- files that will not do ------------------------------------------------------------------

  private static void refused(String text, int line, String wanted) {
    assertThatThrownBy(() -> read(text))
        .isInstanceOfSatisfying(
            Unusable.class,
            unusable -> {
              assertThat(unusable.line()).isEqualTo(line);
              assertThat(unusable.wanted()).contains(wanted).doesNotContain("\n", "canary");
            });
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "2.0.0.0\t2.0.0.255\t1",
        "1.255.255.0\t3.0.0.0\t1",
        "2.0.0.255\t3.0.0.0\t1",
        "2.0.0.7\t2.0.0.8\t1",
        "1.0.0.0\t1.0.0.255\t1",
      })
  void rangesThatOverlapOrAreNotSortedAreRefused(String second) {
    String first = "2.0.0.0\t2.0.0.255\t1\n";
    String wanted = "a range beyond the one before it: sorted, and without overlaps";
    refused(first + second + "\n", 2, wanted);
    refused(first + "2001:db8::\t2001:db8::1\t1\n" + second + "\n", 3, wanted);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "2001:db8::\t2001:db8::ffff\t1",
        "2001:db8::ffff\t2001:db9::\t1",
        "2001:db7::\t2001:db8::\t1",
        "2001:db7::\t2001:db7::1\t1",
        "2001:db8::ffff\t2001:db8::ffff\t0",
      })
  void soAreThoseOfIpv6(String second) {
    refused(
        "2001:db8::\t2001:db8::ffff\t1\n" + second + "\n",
        2,
        "a range beyond the one before it: sorted, and without overlaps");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "canary",
        "# canary",
        "1.0.0.0\t1.0.0.255",
        "1.0.0.0 1.0.0.255 13335",
        "1.0.0.0,1.0.0.255,13335",
        "{\"canary\": 1}",
        "\u001f\u008b\b\u0000",
      })
  void aLineWithoutThreeFieldsIsRefused(String line) {
    refused("0.0.0.0\t0.0.0.0\t1\n" + line + "\n", 2, "first address, last address and number");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\t\t13335",
        "1.0.0.255\t1.0.0.0\t13335",
        "ff::\tfe::\t13335",
        "1.0.0.0\t2001:db8::\t13335",
        "2001:db8::\t1.0.0.0\t13335",
        "1.0.0.0\tcanary\t13335",
        "localhost\tlocalhost\t13335",
        "16777216\t16777471\t13335",
        "1.0.0\t1.0.1\t13335",
        "1.0.0.0\t1.0.0.256\t13335",
        "1.0.0.0/24\t1.0.0.255\t13335",
        " 1.0.0.0\t1.0.0.255\t13335",
        "fe80::1%1\tfe80::2%1\t13335",
        "[2001:db8::]\t[2001:db8::1]\t13335",
        "2001:db8::1::\t2001:db8::2\t13335",
        "2001:db8\t2001:db9\t13335",
        "::1.2.3.4.5\t::2.0.0.0\t13335",
        "0x1.0.0.0\t2.0.0.0\t13335",
      })
  void whatAreNotTwoAddressesOfOneKindIsRefused(String line) {
    refused("0.0.0.0\t0.0.0.0\t1\n" + line + "\n", 2, "two IP addresses of one kind");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "AS13335", "-1", "4294967296", "99999999999999999999", "1.5", "1 ", "٣"})
  void whatIsNoNumberOfASystemIsRefused(String number) {
    refused(
        "0.0.0.0\t0.0.0.0\t1\n1.0.0.0\t1.0.0.255\t" + number + "\tUS\tcanary\n",
        2,
        "the number of a system, 0 to 4294967295");
  }

  /// As it is while it is being written.
  @Test
  void aFileThatIsCutOffIsRefusedWhereverItIsCut() {
    String cutAt = FILE.substring(0, FILE.indexOf("WPL") + 3);
    for (int end = 0; end < cutAt.length(); end++) {
      String text = cutAt.substring(0, end);
      if (text.isEmpty()) {
        refused(text, 0, "a file with a range of a known system");
      } else if (!text.endsWith("\n")) {
        refused(text, (int) text.lines().count(), "a whole line with its line end");
      }
    }
  }

  @Test
  void aFileThatKnowsNoSystemIsRefused() {
    refused("0.0.0.0\t255.255.255.255\t0\tNone\tNot routed\n", 0, "a range of a known system");
  }

  @Test
  void aLineThatDoesNotEndIsRefused() {
    String line = "1.0.0.0\t1.0.0.255\t13335\tUS\t";
    assertThat(line.length()).isLessThan(4096);
    refused(line + "x".repeat(4097 - line.length()) + "\n", 1, "a line of at most 4096 bytes");
    refused("x".repeat(100_000), 1, "a line of at most 4096 bytes");
  }

  /// A file of `lines` lines that is made while it is read.
  private static InputStream lines(int lines, IntFunction<String> line) {
    return new InputStream() {
      private byte[] bytes = {};
      private int at;
      private int made;

      @Override
      public int read(byte[] into, int offset, int length) {
        if (at == bytes.length) {
          if (made == lines) {
            return -1;
          }
          var some = new StringBuilder();
          for (int i = 0; i < 1000 && made < lines; i++) {
            some.append(line.apply(made++)).append('\n');
          }
          bytes = some.toString().getBytes(StandardCharsets.US_ASCII);
          at = 0;
        }
        int count = Math.min(length, bytes.length - at);
        System.arraycopy(bytes, at, into, offset, count);
        at += count;
        return count;
      }

      @Override
      public int read() {
        throw new UnsupportedOperationException("one by one");
      }
    };
  }

  private static String v4(int n) {
    return (n >>> 24 & 0xFF) + "." + (n >>> 16 & 0xFF) + "." + (n >>> 8 & 0xFF) + "." + (n & 0xFF);
  }

  @Test
  void aFileHasAtMostTwoMillionRanges() throws IOException, Unusable {
    IntFunction<String> line = n -> v4(2 * n) + "\t" + v4(2 * n) + "\t" + (n + 1L);
    Networks most = Networks.read(lines(Networks.RANGES_MAX, line));
    assertThat(most.ranges()).isEqualTo(2_000_000);
    assertThat(most.systemOf(address(v4(2 * 1_999_999)))).isEqualTo(2_000_000);
    assertThat(most.systemOf(address(v4(2 * 1_999_999 - 1)))).isZero();
    assertThatThrownBy(() -> Networks.read(lines(Networks.RANGES_MAX + 1, line)))
        .isInstanceOf(Unusable.class)
        .hasMessage("a file of at most 2000000 ranges");
  }

  @Test
  void aFileHasAtMost256MiB() {
    String long4000 = "x".repeat(3_900);
    assertThatThrownBy(() ->
            Networks.read(
                lines(100_000, n -> v4(2 * n) + "\t" + v4(2 * n) + "\t1\tDE\t" + long4000)))
        .isInstanceOf(Unusable.class)
        .hasMessage("a file of at most 256 MiB");
  }

  // ---- against a plain reference ---------------------------------------------------------------

  private static final BigInteger MAPPED = BigInteger.valueOf(0xFFFF);

  private record Range(BigInteger first, BigInteger last, long system) {}

  /// Random ranges, some of which touch and some of which are one address, and random addresses,
  /// most of them near an edge.
  @Test
  void itIsWhatALookAtEveryRangeFinds() throws IOException, Unusable {
    long seed = Long.getLong("tern.seed", System.nanoTime());
    System.out.println("seed " + seed);
    RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(seed);
    int known = 0;
    for (int round = 0; round < 200; round++) {
      for (int bytes : new int[] {4, 16}) {
        // Few bits, spread over the address, so that edges meet.
        int bits = random.nextInt(3, 12);
        int shift = random.nextInt(bytes * 8 - bits + 1);
        List<Range> ranges = ranges(random, bits, shift, random.nextInt(1, 60));
        var text = new StringBuilder("9.9.9.9\t9.9.9.9\t1\n");
        if (bytes == 4) {
          text.setLength(0);
          text.append("9::\t9::\t1\n");
        }
        for (Range range : ranges) {
          text.append(text(range.first, bytes))
              .append('\t')
              .append(text(range.last, bytes))
              .append('\t')
              .append(range.system)
              .append("\tXX\t\n");
        }
        Networks networks = read(text.toString());
        for (int i = 0; i < 300; i++) {
          BigInteger address = near(random, ranges, bytes);
          long expected = 0;
          for (Range range : ranges) {
            boolean isIpv4 = bytes == 16 && address.shiftRight(32).equals(MAPPED);
            if (!isIpv4
                && range.first.compareTo(address) <= 0
                && address.compareTo(range.last) <= 0) {
              expected = range.system;
            }
          }
          known += expected == 0 ? 0 : 1;
          assertThat(networks.systemOf(bytes(address, bytes)))
              .as("seed %d, round %d: %s in%n%s", seed, round, text(address, bytes), text)
              .isEqualTo(expected);
        }
      }
    }
    assertThat(known).as("addresses of a known system").isGreaterThan(10_000);
  }

  private static List<Range> ranges(RandomGenerator random, int bits, int shift, int most) {
    var edges = new TreeSet<Integer>();
    for (int i = 0; i < 2 * most; i++) {
      edges.add(random.nextInt(1 << bits));
    }
    var ranges = new ArrayList<Range>();
    Integer[] sorted = edges.toArray(Integer[]::new);
    for (int i = 0; i + 1 < sorted.length; i += random.nextInt(1, 3)) {
      BigInteger first = BigInteger.valueOf(sorted[i]).shiftLeft(shift);
      BigInteger next = BigInteger.valueOf(sorted[i + 1]).shiftLeft(shift);
      BigInteger last = random.nextInt(4) == 0 ? first : next.subtract(BigInteger.ONE);
      ranges.add(new Range(first, last, random.nextInt(5) == 0 ? 0 : random.nextLong(1L << 32)));
    }
    return ranges;
  }

  private static BigInteger near(RandomGenerator random, List<Range> ranges, int bytes) {
    byte[] any = new byte[bytes];
    random.nextBytes(any);
    if (ranges.isEmpty() || random.nextInt(8) == 0) {
      return new BigInteger(1, any);
    }
    Range range = ranges.get(random.nextInt(ranges.size()));
    BigInteger edge = random.nextBoolean() ? range.first : range.last;
    BigInteger near = edge.add(BigInteger.valueOf(random.nextInt(-2, 3)));
    return near.signum() < 0 || near.bitLength() > bytes * 8 ? edge : near;
  }

  private static byte[] bytes(BigInteger address, int bytes) {
    byte[] all = address.toByteArray();
    byte[] exact = new byte[bytes];
    int length = Math.min(bytes, all.length);
    System.arraycopy(all, all.length - length, exact, bytes - length, length);
    return exact;
  }

  private static String text(BigInteger address, int bytes) {
    byte[] exact = bytes(address, bytes);
    var text = new StringBuilder();
    for (int i = 0; i < bytes; i += bytes == 4 ? 1 : 2) {
      text.append(i == 0 ? "" : bytes == 4 ? "." : ":")
          .append(
              bytes == 4
                  ? Integer.toString(exact[i] & 0xFF)
                  : Integer.toHexString((exact[i] & 0xFF) << 8 | (exact[i + 1] & 0xFF)));
    }
    return text.toString();
  }
}
