package io.tern.accounts.number;

import com.google.i18n.phonenumbers.NumberParseException;
import com.google.i18n.phonenumbers.PhoneNumberUtil;
import com.google.i18n.phonenumbers.Phonenumber;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Reads phone numbers. Any thread.
public final class PhoneNumbers {

  /// Longest that is looked at: E.164 with `+`, and what people put between digits.
  public static final int CHARACTERS_MAX = 32;

  /// A number that may be someone's.
  ///
  /// @param e164 `+` and digits: the one form in which it is compared and kept
  /// @param region of ISO 3166, "001" for numbers of no country
  public record PhoneNumber(String e164, String region) {

    /// All but the last `digits`: the range it comes from.
    public String prefix(int digits) {
      return e164.substring(0, Math.max(2, e164.length() - digits));
    }

    /// A number is nobody's business.
    @Override
    public String toString() {
      return "PhoneNumber[" + region + "]";
    }
  }

  private PhoneNumbers() {}

  /// The number that `text` means; null when it is none. It begins with `+`: there is no country
  /// that a server could add.
  public static @Nullable PhoneNumber parse(String text) {
    if (text.length() > CHARACTERS_MAX || !text.startsWith("+")) {
      return null;
    }
    PhoneNumberUtil util = PhoneNumberUtil.getInstance();
    try {
      Phonenumber.PhoneNumber number = util.parse(text, null);
      if (number.hasExtension() || !util.isValidNumber(number)) {
        return null;
      }
      String region = util.getRegionCodeForNumber(number);
      return region == null
          ? null
          : new PhoneNumber(util.format(number, PhoneNumberUtil.PhoneNumberFormat.E164), region);
    } catch (NumberParseException e) {
      // That it is none is the answer.
      return null;
    }
  }

  /// Every region there is, for the validation of allow-lists.
  public static Set<String> regions() {
    return new HashSet<>(PhoneNumberUtil.getInstance().getSupportedRegions());
  }
}
