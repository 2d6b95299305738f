package io.tern.edge;

import static io.tern.edge.RawClient.ack;
import static io.tern.edge.RawClient.frame;
import static io.tern.edge.RawClient.hello;
import static io.tern.edge.RawClient.helloBody;
import static io.tern.edge.RawClient.id;
import static io.tern.edge.RawClient.preface;
import static io.tern.edge.RawClient.send;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.tern.edge.config.ConfigProblem;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.CatchUp;
import io.tern.protocol.v1.CatchUpPage;
import io.tern.protocol.v1.ChatDue;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.Chats;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.History;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.PresenceSub;
import io.tern.protocol.v1.Reauth;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Sent;
import io.tern.protocol.v1.Typing;
import java.net.SocketException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Rules of the protocol's SPEC.md that a server keeps, each by its number, over real sockets.
class SpecRulesTest {

  private static final int REQUEST = FrameHeader.RID | FrameHeader.CHAT;
  private static final String NO_RATE = "limits.send.rate=0";

  @TempDir Path data;

  // TERN-2-2
  @Test
  void plainTcpListensOnLoopbackUnlessTheOperatorSaysOtherwise() {
    assertThatThrownBy(() -> TestServer.config(data, "net.listen=\"0.0.0.0:0\""))
        .isInstanceOf(ConfigProblem.class);
    TestServer.config(
        data,
        "net.listen=\"0.0.0.0:0\"",
        "net.plain-tcp=anywhere",
        "auth.development-issuer=accept-anywhere");
  }

  // TERN-3-11
  @Test
  void aFrameThatDoesNotCompleteEndsTheSession() {
    try (var server = TestServer.start(data, "limits.frame-timeout=300 ms");
        var client = server.login("alice")) {
      client.write(new byte[] {0x05, 0x04});
      assertThat(client.read().error().getCode()).isEqualTo(ErrorCode.TIMEOUT.number());
      client.assertEnd();
    }
  }

  // TERN-4-3
  @Test
  void aHelloThatDoesNotComeInTimeEndsTheConnection() {
    try (var server = TestServer.start(data, "limits.hello-timeout=300 ms");
        var silent = server.connect();
        var slow = server.connect()) {
      slow.write(preface());
      assertThat(slow.read().error().getCode()).isEqualTo(ErrorCode.HELLO_TIMEOUT.number());
      slow.assertEnd();
      assertThat(silent.read().error().getCode()).isEqualTo(ErrorCode.HELLO_TIMEOUT.number());
      silent.assertEnd();
    }
  }

  // TERN-4-4 TERN-4-6
  @Test
  void helloIsAnsweredByHelloAckOrByAnErrorAndTheEnd() {
    try (var server = TestServer.start(data);
        var good = server.connect();
        var wrongDevice = server.connect();
        var noToken = server.connect()) {
      good.write(preface(), hello("alice", 1));
      assertThat(good.helloAck().getUser()).isEqualTo(id("alice").value());

      wrongDevice.write(preface(), hello(helloBody("alice", 1).setDevice(2).build()));
      assertThat(wrongDevice.read().error().getCode()).isEqualTo(ErrorCode.TOKEN_INVALID.number());
      wrongDevice.assertEnd();

      noToken.write(
          preface(), hello(helloBody("alice", 1).setToken(ByteString.copyFromUtf8("x")).build()));
      assertThat(noToken.read().error().getCode()).isEqualTo(ErrorCode.TOKEN_INVALID.number());
      noToken.assertEnd();
    }
  }

  // TERN-4-7
  @Test
  void framesBehindHelloWaitForItAndAreHandledInOrder() {
    try (var server = TestServer.start(data);
        var client = server.connect();
        var refused = server.connect()) {
      List<byte[]> flight = new ArrayList<>(List.of(preface(), hello("alice", 1)));
      List<byte[]> dropped =
          new ArrayList<>(List.of(preface(), hello(helloBody("alice", 1).setDevice(2).build())));
      for (int csn = 1; csn <= 8; csn++) {
        flight.add(send(csn, id("alice"), csn, "early " + csn));
        dropped.add(send(csn, id("alice"), csn, "never " + csn));
      }
      refused.write(dropped.toArray(byte[][]::new));
      refused.read().error();
      refused.assertEnd();

      client.write(flight.toArray(byte[][]::new));
      client.helloAck();
      for (int csn = 1; csn <= 8; csn++) {
        RawClient.Frame sent = client.until(FrameType.SENT);
        assertThat(sent.rid()).isEqualTo(csn);
        assertThat(sent.seq()).isEqualTo(csn);
        assertThat(sent.parsed(Sent.getDefaultInstance()).getRepeat()).isFalse();
      }
    }
  }

