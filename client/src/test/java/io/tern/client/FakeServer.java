package io.tern.client;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.RegisteredEvent;
import io.tern.protocol.v1.Setting;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/// A server as small as the rules allow, for tests of the client: everything it accepts is durable,
/// and it checks what a client must keep. One thread at a time. Faults are asked of [FakeFaults].
public final class FakeServer {

  public final Map<ChatId, FakeLog> chats = new LinkedHashMap<>();
  public final Map<DeviceId, FakeSession> sessions = new LinkedHashMap<>();
  final Map<DeviceId, Long> resumeCounts = new HashMap<>();
  public FakeFaults faults = new FakeFaults() {};
  public HelloAck helloAck = HelloAck.getDefaultInstance();

  /// Told each (device, chat, seq) that a client acknowledges.
  public Ack onAck = (device, chat, seq) -> {};

  /// What users have set, by key.
  public final Map<UserId, Map<String, Setting>> settings = new HashMap<>();

  public final Set<DeviceId> known = new LinkedHashSet<>();
  public final Set<DeviceId> removed = new HashSet<>();

  /// Whether what a request writes into a chat is pushed to the session that asked.
  public boolean pushesOwnEvents = true;

  public int sendsPerSecond;
  public boolean echoesOwn = true;
  public long nowMillis = 1_700_000_000_000L;
  long epochs;
  public int hellos;
  public int resumes;
  public final List<String> violations = new ArrayList<>();
  public final Map<FrameType, Integer> received = new HashMap<>();

  public interface Ack {
    void onAck(DeviceId device, ChatId chat, long seq);
  }

  /// The token of a user's device: nothing but its name.
  public static byte[] token(UserId user, int device) {
    return (user.value() + "." + device).getBytes(StandardCharsets.UTF_8);
  }

  public FakeLog log(ChatId id) {
    return chats.computeIfAbsent(id, FakeLog::new);
  }

  /// What a setting is about: a later one of the same key replaces it.
  public static String key(Setting setting) {
    return setting.getWhatCase()
        + switch (setting.getWhatCase()) {
          case CHAT -> " " + setting.getChat().getGroup() + setting.getChat().getChat();
          case STAR -> " " + setting.getStar().getChat() + " " + setting.getStar().getSeq();
          case HIDE -> " " + setting.getHide().getChat() + " " + setting.getHide().getSeq();
          case CONTACT -> " " + setting.getContact().getUser();
          case BLOCK -> " " + setting.getBlock().getUser();
          case PRIVACY, WHAT_NOT_SET -> "";
        };
  }

  /// A new connection. `out` gets bytes for the client, `close` ends the connection.
  public FakeSession open(Consumer<byte[]> out, Runnable close) {
    return new FakeSession(this, out, close);
  }

  /// The device's user has come into their account by a registration: the direct chats in which
  /// both have written tell of it.
  public void registeredAnew(DeviceId device, long atMillis) {
    for (FakeLog log : List.copyOf(chats.values())) {
      long writers =
          log.entries.stream()
              .filter(e -> e.csn() > 0)
              .map(e -> e.sender().user())
              .distinct()
              .count();
      if (!log.id.isGroup() && !log.id.isSelf() && log.sees(device.user()) && writers == 2) {
        var entry =
            new FakeLog.Entry(
                log.head() + 1,
                device,
                0,
                nowMillis++,
                Content.newBuilder()
                    .setKind(Kind.KIND_REGISTERED)
                    .setBody(RegisteredEvent.newBuilder().setAtMs(atMillis).build().toByteString())
                    .build());
        log.entries.add(entry);
        sessions.values().stream()
            .filter(session -> log.sees(session.deviceId().user()))
            .toList()
            .forEach(session -> session.chats.push(log, entry));
      }
    }
  }

  /// Pushes again what is not acknowledged, to everybody.
  public void nudgeAll() {
    for (FakeSession session : List.copyOf(sessions.values())) {
      for (FakeLog log : List.copyOf(chats.values())) {
        session.chats.catchUp(log);
      }
    }
  }
}
