package io.tern.edge.netty;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import com.google.protobuf.ByteString;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.channel.IoEventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.socket.ChannelInputShutdownEvent;
import io.tern.edge.config.BudgetsConfig;
import io.tern.edge.config.DrainConfig;
import io.tern.edge.config.ServerConfig;
import io.tern.edge.config.Transport;
import io.tern.edge.logging.LineEncoder;
import io.tern.edge.metrics.Counters;
import io.tern.edge.session.Authenticator;
import io.tern.edge.session.CloseReason;
import io.tern.edge.session.Disconnector;
import io.tern.edge.session.Drain;
import io.tern.edge.session.EdgeBudgets;
import io.tern.edge.session.EdgeContext;
import io.tern.edge.session.KnownUsers;
import io.tern.edge.session.PresenceDesk;
import io.tern.edge.session.Shedding;
import io.tern.edge.session.StageWatch;
import io.tern.edge.session.Turns;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Hello;
import io.tern.router.Delivery;
import io.tern.router.EdgeId;
import io.tern.router.Origin;
import io.tern.router.Readers;
import io.tern.router.Trace;
import io.tern.router.catchup.CatchUpConfig;
import io.tern.router.directory.MemoryDirectory;
import io.tern.router.presence.MemoryPresenceHub;
import io.tern.store.Command;
import io.tern.store.Outcome;
import io.tern.store.memory.MemoryStorage;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;
import org.awaitility.Awaitility;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.slf4j.LoggerFactory;

/// The shell on Netty's embedded channel, fed in odd pieces; every buffer it was given or took must
/// be released.
class ConnectionTest {

  private static final EdgeId EDGE = new EdgeId("test", 1);
  private static final int IDS = 512;

  private final MemoryDirectory directory = new MemoryDirectory(MemoryDirectory.Config.DEFAULT, 1);
  private final MemoryStorage storage = new MemoryStorage();
  private final List<Command> commands = new ArrayList<>();
  private final List<ByteBuf> given = new ArrayList<>();
  private final EmbeddedChannel channel = new EmbeddedChannel();
  private final Counters counters = new Counters();
  private final Disconnector disconnector =
      new Disconnector(counters, new Disconnector.Spread(1, 2));
  private EdgeLoop loop = loop(channel.eventLoop());
  private @Nullable RuntimeException bug;

  private EdgeLoop loop(EventLoop eventLoop) {
    var limits =
        ServerConfig.load(
                null, Map.of("limits.cheap.rate", "0", "limits.unauthenticated-per-ip-max", "64"))
            .limits();
    var edge =
        new EdgeContext(
            EDGE,
            limits,
            (command, origin) -> submit(command, origin),
            readers(),
            directory,
            (to, delivery) -> {},
            authenticator(),
            disconnector,
            new KnownUsers(1024),
            counters,
            StageWatch.NONE,
            CatchUpConfig.DEFAULT,
            new PresenceDesk(
                new MemoryPresenceHub(100, System::nanoTime),
                directory,
                readers(),
                (to, delivery) -> {},
                counters),
            new Turns(
                ServerConfig.load(null, Map.of()).turns(),
                counters,
                new Random(1),
                System::nanoTime),
            new EdgeBudgets(BudgetsConfig.NONE, System::nanoTime),
            new Shedding(() -> 0, System::nanoTime),
            new Drain(DrainConfig.DEFAULT, counters, System::nanoTime, System::currentTimeMillis),
            new Random(1),
            System::nanoTime,
            System::currentTimeMillis,
            Trace.OFF);
    return new EdgeLoop(
        0,
        eventLoop,
        edge,
        new Admission(limits, BudgetsConfig.NONE, counters, System::nanoTime, () -> {}));
  }

  private Readers readers() {
    return new Readers() {
      @Override
      public <T> boolean ask(
          Function<Shards, T> question, Consumer<? super T> then, Consumer<Throwable> failed) {
        then.accept(question.apply(slot -> storage));
        return true;
      }

      @Override
      public <T> @Nullable T fromMemory(Function<Shards, T> question) {
        return null;
      }
    };
  }

