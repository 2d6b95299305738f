package io.tern.protocol;

import com.fasterxml.jackson.databind.JsonNode;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The generated parts of SPEC.md, by the names in their marks.
final class SpecTables {

  private static final Pattern PART =
      Pattern.compile("<!-- generated: ([a-z-]+) -->\n.*?<!-- /generated -->", Pattern.DOTALL);

  private SpecTables() {}

  /// The specification with every generated part as it should be.
  static String fill(String spec) {
    return PART.matcher(spec).replaceAll(match -> Matcher.quoteReplacement(part(match)));
  }

  private static String part(MatchResult match) {
    String name = match.group(1);
    return "<!-- generated: " + name + " -->\n" + table(name) + "<!-- /generated -->";
  }

  private static String table(String name) {
    return switch (name) {
      case "flags" -> flags();
      case "ranges" -> ranges();
      case "types" -> types();
      case "capabilities" -> capabilities();
      case "error-classes" -> errorClasses();
      case "errors" -> errors();
      case "limits" -> limits();
      case "conversation" -> conversation();
      case "cost" -> cost();
      case "commands-group" -> commands("group");
      case "commands-direct" -> commands("direct");
      case "commands-user" -> commands("user");
      default -> throw new AssertionError("no table " + name);
    };
  }

  private static String flags() {
    var table = new Table("flag", "name", "meaning");
    for (JsonNode flag : Registry.ROOT.get("flags")) {
      table.row(text(flag, "bit"), text(flag, "name"), text(flag, "meaning"));
    }
    return table.toString();
  }

  private static String ranges() {
    var table = new Table("TYPE", "for", "unknown ones");
    for (JsonNode range : Registry.ROOT.get("ranges")) {
      table.row(
          text(range, "from") + "–" + text(range, "to"),
          text(range, "what"),
          text(range, "unknown"));
    }
    return table.toString();
  }

  private static String types() {
    var table = new Table("TYPE", "name", "from", "header parts", "body", "meaning");
    for (JsonNode type : Registry.ROOT.get("types")) {
      List<String> parts = new ArrayList<>();
      type.get("required").forEach(part -> parts.add(part.asText()));
      type.get("optional").forEach(part -> parts.add("[" + part.asText() + "]"));
      table.row(
          text(type, "code"),
          text(type, "name"),
          text(type, "from"),
          String.join(" ", parts),
          text(type, "body"),
          text(type, "meaning"));
    }
    return table.toString();
  }

  private static String capabilities() {
    var table = new Table("bit", "name", "meaning");
    for (JsonNode each : Registry.ROOT.get("capabilities")) {
      table.row(text(each, "bit"), text(each, "name"), text(each, "meaning"));
    }
    return table.toString();
  }

  private static String errorClasses() {
    var table = new Table("codes", "class", "the client");
    for (JsonNode each : Registry.ROOT.get("error_classes")) {
      String client = text(each, "client");
      table.row(
          text(each, "hundreds") + "xx",
          text(each, "title"),
          client.substring(0, 1).toLowerCase(Locale.ROOT) + client.substring(1));
    }
    return table.toString();
  }

  private static String errors() {
    var table = new Table("code", "name", "meaning");
    for (JsonNode each : Registry.ROOT.get("errors")) {
      table.row(text(each, "code"), text(each, "name"), text(each, "meaning"));
    }
    return table.toString();
  }

  private static String limits() {
    var table = new Table("limit", "value", "of what", "at it");
    for (JsonNode each : Registry.ROOT.get("limits")) {
      table.row(
          text(each, "name"),
          String.format(Locale.ROOT, "%,d %s", each.get("value").asInt(), text(each, "unit"))
              .trim(),
          text(each, "what"),
          text(each, "at_the_limit"));
    }
    return table.toString();
  }

  private static String commands(String in) {
    var table = new Table();
    List<String> titles = null;
    for (JsonNode each : Registry.ROOT.get("commands")) {
      if (text(each, "in").equals(in)) {
        List<String> roles = new ArrayList<>();
        List<String> cells = new ArrayList<>();
        cells.add(command(each));
        each.get("answers")
            .properties()
            .forEach(answer -> {
              if (!in.equals("direct")
                  || !List.of("former", "admin", "owner").contains(answer.getKey())) {
                roles.add(answer.getKey());
                cells.add(number(answer.getValue().asText()));
              }
            });
        if (titles == null) {
          titles = new ArrayList<>(List.of("command"));
          titles.addAll(roles);
          table.head(titles.toArray(String[]::new));
        }
        table.row(cells.toArray(String[]::new));
      }
    }
    return table.toString();
  }

