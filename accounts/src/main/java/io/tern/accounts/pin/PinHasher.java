package io.tern.accounts.pin;

import com.password4j.Argon2Function;
import com.password4j.Password;
import com.password4j.types.Argon2;
import java.util.concurrent.Semaphore;

/// Hashes PINs with Argon2id. Any thread; takes tens of milliseconds and 19 MiB, so that only some
/// are under way at a time and the others wait.
public final class PinHasher {

  /// 19 MiB, 2 passes, 1 lane: the least that OWASP's password storage sheet names for Argon2id.
  public static final int MEMORY_KIB = 19 * 1024;

  private static final int PASSES = 2;
  private static final int UNDER_WAY_MAX = 2;

  private final Argon2Function function;
  private final Semaphore underWay = new Semaphore(UNDER_WAY_MAX);

  /// @param memoryKib [#MEMORY_KIB] but in tests
  public PinHasher(int memoryKib) {
    function = Argon2Function.getInstance(memoryKib, PASSES, 1, 32, Argon2.ID);
  }

  /// With its parameters and a salt of its own.
  public String hash(String pin) {
    underWay.acquireUninterruptibly();
    try {
      return Password.hash(pin).addRandomSalt(16).with(function).getResult();
    } finally {
      underWay.release();
    }
  }

  public boolean matches(String pin, String hash) {
    underWay.acquireUninterruptibly();
    try {
      return Password.check(pin, hash).with(Argon2Function.getInstanceFromHash(hash));
    } finally {
      underWay.release();
    }
  }
}