  private boolean submit(Command command, Origin origin) {
    commands.add(command);
    if (bug != null && command instanceof Command.Send) {
      throw bug;
    }
    if (command instanceof Command.Enrol) {
      loop.post(List.of(new Delivery.Answer(origin, command, new Outcome.Enrolled(true, false))));
    }
    return true;
  }

  private static Authenticator authenticator() {
    return new Authenticator() {
      @Override
      public void verifyToken(byte[] token, Consumer<Identity> then) {
        then.accept(new Accepted(new DeviceId(new UserId(5), 1), Long.MAX_VALUE, 0));
      }

      @Override
      public Identity openTicket(byte[] ticket, long count) {
        throw new IllegalStateException("no tickets here");
      }

      @Override
      public byte[] sealTicket(Accepted identity) {
        return new byte[] {1};
      }

      @Override
      public int ticketSeconds(Accepted identity) {
        return 1;
      }
    };
  }

  private void connect() {
    loop.admission().enter(null);
    channel.pipeline().addLast(new Connection(loop, channel, Door.PLAIN, null));
  }

  @AfterEach
  void everythingIsReleased() {
    channel.finishAndReleaseAll();
    assertThat(given).allSatisfy(buffer -> assertThat(buffer.refCnt()).isZero());
    assertThat(loop.admission().connections()).isZero();
    assertThat(loop.sessions().size()).isZero();
  }

  private static byte[] frame(FrameType type, int flags, int rid, long chat, byte[] body) {
    ByteBuf out = Unpooled.buffer();
    FrameWriter.write(out, type, flags, rid, chat, 0, body);
    var bytes = new byte[out.readableBytes()];
    out.readBytes(bytes);
    return bytes;
  }

  private static byte[] login() {
    byte[] hello =
        frame(
            FrameType.HELLO,
            0,
            0,
            0,
            Hello.newBuilder()
                .setVerMin(1)
                .setVerMax(1)
                .setDevice(1)
                .setToken(ByteString.copyFromUtf8("t"))
                .build()
                .toByteArray());
    return joined(new byte[] {0x54, 0x52, 0x4E, 0x01}, hello);
  }

  private static byte[] joined(byte[]... pieces) {
    ByteBuf all = Unpooled.wrappedBuffer(pieces);
    var bytes = new byte[all.readableBytes()];
    all.readBytes(bytes);
    return bytes;
  }

  private void read(byte[] bytes, int from, int to) {
    ByteBuf buffer = PooledByteBufAllocator.DEFAULT.directBuffer(Math.max(1, to - from));
    buffer.writeBytes(bytes, from, to - from);
    given.add(buffer);
    channel.writeInbound(buffer);
    channel.runPendingTasks();
  }

  /// What the connection wrote since the last call.
  private List<FrameType> written() {
    var types = new ArrayList<FrameType>();
    ByteBuf all = Unpooled.buffer();
    for (ByteBuf piece = channel.readOutbound(); piece != null; piece = channel.readOutbound()) {
      all.writeBytes(piece);
      piece.release();
    }
    var header = new FrameHeader();
    while (all.isReadable()) {
      assertThat(FrameReader.read(all, 1 << 20, header)).isEqualTo(FrameReader.Result.FRAME);
      all.skipBytes(header.bodyBytes());
      types.add(Objects.requireNonNull(FrameType.of(header.type())));
    }
    return types;
  }

  @Test
  void byteByByteIsTheSameAsAtOnce() {
    connect();
    byte[] ping = frame(FrameType.PING, 0, 0, 0, new byte[] {7});
    byte[] all = joined(login(), ping, ping, ping);
    for (int i = 0; i < all.length; i++) {
      read(all, i, i + 1);
    }
    assertThat(written())
        .containsExactly(
            FrameType.HELLO_ACK,
            FrameType.CATCH_UP_PAGE,
            FrameType.PONG,
            FrameType.PONG,
            FrameType.PONG);
  }

  @Test
  void everySplitInTwoIsTheSame() {
    byte[] ping = frame(FrameType.PING, 0, 0, 0, new byte[] {7});
    connect();
    read(login(), 0, login().length);
    written();
    byte[] three = joined(ping, ping, ping);
    for (int split = 0; split <= three.length; split++) {
      read(three, 0, split);
      read(three, split, three.length);
      assertThat(written()).containsExactly(FrameType.PONG, FrameType.PONG, FrameType.PONG);
    }
  }

