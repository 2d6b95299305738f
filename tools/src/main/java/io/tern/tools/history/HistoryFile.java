package io.tern.tools.history;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.tools.history.DeviceRecorder.Cursor;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;

/// A history as JSON lines, one event each, in the order of time: made for `grep` and `jq`, and to
/// check a red run again.
///
/// ```
/// {"t":1203,"device":"17.1","e":"sending","chat":"17-42","hash":"9f3c…"}
/// {"t":1977,"device":"17.1","e":"sent","chat":"17-42","n":0,"seq":5,"csn":3,"ts":1764…,"repeat":false}
/// ```
///
/// Ids are decimal; a group is named `0-id`. Hashes are hexadecimal strings.
public final class HistoryFile {

  private HistoryFile() {}

  /// Writes a finished history.
  public static void write(History history, Path file) throws IOException {
    try (var out = Files.newBufferedWriter(file)) {
      var devices = history.devices();
      new Merge(devices).forEach(event -> writeLine(out, devices, event));
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /// Reads what [#write] wrote.
  ///
  /// @throws IllegalArgumentException for a line that is not an event; it says which
  public static History read(Path file) throws IOException {
    var history = new History(() -> 0);
    try (var in = Files.newBufferedReader(file)) {
      read(in, history);
    }
    return history;
  }

  private static void read(BufferedReader in, History history) throws IOException {
    int number = 0;
    while (true) {
      var line = in.readLine();
      if (line == null) {
        return;
      }
      number++;
      if (line.isBlank()) {
        continue;
      }
      try {
        readEvent(new Fields(line), history);
      } catch (IllegalArgumentException e) {
        throw new IllegalArgumentException("line " + number + ": " + e.getMessage(), e);
      }
    }
  }

  private static void writeLine(BufferedWriter out, List<DeviceRecorder> devices, Cursor event) {
    var line = new StringBuilder(160);
    line.append("{\"t\":").append(event.stamp);
    line.append(",\"device\":\"").append(text(event.device.id())).append("\",\"e\":\"");
    line.append(event.kind.name().toLowerCase(Locale.ROOT)).append('"');
    switch (event.kind) {
      case OPENED -> line.append(",\"kept\":").append(event.flag);
      case UP -> number(line, "epoch", event.operand(0));
      case EXPLICIT_ACKS, ONLINE -> {}
      case SENDING -> {
        chat(line, event);
        hash(line, event.operand(0));
      }
      case SENT -> {
        chat(line, event);
        number(line, "n", event.operand(0));
        number(line, "seq", event.operand(1));
        number(line, "csn", event.operand(2));
        number(line, "ts", event.operand(3));
        line.append(",\"repeat\":").append(event.flag);
      }
      case REFUSED -> {
        chat(line, event);
        number(line, "n", event.operand(0));
        number(line, "code", event.operand(1));
      }
      case AMENDING -> {
        chat(line, event);
        number(line, "n", event.operand(0));
        number(line, "target", event.operand(1));
        hash(line, event.operand(2));
      }
      case CHANGING -> {
        line.append(",\"founding\":").append(event.flag);
        if (!event.flag) {
          chat(line, event);
        }
        hash(line, event.operand(0));
      }
      case CHANGED -> {
        chat(line, event);
        number(line, "n", event.operand(0));
        number(line, "seq", event.operand(1));
      }
      case CHANGE_REFUSED -> {
        number(line, "n", event.operand(0));
        number(line, "code", event.operand(1));
      }
      case FACT -> {
        chat(line, event);
        member(line, event);
        number(line, "seq", event.operand(0));
        hash(line, event.operand(1));
        effect(line, event.operand(2));
        line.append(",\"read\":").append(event.flag);
      }
      case PROGRESS -> {
        chat(line, event);
        number(line, "delivered", event.operand(0));
        number(line, "read", event.operand(1));
        line.append(",\"last\":").append(event.flag);
      }
      case COUNT -> {
        chat(line, event);
        number(line, "seq", event.operand(0));
        number(line, "total", event.operand(1));
        number(line, "delivered", event.operand(2));
        number(line, "read", event.operand(3));
      }
      case HISTORY_END, MEMBERS_END -> chat(line, event);
      case MEMBER -> {
        chat(line, event);
        member(line, event);
        effect(line, event.operand(0));
      }
      case DELIVERED -> {
        chat(line, event);
        sender(line, devices, event);
        number(line, "seq", event.operand(0));
        hash(line, event.operand(1));
        number(line, "ts", event.operand(2));
        number(line, "csn", event.operand(3));
      }
      case ACKING, RESET, READING -> {
        chat(line, event);
        number(line, "seq", event.operand(0));
      }
      case RECEIPT -> {
        chat(line, event);
        member(line, event);
        number(line, "delivered", event.operand(0));
        number(line, "read", event.operand(1));
      }
      case ENTRY -> {
        chat(line, event);
        sender(line, devices, event);
        number(line, "seq", event.operand(0));
        hash(line, event.operand(1));
        number(line, "ts", event.operand(2));
      }
      case SUMMARY -> {
        chat(line, event);
        member(line, event);
        number(line, "head", event.operand(0));
        number(line, "delivered", event.operand(1));
        number(line, "read", event.operand(2));
      }
    }
    line.append("}\n");
    try {
      out.append(line);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void readEvent(Fields fields, History history) {
    var device = history.device(fields.device("device"));
    device.stampNext(fields.number("t"));
    switch (fields.text("e")) {
      case "opened" -> device.opened(fields.is("kept"));
      case "up" -> device.up(fields.number("epoch"));
      case "explicit_acks" -> device.explicitAcks();
      case "sending" -> device.sending(fields.chat(), fields.hash());
      case "sent" ->
          device.sent(
              fields.chat(),
              (int) fields.number("n"),
              fields.number("seq"),
              fields.number("csn"),
              fields.number("ts"),
              fields.is("repeat"));
      case "refused" -> device.refused(fields.chat(), (int) fields.number("n"), fields.code());
      case "amending" ->
          device.amending(
              fields.chat(), (int) fields.number("n"), fields.number("target"), fields.hash());
      case "changing" -> {
        if (fields.is("founding")) {
          device.founding(fields.hash());
        } else {
          device.changing(fields.chat(), fields.hash());
        }
      }
      case "changed" ->
          device.changed(fields.chat(), (int) fields.number("n"), fields.number("seq"));
      case "change_refused" -> device.changeRefused((int) fields.number("n"), fields.code());
      case "fact" ->
          device.facts(
              fields.chat(),
              fields.number("seq"),
              new GroupFacts(
                  fields.hash(), List.of(new GroupFacts.Fact(fields.member(), fields.effect()))),
              fields.is("read"));
      case "progress" ->
          device.progress(
              fields.chat(), fields.number("delivered"), fields.number("read"), fields.is("last"));
      case "count" ->
          device.count(
              fields.chat(),
              fields.number("seq"),
              (int) fields.number("total"),
              (int) fields.number("delivered"),
              (int) fields.number("read"));
      case "history_end" -> device.historyEnd(fields.chat());
      case "member" -> device.member(fields.chat(), fields.member(), fields.effect().role());
      case "members_end" -> device.membersEnd(fields.chat());
      case "delivered" ->
          device.delivered(
              fields.chat(),
              fields.number("seq"),
              fields.device("sender"),
              fields.hash(),
              fields.number("ts"),
              fields.number("csn"));
      case "acking" -> device.acking(fields.chat(), fields.number("seq"));
      case "reset" -> device.reset(fields.chat(), fields.number("seq"));
      case "reading" -> device.reading(fields.chat(), fields.number("seq"));
      case "receipt" ->
          device.receipt(
              fields.chat(), fields.member(), fields.number("delivered"), fields.number("read"));
      case "entry" ->
          device.entry(
              fields.chat(),
              fields.number("seq"),
              fields.device("sender"),
              fields.hash(),
              fields.number("ts"));
      case "summary" ->
          device.summary(
              fields.chat(),
              fields.member(),
              fields.number("head"),
              fields.number("delivered"),
              fields.number("read"));
      case "online" -> device.online();
      default -> throw new IllegalArgumentException("unknown event " + fields.text("e"));
    }
  }

  private static String text(DeviceId device) {
    return device.user().value() + "." + device.index();
  }

  private static void chat(StringBuilder line, Cursor event) {
    var chat = event.device.chat(event);
    line.append(",\"chat\":\"").append(chat.low()).append('-').append(chat.high()).append('"');
  }

  private static void member(StringBuilder line, Cursor event) {
    number(line, "member", event.device.user(event).value());
  }

  private static void effect(StringBuilder line, long code) {
    var effect = GroupFacts.Effect.of((int) code);
    line.append(",\"effect\":\"").append(effect.name().toLowerCase(Locale.ROOT)).append('"');
  }

  private static void sender(StringBuilder line, List<DeviceRecorder> devices, Cursor event) {
    var sender = devices.get(event.other).id();
    line.append(",\"sender\":\"").append(text(sender)).append('"');
  }

  private static void number(StringBuilder line, String key, long value) {
    line.append(",\"").append(key).append("\":").append(value);
  }

  private static void hash(StringBuilder line, long value) {
    line.append(",\"hash\":\"").append(Long.toHexString(value)).append('"');
  }

  /// The fields of one flat JSON object whose strings need no escapes.
  private static final class Fields {
    private final Map<String, String> values = new HashMap<>();

    Fields(String line) {
      var object = line.strip();
      if (!object.startsWith("{") || !object.endsWith("}")) {
        throw new IllegalArgumentException("not an object");
      }
      for (var pair : object.substring(1, object.length() - 1).split(",", -1)) {
        int colon = pair.indexOf(':');
        if (colon < 0) {
          throw new IllegalArgumentException("no value in " + pair);
        }
        values.put(bare(pair.substring(0, colon)), bare(pair.substring(colon + 1)));
      }
    }

    private static String bare(String value) {
      var stripped = value.strip();
      return stripped.length() >= 2 && stripped.startsWith("\"") && stripped.endsWith("\"")
          ? stripped.substring(1, stripped.length() - 1)
          : stripped;
    }

    String text(String key) {
      var value = values.get(key);
      if (value == null) {
        throw new IllegalArgumentException(key + " is missing");
      }
      return value;
    }

    long number(String key) {
      return Long.parseLong(text(key));
    }

    boolean is(String key) {
      return Objects.equals(text(key), "true");
    }

    long hash() {
      return Long.parseUnsignedLong(text("hash"), 16);
    }

    ErrorCode code() {
      var code = ErrorCode.of((int) number("code"));
      if (code == null) {
        throw new IllegalArgumentException("unknown code " + number("code"));
      }
      return code;
    }

    GroupFacts.Effect effect() {
      return GroupFacts.Effect.valueOf(text("effect").toUpperCase(Locale.ROOT));
    }

    UserId member() {
      return new UserId(number("member"));
    }

    ChatId chat() {
      var ids = text("chat");
      int dash = ids.indexOf('-');
      if (dash < 0) {
        throw new IllegalArgumentException("not a chat: " + ids);
      }
      return new ChatId(
          Long.parseLong(ids.substring(0, dash)), Long.parseLong(ids.substring(dash + 1)));
    }

    DeviceId device(String key) {
      var id = text(key);
      int dot = id.indexOf('.');
      if (dot < 0) {
        throw new IllegalArgumentException("not a device: " + id);
      }
      return new DeviceId(
          new UserId(Long.parseLong(id.substring(0, dot))),
          Integer.parseInt(id.substring(dot + 1)));
    }
  }
}
