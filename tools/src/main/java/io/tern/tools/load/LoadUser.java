package io.tern.tools.load;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.UnsafeByteOperations;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.util.collection.LongObjectHashMap;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameReader;
import io.tern.protocol.FrameType;
import io.tern.protocol.FrameWriter;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ClientActivity;
import io.tern.protocol.v1.ConnectReason;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Error;
import io.tern.protocol.v1.GoAway;
import io.tern.protocol.v1.GroupCreate;
import io.tern.protocol.v1.GroupCreated;
import io.tern.protocol.v1.GroupEdit;
import io.tern.protocol.v1.GroupEdited;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.HelloAck;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Send;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A simulated user with one device and one connection: frames in, frames out, gathered into one
/// write per read pass. Keeps the client's rules: numbers its sends, stays within the server's
/// limit in flight, sends again what was put off, drops what it has by seq, acknowledges only what
/// it has without a hole.
///
/// Confined to the load's event loop. A lost connection is not repaired: the run ends with its
/// reason. A login that the server puts off is tried again when the server says, on a new
/// connection.
@ChannelHandler.Sharable // By one connection after the other.
final class LoadUser extends ChannelInboundHandlerAdapter {

  /// Bits of a request id that hold the message's number; the others name the conversation.
  private static final int NUMBER_BITS = 20;

  private static final int NUMBER_MASK = (1 << NUMBER_BITS) - 1;
  static final int CONVERSATIONS_MAX = 1 << (32 - NUMBER_BITS - 1);

  /// The request id of a change of a group: none of a message has its top bit.
  private static final int CHANGE_RID = 1 << 31;

  /// The heartbeat this client promises.
  static final int PING_SECONDS = 240;

  private final LoadRun run;
  final int index;
  final UserId id;

  private final FrameHeader header = new FrameHeader();
  private @Nullable Channel channel;
  private @Nullable ByteBuf in;
  private @Nullable ByteBuf out;
  private boolean isUp;

  /// When the server wants this user's login again; 0 = it said nothing.
  private long comeBackMillis;

  private int frameBytesMax = Limits.FRAME_BYTES_MAX;

  /// The server's limit of sends in flight, and how many are.
  private int inFlightMax = Limits.SENDS_IN_FLIGHT_MAX;

  private int attemptsOut;

  private @Nullable LongObjectHashMap<Conversation> byChat;
  private final List<Conversation> conversations = new ArrayList<>(1);
  private final ArrayList<Conversation> ackList = new ArrayList<>(1);

  // Of one whom the run has put into a group.
  private @Nullable LoadGroup group;
  private int place;
  private @Nullable Conversation seat;
  private @Nullable Runnable changeAgain;
  private boolean isReady;

  LoadUser(LoadRun run, int index, UserId id) {
    this.run = run;
    this.index = index;
    this.id = id;
  }

  // ---- what the run asks
  // -------------------------------------------------------------------------

  /// Plans one message that should go out at `intendedNanos`, and sends what may be sent. [#flush]
  /// brings it to the socket.
  void say(Conversation conversation, long intendedNanos) {
    conversation.plan(intendedNanos);
    if (conversation.planned() > Conversation.BACKLOG_MAX) {
      run.fail("the server is more than " + Conversation.BACKLOG_MAX + " messages behind");
    }
    pump(conversation);
  }

  void flush() {
    var frames = out;
    var to = channel;
    if (frames != null && to != null) {
      out = null;
      to.writeAndFlush(frames, to.voidPromise());
    }
  }

  void ping() {
    FrameWriter.write(out(), FrameType.PING, 0, 0, 0, 0);
    flush();
  }

  void close() {
    var open = channel;
    if (open != null && open.isActive()) {
      FrameWriter.write(out(), FrameType.BYE, 0, 0, 0, 0);
      flush();
      open.close();
    }
  }

  List<Conversation> conversations() {
    return conversations;
  }