  @Test
  void aThousandFramesInOneReadAreAnsweredInFewWrites() {
    connect();
    byte[][] pieces = new byte[1001][];
    pieces[0] = login();
    for (int i = 1; i <= 1000; i++) {
      pieces[i] = frame(FrameType.PING, 0, 0, 0, new byte[] {1});
    }
    byte[] all = joined(pieces);
    read(all, 0, all.length);
    int writes = channel.outboundMessages().size();
    assertThat(written()).hasSize(1002);
    assertThat(writes).isLessThanOrEqualTo(3);
  }

  @Test
  void framesBehindHelloWaitAndAreDroppedWithTheConnection() {
    connect();
    byte[] all = joined(login(), new byte[IDS]);
    read(all, 0, login().length + 3);
    channel.close();
    channel.runPendingTasks();
    assertThat(directory.lookup(List.of(new UserId(5))).getFirst().sessions()).isEmpty();
  }

  @Test
  void aStrangerIsSentAwayWithoutAnAnswer() {
    connect();
    byte[] http = {'G', 'E', 'T', ' '};
    read(http, 0, 1);
    channel.runPendingTasks();
    assertThat(channel.isOpen()).isFalse();
    assertThat(written()).isEmpty();
  }

  @Test
  void aMalformedFrameIsAnsweredAndEndsTheConnection() {
    connect();
    read(login(), 0, login().length);
    written();
    read(new byte[] {0x01, 0x04, 0x00}, 0, 3);
    assertThat(written()).containsExactly(FrameType.ERROR);
    assertThat(channel.isOpen()).isFalse();
  }

  /// The client learns that it was a bug, the log where; what was being worked on is in neither.
  @Test
  void aBugEndsOneSessionAndIsLoggedWithoutWhatItSays() {
    var logger = (Logger) LoggerFactory.getLogger(Connection.class);
    var log = new ListAppender<ILoggingEvent>();
    log.start();
    logger.addAppender(log);
    try {
      connect();
      read(login(), 0, login().length);
      written();
      bug = new IllegalStateException("of my body", new IllegalArgumentException("my body"));
      byte[] send = frame(FrameType.SEND, FrameHeader.RID | FrameHeader.CHAT, 1, 5, new byte[] {1});
      read(send, 0, send.length);
      assertThat(written()).containsExactly(FrameType.ERROR);
      assertThat(channel.isOpen()).isFalse();
    } finally {
      logger.detachAppender(log);
    }
    assertThat(log.list).hasSize(1);
    var lines = new LineEncoder();
    String text = new String(lines.encode(log.list.getFirst()), StandardCharsets.UTF_8);
    assertThat(text)
        .contains("session ", "IllegalStateException", "IllegalArgumentException", "at io.tern")
        .doesNotContain("my body");
  }

  private void hangUp() {
    channel.pipeline().fireUserEventTriggered(ChannelInputShutdownEvent.INSTANCE);
  }

  @Test
  void aClientThatHangsUpEndsItsSession() {
    connect();
    read(login(), 0, login().length);
    hangUp();
    channel.runPendingTasks();
    assertThat(channel.isOpen()).isFalse();
    assertThat(directory.lookup(List.of(new UserId(5))).getFirst().sessions()).isEmpty();
    assertThat(disconnector.ended(CloseReason.PEER_CLOSED)).isOne();
  }

  /// Nothing is written to who has gone, and what it had not acknowledged is its news.
  @Test
  void aSessionWhoseClientHasHungUpStillTakesWhatIsForIt() {
    connect();
    read(login(), 0, login().length);
    written();
    var route = directory.lookup(List.of(new UserId(5))).getFirst().sessions().getFirst();
    hangUp();
    var chat = ChatId.direct(new UserId(5), new UserId(6));
    var entry =
        new Delivery.Entries(chat, 1, new UserId(6), new byte[0], new byte[0], List.of(route));
    loop.sessions().take(List.of(entry), System.nanoTime());
    channel.runPendingTasks();
    assertThat(written()).isEmpty();
    assertThat(directory.attach(route.device(), EDGE, 9, true).join().news()).containsExactly(chat);
  }

