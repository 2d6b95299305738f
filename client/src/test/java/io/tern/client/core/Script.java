package io.tern.client.core;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ClientStore;
import io.tern.client.SendCallback;
import io.tern.client.TernClient.Receipted;
import io.tern.client.TernException;
import io.tern.client.store.MemoryClientStore;
import io.tern.protocol.ChatId;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Sent;
import io.tern.protocol.v1.Setting;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/// One client whose server is the test: says what arrives and when, and hears what goes out.
final class Script implements ClientIo, ClientListener, SendCallback {

  static final UserId ME = new UserId(7);
  static final UserId PEER = new UserId(9);
  static final ChatId CHAT = ChatId.direct(ME, PEER);

  /// A frame that the client wrote.
  record Out(FrameType type, int rid, long chat, long seq, byte[] body) {}

  long now = 1_000_000;
  ClientStore store = new MemoryClientStore();
  byte[] token = "token".getBytes(StandardCharsets.UTF_8);
  Duration ping = Duration.ofMinutes(4);
  ClientActivity activity = ClientActivity.CLIENT_ACTIVITY_ACTIVE;
  long seed = 1;
  int window = 32;
  final List<SocketAddress> connects = new ArrayList<>();
  final List<Out> written = new ArrayList<>();
  final List<Integer> writesBytes = new ArrayList<>();
  final List<ConnectionState> states = new ArrayList<>();
  final List<Message> messages = new ArrayList<>();
  final List<Receipted> sent = new ArrayList<>();
  final List<TernException> refused = new ArrayList<>();
  final List<String> receipts = new ArrayList<>();
  final List<Long> resets = new ArrayList<>();
  final List<Setting> settings = new ArrayList<>();
  final List<String> groupReceipts = new ArrayList<>();
  final List<ReceiptCount> counts = new ArrayList<>();
  final List<String> typings = new ArrayList<>();
  final List<Presence> presences = new ArrayList<>();
  int caughtUp;
  int disconnects;
  boolean prefaced;

  /// Why the app does not take a message.
  @Nullable RuntimeException refusal;

  /// What the app does wrong whenever it hears of the connection.
  Runnable failure = () -> {};

  private ClientCore core;

  Script() {
    core = newCore();
  }

  private ClientCore newCore() {
    var config =
        ClientConfig.of(
                ME,
                1,
                List.of(
                    InetSocketAddress.createUnresolved("one", 1),
                    InetSocketAddress.createUnresolved("two", 2)),
                () -> token,
                store)
            .withPing(ping)
            .withPendingSendsMax(1000)
            .withPendingSendBytesMax(4 * 64 * 1024)
            .withActivity(activity);
    return new ClientCore(config, this, this, new SplittableRandom(seed));
  }

  ClientCore core() {
    return core;
  }

  /// A new process on the same store.
  Script restart() {
    core = newCore();
    return start();
  }

  Script start() {
    core.start(now);
    core.endPass(now);
    return this;
  }

  Script connected() {
    core.onConnected(now);
    core.endPass(now);
    return this;
  }

  /// Started, connected and accepted.
  Script up() {
    start().connected();
    return helloAck(ack());
  }

  /// Up, with nothing sent in the chat so far, and nothing of it in [#out].
  Script numberedAndUp() {
    store.renumberSends(CHAT, 0, 0);
    up();
    out();
    return this;
  }

  /// The connection is lost, and the next one accepted.
  Script reconnect() {
    return lost().nextTimer().connected().helloAck(ack());
  }

  HelloAck.Builder ack() {
    HelloAck.Builder ack =
        HelloAck.newBuilder().setVer(1).setUser(ME.value()).setDevice(1).setSession(1).setEpoch(1);
    ack.getLimitsBuilder().setInFlight(window);
    return ack;
  }

  Script helloAck(HelloAck.Builder ack) {
    return in(FrameType.HELLO_ACK, 0, 0, 0, 0, ack.build());
  }

  Script in(FrameType type, int flags, int rid, long chat, long seq, MessageLite body) {
    ByteBuf buf = frame(type, flags, rid, chat, seq, body.toByteArray());
    core.onBytes(now, buf);
    core.endPass(now);
    return this;
  }

  static ByteBuf frame(FrameType type, int flags, int rid, long chat, long seq, byte[] body) {
    ByteBuf buf = Unpooled.buffer();
    FrameWriter.write(buf, type, flags, rid, chat, seq, body);
    return buf;
  }

  Script deliver(long seq) {
    return in(
        FrameType.DELIVER, FrameHeader.CHAT | FrameHeader.SEQ, 0, PEER.value(), seq, entry(seq));
  }

  /// The DELIVERs of some entries, one after the other.
  static ByteBuf delivers(long from, long to) {
    ByteBuf all = Unpooled.buffer();
    for (long seq = from; seq <= to; seq++) {
      FrameWriter.write(
          all,
          FrameType.DELIVER,
          FrameHeader.CHAT | FrameHeader.SEQ,
          0,
          PEER.value(),
          seq,
          entry(seq).toByteArray());
    }
    return all;
  }