  Conversation conversationWith(LoadUser peer) {
    var map = byChat;
    if (map == null) {
      map = byChat = new LongObjectHashMap<>(1);
    }
    var conversation = map.get(peer.id.value());
    if (conversation == null) {
      conversation = Conversation.direct(this, peer, conversations.size());
      map.put(peer.id.value(), conversation);
      conversations.add(conversation);
    }
    return conversation;
  }

  // ---- groups
  // ------------------------------------------------------------------------------------

  /// Takes its place in a group that will be made.
  void join(LoadGroup of, int at) {
    group = of;
    place = at;
  }

  int place() {
    return place;
  }

  /// The chat of its group.
  Conversation seat() {
    return Objects.requireNonNull(seat, "the group is not there yet");
  }

  /// Whether every entry of its group up to `seq` is here; true once only.
  boolean isReady(long seq) {
    if (isReady || seat == null || seat.head() < seq) {
      return false;
    }
    isReady = true;
    return true;
  }

  void create(GroupCreate request) {
    ask(FrameType.GROUP_CREATE, FrameHeader.RID, 0, request.toByteArray());
  }

  void edit(Conversation in, GroupEdit request) {
    ask(FrameType.GROUP_EDIT, FrameHeader.RID | in.chatFlags, in.chat, request.toByteArray());
  }

  /// Asks for a change of its group; one at a time.
  private void ask(FrameType type, int flags, long chat, byte[] body) {
    changeAgain =
        () -> {
          FrameWriter.write(out(), type, flags, CHANGE_RID, chat, 0, body);
          flush();
        };
    changeAgain.run();
  }

  private @Nullable Conversation seatIn(long chat) {
    if (seat == null && group != null) {
      seat = Conversation.in(group, chat, this);
      conversations.add(seat);
    }
    return seat == null || seat.chat != chat ? null : seat;
  }

  private void onChanged(int refused) {
    var changing = group;
    var mine = header.has(FrameHeader.CHAT) ? seatIn(header.chat()) : seat;
    if (changing == null || mine == null || header.rid() != CHANGE_RID) {
      run.fail("the server made a change of a group that nobody asked for");
      return;
    }
    changing.onChanged(mine, header.seq(), refused);
  }

  private void onGroupDeliver(Deliver deliver, long now) {
    var in = group;
    var conversation = seatIn(header.chat());
    if (in == null || conversation == null) {
      run.onForeign();
      return;
    }
    conversation.begin(header.seq());
    if (deliver.getContent().getKind() == Kind.KIND_GROUP) {
      if (conversation.enter(header.seq())) {
        acknowledge(conversation);
        in.onEntry(this);
      }
      return;
    }
    var stamp = Stamp.decode(deliver.getContent().getBody().toByteArray());
    var sender = stamp == null ? null : run.user(stamp.sender());
    if (stamp == null
        || sender == null
        || !run.isOurs(stamp)
        || stamp.recipient() != conversation.addressee
        || sender.group != in
        || sender.id.value() != deliver.getSender()) {
      run.onForeign();
      return;
    }
    if (!conversation.enter(header.seq())) {
      run.onRedelivered();
      return;
    }
    var flow = sender.seat().flow;
    flow.delivered(in.recipient(this, sender), stamp.number(), header.seq());
    run.onDelivered(stamp.intendedNanos(), now);
    acknowledge(conversation);
    sender.complete(sender.seat(), now);
  }

  private void acknowledge(Conversation conversation) {
    conversation.delivered(header.seq());
    listForAck(conversation);
  }

  // ---- sending
  // -----------------------------------------------------------------------------------

  private void pump(Conversation conversation) {
    while (conversation.planned() > 0 && !conversation.isBlocked() && attemptsOut < inFlightMax) {
      write(conversation, conversation.sendNext());
    }
  }

  private void pumpAll() {
    for (int i = 0; i < conversations.size() && attemptsOut < inFlightMax; i++) {
      pump(conversations.get(i));
    }
  }