  // TERN-4-9
  @Test
  void aNewerSessionOfADeviceTakesOver() {
    try (var server = TestServer.start(data);
        var older = server.login("alice");
        var newer = server.login("alice");
        var other = server.login("alice", 2)) {
      assertThat(older.read().goAway().getCode()).isEqualTo(ErrorCode.SESSION_REPLACED.number());
      older.assertEnd();
      ping(newer);
      ping(other);
    }
  }

  // TERN-4-10
  @Test
  void aTicketSparesTheTokenAndABadOneIsRejected() {
    try (var server = TestServer.start(data);
        var first = server.connect()) {
      first.write(preface(), hello("alice", 1));
      ByteString ticket = first.helloAck().getResume();
      Hello.Builder withTicket = helloBody("alice", 1).clearToken().setResume(ticket).setCount(1);
      try (var resumed = server.connect()) {
        resumed.write(preface(), hello(withTicket.build()));
        assertThat(resumed.helloAck().getResumed()).isTrue();
      }
      try (var forged = server.connect();
          var withToken = server.connect()) {
        ByteString broken = ticket.substring(1).concat(ByteString.copyFromUtf8("x"));
        forged.write(preface(), hello(withTicket.setResume(broken).setCount(2).build()));
        assertThat(forged.read().error().getCode()).isEqualTo(ErrorCode.RESUME_REJECTED.number());
        forged.assertEnd();
        withToken.write(
            preface(), hello(helloBody("alice", 1).setResume(broken).setCount(3).build()));
        assertThat(withToken.helloAck().getResumed()).isFalse();
      }
    }
  }

  // TERN-4-11
  @Test
  void aSessionEndsWithItsTokenUnlessANewerOneCame() {
    try (var server = TestServer.start(data);
        var renewed = server.connect();
        var forgotten = server.connect()) {
      Instant soon = Instant.now().plusSeconds(3);
      renewed.write(preface(), hello(helloUntil("bob", soon)));
      renewed.helloAck();
      renewed.until(FrameType.CATCH_UP_PAGE);
      forgotten.write(preface(), hello(helloUntil("alice", soon)));
      forgotten.helloAck();
      byte[] newer = DevelopmentIssuer.token("bob", 1);
      renewed.write(
          frame(
              FrameType.REAUTH,
              0,
              0,
              0,
              0,
              Reauth.newBuilder().setToken(ByteString.copyFrom(newer)).build()));

      assertThat(forgotten.until(FrameType.GOAWAY).goAway().getCode())
          .isEqualTo(ErrorCode.TOKEN_EXPIRED.number());
      forgotten.assertEnd();
      ping(renewed);
    }
  }

  // TERN-5-11
  @Test
  void nobodyCanBeWrittenToWhoDoesNotExist() {
    try (var server = TestServer.start(data);
        var alice = server.login("alice")) {
      alice.write(send(9, id("nobody"), 1, "hello?"));
      RawClient.Frame refused = alice.read();
      assertThat(refused.rid()).isEqualTo(9);
      assertThat(refused.error().getCode()).isEqualTo(ErrorCode.NOT_FOUND.number());
      ping(alice);
    }
  }

  // TERN-5-12
  @Test
  void sendsOverTheRateAreRefusedWithATime() {
    try (var server = TestServer.start(data, "limits.send.rate=1", "limits.send.burst=2");
        var alice = server.login("alice")) {
      for (int csn = 1; csn <= 6; csn++) {
        alice.write(send(csn, id("alice"), csn, "fast"));
      }
      int refused = 0;
      for (int i = 0; i < 6; i++) {
        RawClient.Frame answer = alice.read();
        if (answer.type() == FrameType.ERROR) {
          refused++;
          assertThat(answer.error().getCode()).isEqualTo(ErrorCode.RATE.number());
          assertThat(answer.error().getRetryMs()).isPositive();
        }
      }
      assertThat(refused).isBetween(3, 4);
    }
  }

