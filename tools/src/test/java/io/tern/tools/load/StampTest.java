package io.tern.tools.load;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StampTest {

  private static final Stamp STAMP = new Stamp(-7, 3, 4, 1L << 40, 123_456_789);

  @ParameterizedTest
  @ValueSource(ints = {Stamp.BYTES_MIN, 37, 100, 16_384})
  void aStampComesBackFromABodyOfItsSize(int bytes) {
    var body = STAMP.encode(bytes);

    assertThat(body).hasSize(bytes);
    assertThat(Stamp.decode(body)).isEqualTo(STAMP);
  }

  @Test
  void everyChangedByteIsNoticed() {
    var body = STAMP.encode(100);
    for (int i = 0; i < body.length; i++) {
      var changed = body.clone();
      changed[i] ^= 0x10;

      assertThat(Stamp.decode(changed)).as("byte %d", i).isNull();
    }
  }

  @Test
  void aCutBodyIsNoticed() {
    var body = STAMP.encode(100);

    assertThat(Stamp.decode(Arrays.copyOf(body, 99))).isNull();
    assertThat(Stamp.decode(new byte[0])).isNull();
  }
}
