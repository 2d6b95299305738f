package io.tern.tools.demo;

import java.nio.charset.StandardCharsets;
import java.util.List;

/// What Alice and Bob say: real text in several scripts, with what trips software up (right to
/// left, combining marks, emoji of several code points, line breaks). No text occurs twice.
final class Lines {

  /// A turn of the conversation.
  record Line(boolean isAlice, String text) {}

  static final List<Line> CONVERSATION =
      List.of(
          alice("Hi Bob! Did you see the terns over the harbour this morning?"),
          bob("Καλημέρα! Ναι, δεκάδες — ούτε ένας τους δεν στάθηκε."),
          alice("Правда? А я проспала рассвет…"),
          bob("صباح الخير! كانت السماء مليئة بالطيور."),
          alice("בוקר טוב! הייתי צריכה לקום מוקדם יותר."),
          bob("कल सुबह छह बजे घाट पर मिलते हैं?"),
          alice("好的，我带望远镜和早餐。"),
          bob("ありがとう。コーヒーは僕が持っていくよ。"),
          alice("비가 오면 어떡하지?"),
          bob("ฝนไม่ตกหรอก ฉันดูพยากรณ์แล้ว"),
          alice("👩‍👩‍👧‍👦 come too, 👍🏽? 🏳️‍🌈 🇬🇷 (one family, one hand, two flags)"),
          bob("Ça va: é is one code point, e\u0301 two, and both arrive as they were typed."));

  private static final String PARAGRAPH =
      "The Arctic tern flies from pole to pole and back each year. "
          + "Η στέρνα πετάει από πόλο σε πόλο. Крачка летит от полюса к полюсу. "
          + "北极燕鸥每年往返于两极之间。 キョクアジサシは極から極へ飛ぶ。 🐦\n";

  private Lines() {}

  private static Line alice(String text) {
    return new Line(true, text);
  }

  private static Line bob(String text) {
    return new Line(false, text);
  }

  /// A long message: at least `bytes` of UTF-8, in whole paragraphs.
  static String letter(int bytes) {
    int paragraphs = Math.ceilDiv(bytes, bytes(PARAGRAPH));
    return PARAGRAPH.repeat(paragraphs).strip();
  }

  static int bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8).length;
  }
}
