package io.tern.tools.account;

import com.google.zxing.BarcodeFormat;
import com.google.zxing.EncodeHintType;
import com.google.zxing.WriterException;
import com.google.zxing.common.BitMatrix;
import com.google.zxing.qrcode.QRCodeWriter;
import com.google.zxing.qrcode.decoder.ErrorCorrectionLevel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// A text as a QR code for a terminal: two rows of modules in a line of text, dark on light
/// whatever the terminal's colours, so that a phone can read it.
final class QrCode {

  /// What scanners want around it.
  private static final int QUIET_ZONE = 2;

  private static final String DARK_ON_LIGHT = "\u001b[30;107m";
  private static final String RESET = "\u001b[0m";

  private QrCode() {}

  static List<String> lines(String text) {
    BitMatrix modules;
    try {
      modules =
          new QRCodeWriter()
              .encode(
                  text,
                  BarcodeFormat.QR_CODE,
                  0,
                  0,
                  Map.of(
                      EncodeHintType.MARGIN,
                      QUIET_ZONE,
                      EncodeHintType.ERROR_CORRECTION,
                      ErrorCorrectionLevel.L));
    } catch (WriterException e) {
      throw new IllegalArgumentException("too long for a QR code", e);
    }
    var lines = new ArrayList<String>();
    for (int y = 0; y < modules.getHeight(); y += 2) {
      var line = new StringBuilder(DARK_ON_LIGHT);
      for (int x = 0; x < modules.getWidth(); x++) {
        boolean upper = modules.get(x, y);
        boolean lower = y + 1 < modules.getHeight() && modules.get(x, y + 1);
        line.append(upper ? (lower ? '█' : '▀') : (lower ? '▄' : ' '));
      }
      lines.add(line.append(RESET).toString());
    }
    return lines;
  }
}