  // TERN-6-2 TERN-6-6 TERN-7-2
  @Test
  void whatIsNotAcknowledgedComesAgainInOrderBehindACatchUpPage() {
    try (var server = TestServer.start(data, NO_RATE);
        var alice = server.login("alice")) {
      server.login("bob").close();
      write(alice, "bob", 1, 50);
      for (int round = 0; round < 2; round++) {
        try (var bob = server.connect()) {
          assertThat(catchUp(bob, "bob", 50)).isEqualTo(range(1, 50));
          if (round == 1) {
            bob.write(ack(id("alice"), 20));
            awaitDelivered(alice, 20);
          }
        }
      }
      try (var bob = server.connect()) {
        assertThat(catchUp(bob, "bob", 30)).isEqualTo(range(21, 50));
        bob.write(ack(id("alice"), 50));
        awaitDelivered(alice, 50);
      }
      try (var bob = server.connect()) {
        assertThat(catchUp(bob, "bob", 0)).isEmpty();
      }
    }
  }

  // TERN-7-1 TERN-7-3
  @Test
  void beyondTheWindowBehindIsToldAndNothingIsLeftOut() {
    try (var server = TestServer.start(data, NO_RATE, "limits.window.entries=8");
        var bob = server.login("bob");
        var alice = server.login("alice")) {
      write(alice, "bob", 1, 40);

      List<Long> seqs = new ArrayList<>();
      int behind = 0;
      int unacknowledged = 0;
      while (seqs.size() < 40) {
        RawClient.Frame frame = bob.read();
        if (frame.type() == FrameType.BEHIND) {
          behind++;
        }
        if (frame.type() != FrameType.DELIVER) {
          continue;
        }
        seqs.add(frame.seq());
        assertThat(++unacknowledged).isLessThanOrEqualTo(8);
        // The first eight without an ACK, then one by one.
        if (seqs.size() >= 8) {
          bob.write(ack(id("alice"), frame.seq()));
          unacknowledged = 0;
        }
      }
      assertThat(seqs).isEqualTo(range(1, 40));
      assertThat(behind).isPositive();
    }
  }

  // TERN-7-5
  @Test
  void aCatchUpThatWasAskedForCarriesItsRid() {
    try (var server = TestServer.start(data, NO_RATE);
        var bob = server.login("bob");
        var alice = server.login("alice")) {
      write(alice, "bob", 1, 3);
      for (long seq = 1; seq <= 3; seq++) {
        assertThat(bob.until(FrameType.DELIVER).seq()).isEqualTo(seq);
      }
      bob.write(
          frame(
              FrameType.CATCH_UP,
              REQUEST,
              77,
              id("alice").value(),
              0,
              CatchUp.newBuilder().setFrom(2).build()));
      List<Long> seqs = new ArrayList<>();
      CatchUpPage page;
      do {
        RawClient.Frame frame = bob.read();
        while (frame.type() == FrameType.DELIVER) {
          seqs.add(frame.seq());
          frame = bob.read();
        }
        assertThat(frame.type()).isEqualTo(FrameType.CATCH_UP_PAGE);
        assertThat(frame.rid()).isEqualTo(77);
        page = frame.parsed(CatchUpPage.getDefaultInstance());
      } while (!page.getDone());
      assertThat(seqs).isEqualTo(range(2, 3));
    }
  }

  // TERN-8-2 TERN-8-3
  @Test
  void aReadMarkIsToldToOnesOwnDevicesAndByTheOthersNextCatchUp() {
    try (var server = TestServer.start(data, NO_RATE);
        var bob = server.login("bob");
        var bobsOther = server.login("bob", 2)) {
      try (var alice = server.login("alice")) {
        write(alice, "bob", 1, 2);
        bob.until(FrameType.DELIVER);
        assertThat(bob.until(FrameType.DELIVER).seq()).isEqualTo(2);
        bob.write(ack(id("alice"), 2));
        RawClient.Frame delivered = alice.until(FrameType.RECEIPT);
        assertThat(delivered.chat()).isEqualTo(id("bob").value());
        assertThat(delivered.parsed(Receipt.getDefaultInstance()).getDelivered()).isPositive();
      }
      bob.write(send(1, id("alice"), 1, "an answer"));
      bob.until(FrameType.SENT);
      bob.write(read(id("alice"), 2));
      RawClient.Frame own = bobsOther.until(FrameType.RECEIPT);
      while (own.parsed(Receipt.getDefaultInstance()).getRead() == 0) {
        own = bobsOther.until(FrameType.RECEIPT);
      }
      assertThat(own.chat()).isEqualTo(id("alice").value());
      assertThat(own.parsed(Receipt.getDefaultInstance()).getMember()).isEqualTo(id("bob").value());

      try (var alice = server.connect()) {
        alice.write(preface(), hello("alice", 1));
        Receipt receipt = alice.until(FrameType.RECEIPT).parsed(Receipt.getDefaultInstance());
        assertThat(receipt.getMember()).isZero();
        assertThat(receipt.getRead()).isEqualTo(2);
        assertThat(Math.max(receipt.getDelivered(), receipt.getRead())).isEqualTo(2);
      }
    }
  }