  private void write(Conversation conversation, long number) {
    var body = run.stamp(this, conversation, number);
    var content =
        Content.newBuilder()
            .setKind(Kind.KIND_BINARY)
            .setBody(UnsafeByteOperations.unsafeWrap(body));
    var send = Send.newBuilder().setCsn(number).setContent(content).build().toByteArray();
    int rid = conversation.ordinal << NUMBER_BITS | ((int) number & NUMBER_MASK);
    FrameWriter.write(
        out(),
        FrameType.SEND,
        FrameHeader.RID | conversation.chatFlags,
        rid,
        conversation.chat,
        0,
        send);
    attemptsOut++;
    conversation.attemptsOut++;
  }

  /// The server put `number` off; what was sent after it will be out of order.
  private void block(Conversation conversation, long number, long retryMillis) {
    if (conversation.isBlocked()) {
      conversation.resendFrom = Math.min(conversation.resendFrom, number);
    } else {
      conversation.resendFrom = number;
    }
    long retryAt = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(retryMillis);
    conversation.retryAtNanos = Math.max(conversation.retryAtNanos, retryAt);
    run.loop().schedule(() -> retry(conversation), Math.max(1, retryMillis), TimeUnit.MILLISECONDS);
  }

  private void retry(Conversation conversation) {
    resendIfDue(conversation);
    flush();
  }

  private void resendIfDue(Conversation conversation) {
    if (!conversation.isBlocked()
        || conversation.attemptsOut > 0
        || System.nanoTime() < conversation.retryAtNanos
        || !isUp) {
      return;
    }
    long from = conversation.resendFrom;
    conversation.resendFrom = 0;
    for (long number = from; number <= conversation.flow.sent(); number++) {
      write(conversation, number);
    }
  }

  private ByteBuf out() {
    var frames = out;
    if (frames == null) {
      var to = channel;
      if (to == null) {
        throw new IllegalStateException("user " + index + " is not connected");
      }
      frames = out = to.alloc().buffer(1024);
    }
    return frames;
  }

  // ---- the socket
  // --------------------------------------------------------------------------------

  @Override
  public void channelActive(ChannelHandlerContext ctx) {
    channel = ctx.channel();
    var hello =
        Hello.newBuilder()
            .setVerMin(Limits.VERSION)
            .setVerMax(Limits.VERSION)
            .setDevice(1)
            .setToken(UnsafeByteOperations.unsafeWrap(run.token(this)))
            .setState(ClientActivity.CLIENT_ACTIVITY_ACTIVE)
            .setReason(ConnectReason.CONNECT_REASON_START)
            .setApp("tern load")
            .setPingS(PING_SECONDS)
            .build();
    out().writeInt(Limits.PREFACE);
    FrameWriter.write(out(), FrameType.HELLO, 0, 0, 0, 0, hello.toByteArray());
    flush();
  }

  @Override
  public void channelRead(ChannelHandlerContext ctx, Object message) {
    var read = (ByteBuf) message;
    var bytes =
        in == null ? read : ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(ctx.alloc(), in, read);
    in = null;
    long now = System.nanoTime();
    try {
      while (true) {
        var result = FrameReader.read(bytes, frameBytesMax, header);
        if (result == FrameReader.Result.INCOMPLETE) {
          break;
        }
        if (result != FrameReader.Result.FRAME) {
          run.fail("user " + index + " received a frame that is " + result);
          bytes.skipBytes(bytes.readableBytes());
          break;
        }
        int next = bytes.readerIndex() + header.bodyBytes();
        onFrame(bytes, now);
        bytes.readerIndex(next);
      }
    } catch (IOException e) {
      run.fail("user " + index + " received a body that is no protobuf: " + e.getMessage());
    } finally {
      if (bytes.isReadable()) {
        in = bytes;
      } else {
        bytes.release();
      }
    }
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext ctx) {
    for (int i = 0; i < ackList.size(); i++) {
      var conversation = ackList.get(i);
      conversation.isListedForAck = false;
      long seq = conversation.ackDue();
      if (seq > 0) {
        FrameWriter.write(
            out(),
            FrameType.ACK,
            conversation.chatFlags | FrameHeader.SEQ,
            0,
            conversation.chat,
            seq);
      }
    }
    ackList.clear();
    flush();
    run.flushWoken();
  }