  /// Between the end of the client and that of its session the device has come back.
  @Test
  void aSessionWhoseClientHasHungUpGivesWayToANewerOne() {
    connect();
    read(login(), 0, login().length);
    var route = directory.lookup(List.of(new UserId(5))).getFirst().sessions().getFirst();
    hangUp();
    var newer = directory.attach(route.device(), EDGE, 9, true).join();
    assertThat(newer.replaced()).isEqualTo(route);
    loop.sessions().take(List.of(new Delivery.Replaced(route)), System.nanoTime());
    channel.runPendingTasks();
    assertThat(channel.isOpen()).isFalse();
    assertThat(disconnector.ended(CloseReason.REPLACED)).isOne();
    assertThat(disconnector.ended(CloseReason.PEER_CLOSED)).isZero();
    assertThat(directory.lookup(List.of(new UserId(5))).getFirst().sessions())
        .containsExactly(newer.now());
  }

  /// A process that held many connections ends: the others are read and answered meanwhile.
  @ParameterizedTest
  @EnumSource(names = {"AUTO", "NIO"})
  void anAnswerGoesOutBetweenTheEndsOfMany(Transport transport) throws Exception {
    int many = 200;
    var group = new MultiThreadIoEventLoopGroup(1, transport.ioHandlers());
    var eventLoop = (EventLoop) group.next();
    loop = loop(eventLoop);
    loop.edge()
        .turns()
        .runBy((millis, task) -> eventLoop.schedule(task, millis, TimeUnit.MILLISECONDS));
    var left = new AtomicInteger();
    var crowd = new ArrayList<Socket>();
    try {
      var address = (InetSocketAddress) listen(transport, group, left).localAddress();
      for (int i = 0; i < many; i++) {
        crowd.add(loggedIn(address));
      }
      try (Socket one = loggedIn(address)) {
        var held = new CountDownLatch(1);
        var holds = new CountDownLatch(1);
        var _ =
            eventLoop.submit(() -> {
              holds.countDown();
              held.await();
              return null;
            });
        holds.await();
        for (Socket socket : crowd) {
          socket.close();
        }
        one.getOutputStream().write(frame(FrameType.PING, 0, 0, 0, new byte[] {7}));
        held.countDown();
        while (readFrame(one) != FrameType.PONG) {}
        assertThat(left.get()).as("sessions when it was answered").isGreaterThan(many / 2);
      }
      Awaitility.await().until(() -> loop.admission().connections() == 0);
    } finally {
      group.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
    }
  }

  /// @param left how many sessions there are at each write
  private Channel listen(Transport transport, IoEventLoopGroup group, AtomicInteger left)
      throws InterruptedException {
    return new ServerBootstrap()
        .group(group)
        .channel(transport.serverChannel())
        .childHandler(
            new ChannelInitializer<Channel>() {
              @Override
              protected void initChannel(Channel accepted) {
                loop.admission().enter(null);
                accepted
                    .pipeline()
                    .addLast(
                        new ChannelOutboundHandlerAdapter() {
                          @Override
                          public void flush(ChannelHandlerContext ctx) {
                            left.set(loop.sessions().size());
                            ctx.flush();
                          }
                        },
                        new Connection(loop, accepted, Door.PLAIN, null));
              }
            })
        .bind(InetAddress.getLoopbackAddress(), 0)
        .sync()
        .channel();
  }

  private static Socket loggedIn(InetSocketAddress address) throws IOException {
    var socket = new Socket(address.getAddress(), address.getPort());
    socket.getOutputStream().write(login());
    assertThat(readFrame(socket)).isEqualTo(FrameType.HELLO_ACK);
    return socket;
  }

  private static FrameType readFrame(Socket socket) throws IOException {
    ByteBuf read = Unpooled.buffer();
    var header = new FrameHeader();
    FrameReader.Result result;
    do {
      int next = socket.getInputStream().read();
      assertThat(next).as("the server closed").isNotNegative();
      read.writeByte(next).readerIndex(0);
      result = FrameReader.read(read, 1 << 20, header);
    } while (result == FrameReader.Result.INCOMPLETE);
    assertThat(result).isEqualTo(FrameReader.Result.FRAME);
    return Objects.requireNonNull(FrameType.of(header.type()));
  }
}