  // TERN-8-4
  @Test
  void typingReachesWhoIsThereAndIsKeptForNobody() {
    try (var server = TestServer.start(data, NO_RATE);
        var alice = server.login("alice")) {
      server.login("bob").close();
      byte[] typing =
          frame(
              FrameType.TYPING,
              FrameHeader.CHAT,
              0,
              id("bob").value(),
              0,
              Typing.newBuilder().setOn(true).build());
      alice.write(typing);
      ping(alice);
      try (var bob = server.login("bob")) {
        // What was typed before is gone; what is typed now comes first, to whoever watches.
        bob.write(
            frame(
                FrameType.PRESENCE_SUB,
                FrameHeader.RID,
                1,
                0,
                0,
                PresenceSub.newBuilder().addUsers(id("alice").value()).build()));
        assertThat(bob.read().type()).isEqualTo(FrameType.PRESENCE_PAGE);
        alice.write(typing);
        RawClient.Frame push = bob.read();
        assertThat(push.type()).isEqualTo(FrameType.TYPING_PUSH);
        assertThat(push.chat()).isEqualTo(id("alice").value());
        assertThat(push.parsed(Typing.getDefaultInstance()).getOn()).isTrue();
      }
    }
  }

  // TERN-10-1
  @Test
  void aSessionFromWhichNothingComesIsClosed() throws SocketException {
    try (var server = TestServer.start(data);
        var client = server.connect()) {
      long before = System.nanoTime();
      client.write(preface(), hello(helloBody("alice", 1).setPingS(5).build()));
      var ack = client.helloAck();
      assertThat(ack.getPingS()).isEqualTo(5);
      assertThat(ack.getIdleS()).isEqualTo(17);
      client.until(FrameType.CATCH_UP_PAGE);
      client.socket.setSoTimeout(25_000);
      assertThat(client.read().goAway().getCode()).isEqualTo(ErrorCode.TIMEOUT.number());
      assertThat(System.nanoTime() - before).isGreaterThan(17_000_000_000L);
      client.assertEnd();
    }
  }

  // TERN-13-1 TERN-13-2
  @Test
  void historyIsContiguousAscendingAndBounded() {
    try (var server = TestServer.start(data, NO_RATE, "limits.cheap.rate=0");
        var alice = server.login("alice")) {
      server.login("bob").close();
      write(alice, "bob", 1, 30);

      HistoryPage newest = history(alice, History.newBuilder().setLimit(10));
      assertThat(seqs(newest)).isEqualTo(range(21, 30));
      assertThat(newest.getMore()).isTrue();
      assertThat(newest.getHead()).isEqualTo(30);
      assertThat(seqs(history(alice, History.newBuilder().setBefore(21).setLimit(10))))
          .isEqualTo(range(11, 20));
      HistoryPage first = history(alice, History.newBuilder().setBefore(6).setLimit(10));
      assertThat(seqs(first)).isEqualTo(range(1, 5));
      assertThat(first.getMore()).isFalse();
      assertThat(seqs(history(alice, History.newBuilder().setAfter(25).setLimit(3))))
          .isEqualTo(range(26, 28));
      assertThat(seqs(history(alice, History.newBuilder().setAround(15).setLimit(4))))
          .contains(15L)
          .hasSizeLessThanOrEqualTo(4);

      alice.write(historyFrame(History.newBuilder().setBefore(3).setAfter(1)));
      assertThat(alice.read().error().getCode()).isEqualTo(ErrorCode.ARGUMENT.number());
      alice.write(historyFrame(History.newBuilder().setLimit(101)));
      assertThat(alice.read().error().getCode()).isEqualTo(ErrorCode.ARGUMENT.number());
    }
  }

  // TERN-13-3
  @Test
  void theChatListComesInPagesAndTheLastHasNoToken() {
    try (var server = TestServer.start(data, NO_RATE, "limits.cheap.rate=0");
        var alice = server.login("alice")) {
      for (int i = 0; i < 5; i++) {
        server.login("friend-" + i).close();
        write(alice, "friend-" + i, 1, i + 1);
      }
      // A new chat is in the list a moment after its first SENT: the list is on another shard.
      List<Long> chats = chatList(alice);
      for (int tries = 0; chats.size() < 5 && tries < 1_000; tries++) {
        chats = chatList(alice);
      }
      assertThat(chats)
          .containsExactlyInAnyOrder(
              LongStream.range(0, 5).mapToObj(i -> id("friend-" + i).value()).toArray(Long[]::new));
    }
  }

