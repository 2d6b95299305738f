package io.tern.client.core;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.SendCallback;
import io.tern.client.TernException;
import io.tern.client.store.MemoryClientStore;
import io.tern.protocol.ChatId;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Sent;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/// What a client costs: time for the whole life of a message on both sides (SEND, SENT, DELIVER,
/// ACK, RECEIPT), and memory while nothing happens. Prints the figures; the bounds are wide, for
/// the machine may be busy.
class ClientCostTest {

  private static final UserId ALICE = new UserId(123_456_789_012L);
  private static final UserId BOB = new UserId(223_456_789_012L);

  /// Without leak detection, which would be most of what is measured.
  private static final UnpooledByteBufAllocator BUFFERS = new UnpooledByteBufAllocator(false, true);

  private static final int IN_FLIGHT = 16;
  private static final int ROUNDS = 5_000;

  @Test
  void aMessageCostsMicroseconds() {
    var alice = new Peer(ALICE, BOB);
    var bob = new Peer(BOB, ALICE);
    alice.other = bob;
    bob.other = alice;
    alice.up();
    bob.up();
    double best = Double.MAX_VALUE;
    for (int warm = 0; warm < 4; warm++) {
      long start = System.nanoTime();
      for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < IN_FLIGHT; i++) {
          alice.core.send(1, alice.chat, alice.content, alice);
        }
        alice.core.endPass(1);
        alice.take();
        bob.take();
        alice.take();
      }
      best = Math.min(best, (System.nanoTime() - start) / 1000.0 / ROUNDS / IN_FLIGHT);
    }
    System.out.printf(
        "client: %.2f us a message, both sides, with a stand-in for the server%n", best);
    assertThat(alice.sent).isEqualTo(4L * ROUNDS * IN_FLIGHT);
    assertThat(bob.heard).isEqualTo(4L * ROUNDS * IN_FLIGHT);
    assertThat(best).isLessThan(60);
    alice.in.release();
    bob.in.release();
  }

  @Test
  void anIdleClientTakesLittleMemory() {
    int clients = 4_000;
    List<Peer> all = new ArrayList<>(clients);
    new Peer(ALICE, BOB).up();
    long before = heapBytes();
    for (int i = 0; i < clients; i++) {
      var peer = new Peer(ALICE, BOB);
      peer.up();
      peer.in.release();
      all.add(peer);
    }
    long bytes = (heapBytes() - before) / clients;
    System.out.printf(
        "client: %d bytes of heap for an idle client with one chat, without its channel%n", bytes);
    assertThat(all).hasSize(clients);
    assertThat(bytes).isLessThan(8_000);
  }

  private static long heapBytes() {
    for (int i = 0; i < 3; i++) {
      System.gc();
    }
    return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
  }

  /// A client and as much of a server as one chat needs.
  private static final class Peer implements ClientIo, ClientListener, SendCallback {
    private static final Content CONTENT = Script.content("x".repeat(100));
    private static final byte[] SENT =
        Sent.newBuilder().setTsMs(1_700_000_000_000L).build().toByteArray();

    private final UserId me;
    private final UserId peer;
    private final ChatId chat;
    private final Content content = CONTENT;
    private final ClientCore core;
    private final ByteBuf in = BUFFERS.heapBuffer(256);
    private final FrameHeader header = new FrameHeader();
    private Peer other = this;
    private long head;
    private long sent;
    private long heard;
    private boolean prefaced;

    Peer(UserId me, UserId peer) {
      this.me = me;
      this.peer = peer;
      chat = ChatId.direct(me, peer);
      var store = new MemoryClientStore();
      store.renumberSends(chat, 0, 0);
      core =
          new ClientCore(
              ClientConfig.of(
                  me,
                  1,
                  List.of(InetSocketAddress.createUnresolved("one", 1)),
                  () -> new byte[] {1},
                  store),
              this,
              this,
              new SplittableRandom(1));
    }

    void up() {
      core.start(1);
      core.onConnected(1);
      core.endPass(1);
      frame(
          FrameType.HELLO_ACK,
          0,
          0,
          0,
          HelloAck.newBuilder().setUser(me.value()).setDevice(1).build().toByteArray());
      core.onTimer(1);
      take();
    }

    void take() {
      core.onBytes(1, in);
      in.clear();
      core.endPass(1);
    }

    private void frame(FrameType type, int flags, int rid, long seq, byte[] body) {
      FrameWriter.write(in, type, flags, rid, peer.value(), seq, body);
    }

    /// Plays the server: SENT to the sender, DELIVER to the other, RECEIPT for an ACK.
    @Override
    public void write(ByteBuf frames) {
      if (!prefaced) {
        prefaced = true;
        frames.skipBytes(4);
      }
      while (frames.isReadable()) {
        FrameReader.read(frames, Limits.FRAME_BYTES_MAX, header);
        int at = frames.readerIndex();
        if (header.type() == FrameType.SEND.code()) {
          head++;
          frame(
              FrameType.SENT,
              FrameHeader.RID | FrameHeader.CHAT | FrameHeader.SEQ,
              header.rid(),
              head,
              SENT);
          other.frame(FrameType.DELIVER, FrameHeader.CHAT | FrameHeader.SEQ, 0, head, DELIVER);
        } else if (header.type() == FrameType.ACK.code()) {
          other.frame(
              FrameType.RECEIPT,
              FrameHeader.CHAT,
              0,
              0,
              Receipt.newBuilder().setDelivered(header.seq()).build().toByteArray());
        }
        frames.readerIndex(at + header.bodyBytes());
      }
      frames.release();
    }

    private static final byte[] DELIVER =
        Deliver.newBuilder()
            .setDevice(1)
            .setTsMs(1_700_000_000_000L)
            .setContent(CONTENT)
            .build()
            .toByteArray();

    @Override
    public void connect(SocketAddress address) {}

    @Override
    public ByteBuf allocate() {
      return BUFFERS.heapBuffer(512);
    }

    @Override
    public void disconnect() {}

    @Override
    public void onState(ConnectionState state) {}

    @Override
    public void onMessage(Message message) {
      heard++;
    }

    @Override
    public void onSent(ChatId in, long seq, long csn, long tsMillis, boolean repeat) {
      sent++;
    }

    @Override
    public void onRefused(ChatId in, TernException refusal) {
      throw refusal;
    }
  }
}