  private static String command(JsonNode row) {
    String what = text(row, "what").replace("KIND_", "");
    String command = text(row, "frame") + (what.isEmpty() ? "" : " " + what);
    String of = text(row, "of");
    String when = text(row, "when");
    return command + (of.isEmpty() ? "" : ", " + of) + (when.isEmpty() ? "" : " (" + when + ")");
  }

  /// Of the error with this name; other words stay.
  private static String number(String answer) {
    for (JsonNode each : Registry.ROOT.get("errors")) {
      if (text(each, "name").equals(answer)) {
        return text(each, "code");
      }
    }
    return answer;
  }

  private static String cost() {
    var table = new Table("frame", "bytes");
    int sum = 0;
    for (Conversation.Cost row : Conversation.cost()) {
      table.row(row.frame(), Integer.toString(row.bytes()));
      sum += row.bytes();
    }
    table.row("**all**", "**" + sum + "**");
    return table.toString();
  }

  private static String conversation() {
    var out = new StringBuilder("```\n");
    for (Conversation.Step step : Conversation.STEPS) {
      String title = step.from() + " → " + step.to() + "   " + step.name();
      String decoded = "";
      byte[] bytes = step.bytes();
      var header = new FrameHeader();
      var parts = new ArrayList<String>();
      if (step.frame() == null) {
        parts.add(hex(bytes, 0, 4));
      } else {
        title += "   " + describe(step, header);
        byte[] body = Arrays.copyOfRange(bytes, bytes.length - header.bodyBytes(), bytes.length);
        decoded = body.length == 0 ? "" : BodyJson.frame(header, body).get("body").toString();
        int at = 0;
        for (int length : partLengths(bytes, header)) {
          if (length > 0) {
            parts.add(hex(bytes, at, length));
          }
          at += length;
        }
      }
      out.append(title.trim()).append('\n');
      wrap(out, String.join(" | ", parts), ' ');
      if (!decoded.isEmpty()) {
        wrap(out, decoded, ',');
      }
      out.append('\n');
    }
    out.setLength(out.length() - 1);
    return out.append("```\n").toString();
  }

  private static String describe(Conversation.Step step, FrameHeader header) {
    byte[] bytes = step.bytes();
    ByteBuf in = Unpooled.wrappedBuffer(bytes);
    FrameReader.read(in, Limits.FRAME_BYTES_MAX, header);
    byte[] body = new byte[header.bodyBytes()];
    in.readBytes(body);
    String text = "";
    if (header.has(FrameHeader.RID)) {
      text += "RID " + header.rid() + " ";
    }
    if (header.has(FrameHeader.CHAT)) {
      text += "CHAT " + Long.toHexString(header.chat()) + " ";
    }
    if (header.has(FrameHeader.SEQ)) {
      text += "SEQ " + header.seq();
    }
    return text.trim();
  }

  private static int[] partLengths(byte[] bytes, FrameHeader header) {
    int len = Varint.bytes(bytes.length - 1);
    int rid = header.has(FrameHeader.RID) ? Varint.bytes(header.rid() & 0xFFFF_FFFFL) : 0;
    int chat = header.has(FrameHeader.CHAT) ? Varint.bytes(header.chat()) : 0;
    int seq = header.has(FrameHeader.SEQ) ? Varint.bytes(header.seq()) : 0;
    return new int[] {len, 1, 1, rid, chat, seq, header.bodyBytes()};
  }

  private static String hex(byte[] bytes, int from, int length) {
    return HexFormat.ofDelimiter(" ").formatHex(bytes, from, from + length);
  }

  private static void wrap(StringBuilder out, String text, char at) {
    String rest = text;
    while (rest.length() > 96) {
      int cut = rest.lastIndexOf(at, 96) + 1;
      out.append("    ").append(rest.substring(0, cut).trim()).append('\n');
      rest = rest.substring(cut);
    }
    out.append("    ").append(rest).append('\n');
  }

  private static String text(JsonNode node, String field) {
    return node.get(field).asText();
  }

  private static final class Table {
    private final StringBuilder out = new StringBuilder();

    Table(String... titles) {
      if (titles.length > 0) {
        head(titles);
      }
    }

    void head(String... titles) {
      row(titles);
      out.append("|---".repeat(titles.length)).append("|\n");
    }

    void row(String... cells) {
      for (String cell : cells) {
        out.append("| ").append(cell.replace("|", "\\|")).append(' ');
      }
      out.append("|\n");
    }

    @Override
    public String toString() {
      return out.toString();
    }
  }
}