  @Override
  public void channelInactive(ChannelHandlerContext ctx) {
    release();
    if (comeBackMillis > 0) {
      channel = null;
      run.comeBack(this, comeBackMillis);
      comeBackMillis = 0;
      return;
    }
    run.fail("the server closed the connection of user " + index);
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
    if (cause instanceof IOException) {
      run.fail("the connection of user " + index + " broke: " + cause.getMessage());
    } else {
      run.fail(cause);
    }
    ctx.close();
  }

  private void release() {
    if (in != null) {
      in.release();
      in = null;
    }
    if (out != null) {
      out.release();
      out = null;
    }
  }

  // ---- frames
  // ------------------------------------------------------------------------------------

  private void onFrame(ByteBuf bytes, long now) throws IOException {
    var type = FrameType.of(header.type());
    if (type == null) {
      return;
    }
    switch (type) {
      case DELIVER -> {
        var deliver = Deliver.parseFrom(body(bytes));
        if (header.has(FrameHeader.GROUP)) {
          onGroupDeliver(deliver, now);
        } else {
          onDeliver(deliver, now);
        }
      }
      case GROUP_CREATED -> onChanged(GroupCreated.parseFrom(body(bytes)).getRefusedCount());
      case GROUP_EDITED -> onChanged(GroupEdited.parseFrom(body(bytes)).getRefusedCount());
      case SENT -> onSent(now);
      case RECEIPT -> onReceipt(Receipt.parseFrom(body(bytes)), now);
      case HELLO_ACK -> onHelloAck(HelloAck.parseFrom(body(bytes)));
      case ERROR -> onError(Error.parseFrom(body(bytes)));
      case GOAWAY -> {
        var goAway = GoAway.parseFrom(body(bytes));
        run.fail("the server sent user " + index + " away: " + name(goAway.getCode()));
      }
      case PING -> FrameWriter.write(out(), FrameType.PONG, 0, 0, 0, 0, bodyBytes(bytes));
      case RESET -> {
        var conversation =
            header.has(FrameHeader.GROUP) ? seatIn(header.chat()) : known(header.chat());
        if (conversation != null) {
          conversation.skipTo(header.seq());
        }
      }
      case BEHIND -> run.onBehind();
      default -> {
        // PONG, pages of the catch-up, typing, presence: nothing to do here.
      }
    }
  }

  private void onHelloAck(HelloAck ack) {
    isUp = true;
    if (ack.getLimits().getInFlight() > 0) {
      inFlightMax = ack.getLimits().getInFlight();
    }
    if (ack.getLimits().getMaxFrame() > 0) {
      frameBytesMax = Math.max(frameBytesMax, ack.getLimits().getMaxFrame());
    }
    if (ack.getUser() != id.value()) {
      run.fail("user " + index + " was logged in as another user");
      return;
    }
    run.onUp(ack.getLimits());
  }

  private void onSent(long now) {
    var conversation = asked(header.rid());
    if (conversation == null) {
      run.fail("the server acknowledged what user " + index + " never sent");
      return;
    }
    attemptsOut--;
    conversation.attemptsOut--;
    var flow = conversation.flow;
    long number = number(flow, header.rid());
    if (number <= flow.sent()) {
      run.onSent(flow.intendedNanos(number), now);
    }
    flow.acked(number, header.seq());
    conversation.enter(header.seq());
    listForAck(conversation);
    complete(conversation, now);
    resendIfDue(conversation);
    pumpAll();
  }

  private void onDeliver(Deliver deliver, long now) {
    var stamp = Stamp.decode(deliver.getContent().getBody().toByteArray());
    if (stamp == null || !run.isOurs(stamp) || stamp.recipient() != index) {
      run.onForeign();
      return;
    }
    var sender = run.user(stamp.sender());
    if (sender == null || sender.id.value() != header.chat()) {
      run.onForeign();
      return;
    }
    var conversation = conversationWith(sender);
    if (!conversation.enter(header.seq())) {
      // Delivered again, which at least once allows: dropped by seq, as every client does.
      run.onRedelivered();
      return;
    }
    sender.conversationWith(this).flow.delivered(stamp.number(), header.seq());
    run.onDelivered(stamp.intendedNanos(), now);
    acknowledge(conversation);
  }

