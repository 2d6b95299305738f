package io.tern.protocol;

/// One installed app of a user. `index` is 1 to [Limits#DEVICE_INDEX_MAX], given at linking and
/// never used again for another device of the same user.
public record DeviceId(UserId user, int index) {

  public DeviceId {
    if (!isValid(index)) {
      throw new IllegalArgumentException("device index out of range: " + index);
    }
  }

  public static boolean isValid(int index) {
    return index >= 1 && index <= Limits.DEVICE_INDEX_MAX;
  }

  @Override
  public String toString() {
    return user + "." + index;
  }
}