  private static List<Long> chatList(RawClient client) {
    List<Long> chats = new ArrayList<>();
    ByteString token = ByteString.EMPTY;
    int pages = 0;
    do {
      client.write(
          frame(
              FrameType.CHATS,
              FrameHeader.RID,
              5,
              0,
              0,
              Chats.newBuilder().setPageToken(token).setLimit(2).build()));
      ChatsPage page = client.until(FrameType.CHATS_PAGE).parsed(ChatsPage.getDefaultInstance());
      assertThat(page.getChatsCount()).isLessThanOrEqualTo(2);
      for (ChatItem chat : page.getChatsList()) {
        chats.add(chat.getChat());
        assertThat(chat.getLastCsn()).isEqualTo(chat.getHead());
      }
      token = page.getNextPageToken();
      assertThat(++pages).isLessThan(10);
    } while (!token.isEmpty());
    return chats;
  }

  // ---- plumbing
  // ----------------------------------------------------------------------------------

  private static Hello helloUntil(String user, Instant until) {
    byte[] token = DevelopmentIssuer.token(new DeviceId(id(user), 1), until);
    return helloBody(user, 1).setToken(ByteString.copyFrom(token)).build();
  }

  /// Sends texts with csn `from` to `to` and waits for each SENT.
  private static void write(RawClient client, String recipient, int from, int to) {
    for (int csn = from; csn <= to; csn++) {
      client.write(send(csn, id(recipient), csn, "text " + csn));
      RawClient.Frame sent = client.until(FrameType.SENT);
      assertThat(sent.rid()).isEqualTo(csn);
    }
  }

  /// Logs in and reads to the end of the catch-up; returns the seqs that came, which must be what
  /// the pages said.
  private static List<Long> catchUp(RawClient client, String user, int due) {
    client.write(preface(), hello(user, 1));
    client.helloAck();
    List<Long> seqs = new ArrayList<>();
    long announced = 0;
    while (true) {
      RawClient.Frame frame = client.read();
      if (frame.type() == FrameType.DELIVER) {
        assertThat(announced).as("announced before it is delivered").isPositive();
        assertThat(frame.parsed(Deliver.getDefaultInstance()).getContent().getBody().toStringUtf8())
            .isEqualTo("text " + frame.seq());
        seqs.add(frame.seq());
      } else if (frame.type() == FrameType.CATCH_UP_PAGE) {
        assertThat(frame.flags()).isZero();
        CatchUpPage page = frame.parsed(CatchUpPage.getDefaultInstance());
        for (ChatDue chat : page.getChatsList()) {
          announced += chat.getDue();
        }
        if (page.getDone()) {
          assertThat(announced).isEqualTo(due);
          return seqs;
        }
      }
    }
  }

  /// Until the other side's acknowledgement has been committed.
  private static void awaitDelivered(RawClient client, long seq) {
    while (true) {
      RawClient.Frame frame = client.read();
      if (frame.type() == FrameType.RECEIPT
          && frame.parsed(Receipt.getDefaultInstance()).getDelivered() >= seq) {
        return;
      }
    }
  }

  private static byte[] read(UserId chat, long seq) {
    return frame(
        FrameType.READ, FrameHeader.CHAT | FrameHeader.SEQ, 0, chat.value(), seq, new byte[0]);
  }

  private static byte[] historyFrame(History.Builder history) {
    return frame(FrameType.HISTORY, REQUEST, 6, id("bob").value(), 0, history.build());
  }

  private static HistoryPage history(RawClient client, History.Builder history) {
    client.write(historyFrame(history));
    RawClient.Frame frame = client.read();
    assertThat(frame.type()).isEqualTo(FrameType.HISTORY_PAGE);
    assertThat(frame.rid()).isEqualTo(6);
    return frame.parsed(HistoryPage.getDefaultInstance());
  }

  private static List<Long> seqs(HistoryPage page) {
    return page.getEntriesList().stream().map(PageEntry::getSeq).toList();
  }

  private static List<Long> range(long first, long last) {
    return LongStream.rangeClosed(first, last).boxed().toList();
  }

  /// The session answers, and had nothing else to say.
  private static void ping(RawClient client) {
    client.write(frame(FrameType.PING, 0, 0, 0, 0, new byte[] {7}));
    assertThat(client.read().type()).isEqualTo(FrameType.PONG);
  }
}
