package io.tern.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;

class BatchTest {

  private final Batch batch = new Batch();

  @Test
  void theEncodingIsRocksDbs() {
    batch.put(new byte[] {1, 2}, new byte[] {3});
    batch.delete(new byte[] {4});
    batch.deleteRange(new byte[] {5}, new byte[] {6});

    assertThat(HexFormat.of().formatHex(batch.encoded()))
        .isEqualTo("0000000000000000" + "03000000" + "0102010201" + "03" + "000104" + "0f01050106");
    assertThat(batch.count()).isEqualTo(3);
    assertThat(batch.bytes()).isEqualTo(batch.encoded().length);
  }

  @Test
  void aValueMayComeInTwoPieces() {
    batch.put(new byte[] {1}, new byte[] {2, 3, 9}, 2, new byte[] {9, 4, 5, 9}, 1, 2);

    assertThat(records()).containsExactly("put 01 02030405");
    assertThat(batch.find(new byte[] {1})).containsExactly(2, 3, 4, 5);
  }

  @Test
  void aClearedBatchIsEmpty() {
    batch.put(new byte[] {1}, new byte[2_000_000]);
    batch.number(7);
    batch.clear();

    assertThat(batch.count()).isZero();
    assertThat(batch.number()).isZero();
    assertThat(batch.encoded()).hasSize(12).containsOnly(0);
    assertThat(batch.find(new byte[] {1})).isNull();
  }

  @Test
  void findSeesTheNewestPut() {
    batch.put(new byte[] {1}, new byte[] {1});
    batch.put(new byte[] {1, 2}, new byte[] {2});
    batch.delete(new byte[] {7});
    batch.deleteRange(new byte[] {7}, new byte[] {8});
    batch.put(new byte[] {1}, new byte[] {3});
    batch.put(new byte[] {2}, new byte[200]);

    assertThat(batch.find(new byte[] {1})).containsExactly(3);
    assertThat(batch.find(new byte[] {2})).hasSize(200);
    assertThat(batch.find(new byte[] {7})).isNull();
    assertThat(batch.find(new byte[] {3})).isNull();
  }

  @Test
  void aRangeThatEndsBeforeItStartsIsABug() {
    assertThatThrownBy(() -> batch.deleteRange(new byte[] {2}, new byte[] {1}))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(batch.count()).isZero();
  }

  @Test
  void whatWasWrittenIsRead() {
    RandomGenerator random = RandomGeneratorFactory.of("L64X128MixRandom").create(42);
    var expected = new ArrayList<String>();
    for (int i = 0; i < 1000; i++) {
      byte[] key = bytes(random, 40);
      byte[] value = bytes(random, i % 50 == 0 ? 20_000 : 200);
      switch (random.nextInt(3)) {
        case 0 -> {
          batch.put(key, value);
          expected.add("put " + hex(key) + " " + hex(value));
        }
        case 1 -> {
          batch.delete(key);
          expected.add("delete " + hex(key));
        }
        default -> {
          byte[] to = Arrays.copyOf(key, key.length + 1);
          batch.deleteRange(key, to);
          expected.add("deleteRange " + hex(key) + " " + hex(to));
        }
      }
    }

    assertThat(records()).isEqualTo(expected);
  }

  @Test
  void aDamagedEncodingIsRefused() {
    batch.put(new byte[] {1, 2}, new byte[] {3});
    batch.delete(new byte[] {4});
    byte[] good = batch.encoded();
    for (int length = 0; length < good.length; length++) {
      byte[] cut = Arrays.copyOf(good, length);
      assertThatThrownBy(() -> records(cut))
          .as("%d bytes", length)
          .isInstanceOf(IllegalArgumentException.class);
    }
    byte[] wrongType = good.clone();
    wrongType[12] = 9;
    assertThatThrownBy(() -> records(wrongType)).isInstanceOf(IllegalArgumentException.class);
  }

  private List<String> records() {
    return records(batch.encoded());
  }

  private static List<String> records(byte[] encoded) {
    var records = new ArrayList<String>();
    Batch.decode(
        encoded,
        new Batch.Visitor() {
          @Override
          public void put(byte[] key, byte[] value) {
            records.add("put " + hex(key) + " " + hex(value));
          }

          @Override
          public void delete(byte[] key) {
            records.add("delete " + hex(key));
          }

          @Override
          public void deleteRange(byte[] from, byte[] to) {
            records.add("deleteRange " + hex(from) + " " + hex(to));
          }
        });
    return records;
  }

  private static byte[] bytes(RandomGenerator random, int max) {
    byte[] bytes = new byte[random.nextInt(max)];
    random.nextBytes(bytes);
    return bytes;
  }

  private static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }
}