  static Deliver entry(long seq) {
    return Deliver.newBuilder()
        .setDevice(3)
        .setTsMs(1000 + seq)
        .setContent(content("m" + seq))
        .build();
  }

  static Content content(String text) {
    return Content.newBuilder()
        .setKind(Kind.KIND_TEXT)
        .setBody(ByteString.copyFromUtf8(text))
        .build();
  }

  Script sentAnswer(int rid, long seq) {
    return in(
        FrameType.SENT,
        FrameHeader.RID | FrameHeader.CHAT | FrameHeader.SEQ,
        rid,
        PEER.value(),
        seq,
        Sent.newBuilder().setTsMs(5).build());
  }

  Script error(int rid, int code, int retryMillis, long csn) {
    return in(
        FrameType.ERROR,
        rid == 0 ? 0 : FrameHeader.RID,
        rid,
        0,
        0,
        Error.newBuilder().setCode(code).setRetryMs(retryMillis).setCsn(csn).build());
  }

  Script lost() {
    core.onDisconnected(now, "lost");
    core.endPass(now);
    return this;
  }

  Script send(String text) {
    return send(content(text));
  }

  Script send(Content content) {
    core.send(now, CHAT, content, this);
    core.endPass(now);
    return this;
  }

  /// Time passes, with every timer at its time.
  Script sleep(long millis) {
    long end = now + millis;
    while (core.deadlineMillis() <= end) {
      if (core.deadlineMillis() <= now && ++spins > 1000) {
        throw new AssertionError("the deadline does not move");
      }
      if (core.deadlineMillis() > now) {
        spins = 0;
      }
      now = Math.max(now, core.deadlineMillis());
      core.onTimer(now);
      core.endPass(now);
    }
    now = end;
    return this;
  }

  /// The time of the next timer comes.
  Script nextTimer() {
    now = core.deadlineMillis();
    core.onTimer(now);
    core.endPass(now);
    return this;
  }

  private int spins;

  /// What went out since the last question.
  List<Out> out() {
    var all = List.copyOf(written);
    written.clear();
    return all;
  }

  List<Out> out(FrameType type) {
    return out().stream().filter(o -> o.type == type).toList();
  }

  ConnectionState state() {
    return states.get(states.size() - 1);
  }

  // ---- effects

  @Override
  public void connect(SocketAddress address) {
    connects.add(address);
    prefaced = false;
  }

  @Override
  public ByteBuf allocate() {
    return Unpooled.buffer();
  }

  @Override
  public void write(ByteBuf frames) {
    writesBytes.add(frames.readableBytes());
    if (!prefaced) {
      prefaced = true;
      if (frames.readInt() != Limits.PREFACE) {
        throw new AssertionError("no preface");
      }
    }
    var header = new FrameHeader();
    while (frames.isReadable()) {
      if (FrameReader.read(frames, Limits.FRAME_BYTES_MAX, header) != FrameReader.Result.FRAME) {
        throw new AssertionError("not a whole frame");
      }
      var body = new byte[header.bodyBytes()];
      frames.readBytes(body);
      FrameType type = FrameType.of(header.type());
      if (type == null) {
        throw new AssertionError("unknown type");
      }
      written.add(new Out(type, header.rid(), header.chat(), header.seq(), body));
    }
    frames.release();
  }

  @Override
  public void disconnect() {
    disconnects++;
  }

  @Override
  public void onState(ConnectionState state) {}

  // ---- the app

  @Override
  public void onConnection(ConnectionState state) {
    states.add(state);
    failure.run();
  }

  @Override
  public void onMessage(Message message) {
    RuntimeException thrown = refusal;
    if (thrown != null) {
      throw thrown;
    }
    messages.add(message);
  }

  @Override
  public void onReceipt(ChatId chat, UserId member, long delivered, long read) {
    receipts.add(member + " " + delivered + " " + read);
  }

  @Override
  public void onReset(ChatId chat, long seq) {
    resets.add(seq);
  }

  @Override
  public void onSetting(Setting setting) {
    settings.add(setting);
  }

  @Override
  public void onGroupReceipt(ChatId group, long allDelivered, long allRead) {
    groupReceipts.add(allDelivered + " " + allRead);
  }

  @Override
  public void onReceiptCount(ReceiptCount count) {
    counts.add(count);
  }

  @Override
  public void onTyping(ChatId chat, UserId member, Typing typing) {
    typings.add(chat + " " + member + " " + typing);
  }

  @Override
  public void onPresence(Presence presence) {
    presences.add(presence);
  }

  @Override
  public void onCaughtUp() {
    caughtUp++;
  }

  @Override
  public void onSent(ChatId chat, long seq, long csn, long tsMillis, boolean repeat) {
    sent.add(new Receipted(chat, seq, csn, tsMillis, repeat));
  }

  @Override
  public void onSent(Receipted place) {
    sent.add(place);
  }

  @Override
  public void onRefused(ChatId chat, TernException refusal) {
    refused.add(refusal);
  }
}