  private void onReceipt(Receipt receipt, long now) {
    if (header.has(FrameHeader.GROUP)
        || (receipt.getMember() != 0 && receipt.getMember() != header.chat())) {
      return;
    }
    var conversation = known(header.chat());
    if (conversation != null) {
      conversation.flow.receipted(Math.max(receipt.getDelivered(), receipt.getRead()));
      complete(conversation, now);
    }
  }

  private void complete(Conversation conversation, long now) {
    var flow = conversation.flow;
    while (true) {
      long number = flow.nextComplete();
      if (number == 0) {
        return;
      }
      run.onComplete(this, flow.intendedNanos(number), now);
    }
  }

  private void onError(Error error) {
    if (!header.has(FrameHeader.RID)) {
      if (!isUp && error.getRetryMs() > 0 && isForLater(error.getCode())) {
        comeBackMillis = error.getRetryMs();
        run.onPutOff(error.getCode());
        return;
      }
      run.fail("the server refused user " + index + ": " + name(error));
      return;
    }
    var changing = group;
    var again = changeAgain;
    if (header.rid() == CHANGE_RID && changing != null && again != null) {
      run.onPutOff(error.getCode());
      changing.onRefused(error, again);
      return;
    }
    var conversation = asked(header.rid());
    if (conversation == null) {
      run.fail("the server refused a request nobody made: " + name(error));
      return;
    }
    long number = number(conversation.flow, header.rid());
    attemptsOut--;
    conversation.attemptsOut--;
    run.onPutOff(error.getCode());
    switch (ErrorCode.classOf(error.getCode())) {
      case LATER, SERVER -> block(conversation, number, Math.max(1, error.getRetryMs()));
      case REQUEST -> {
        boolean follows = conversation.isBlocked() && number > conversation.resendFrom;
        if (error.getCode() != ErrorCode.OUT_OF_ORDER.number()) {
          run.fail("a message was refused: " + name(error));
        } else if (!follows) {
          block(conversation, error.getCsn() == 0 ? number : error.getCsn(), 1);
        }
      }
      case PROTOCOL, IDENTITY ->
          run.fail("the server refused user " + index + ": " + name(error.getCode()));
    }
    resendIfDue(conversation);
    pumpAll();
  }

  private static boolean isForLater(int code) {
    return ErrorCode.classOf(code) == ErrorCode.ErrorClass.LATER;
  }

  private void listForAck(Conversation conversation) {
    if (!conversation.isListedForAck) {
      conversation.isListedForAck = true;
      ackList.add(conversation);
    }
  }

  /// The conversation in whose name a request was made.
  private @Nullable Conversation asked(int rid) {
    int ordinal = rid >>> NUMBER_BITS;
    return ordinal < conversations.size() ? conversations.get(ordinal) : null;
  }

  private @Nullable Conversation known(long chat) {
    return byChat == null ? null : byChat.get(chat);
  }

  /// The number whose low bits are in `rid`: the first such that has no answer yet.
  private static long number(Flow flow, int rid) {
    long first = flow.acked() + 1;
    return first + ((rid - first) & NUMBER_MASK);
  }

  private CodedInputStream body(ByteBuf bytes) {
    return CodedInputStream.newInstance(bytes.nioBuffer(bytes.readerIndex(), header.bodyBytes()));
  }

  private byte[] bodyBytes(ByteBuf bytes) {
    var body = new byte[header.bodyBytes()];
    bytes.getBytes(bytes.readerIndex(), body);
    return body;
  }

  private static String name(int code) {
    var known = ErrorCode.of(code);
    return known == null ? "code " + code : known.toString();
  }

  static String name(Error error) {
    var detail = error.getDetail();
    return name(error.getCode()) + (detail.isEmpty() ? "" : " (" + detail + ")");
  }
}
