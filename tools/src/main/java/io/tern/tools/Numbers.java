package io.tern.tools;

import java.util.function.Function;
import picocli.CommandLine;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/// How numbers are read from a command line. Picocli would tell a person that something is "not a
/// long".
final class Numbers {

  private Numbers() {}

  /// For this command and those below it.
  static void registerWith(CommandLine commands) {
    ITypeConverter<Integer> ints = converter(Integer::valueOf, "a whole number");
    ITypeConverter<Long> longs = converter(Long::valueOf, "a whole number");
    ITypeConverter<Double> doubles = converter(Double::valueOf, "a number");
    commands
        .registerConverter(int.class, ints)
        .registerConverter(Integer.class, ints)
        .registerConverter(long.class, longs)
        .registerConverter(Long.class, longs)
        .registerConverter(double.class, doubles)
        .registerConverter(Double.class, doubles);
  }

  private static <T> ITypeConverter<T> converter(Function<String, T> parse, String wanted) {
    return text -> {
      try {
        return parse.apply(text);
      } catch (NumberFormatException e) {
        boolean isLarge = text.matches("[+-]?\\d+");
        throw new TypeConversionException(
            "'" + text + (isLarge ? "' is too large a number" : "' is not " + wanted));
      }
    };
  }
}
