package io.tern.client.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.client.ClientStore;
import io.tern.client.ClientStore.PendingSend;
import io.tern.client.ClientStore.ResumeTicket;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What every [ClientStore] does, closed and opened again too.
abstract class ClientStoreContractTest {

  static final ChatId CHAT = ChatId.direct(new UserId(7), new UserId(9));
  static final ChatId GROUP = ChatId.group(77);

  private ClientStore store;

  /// The same store each time in one test, as it was left.
  abstract ClientStore open();

  @BeforeEach
  void openStore() {
    store = open();
  }

  @AfterEach
  void closeStore() {
    store.close();
  }

  private ClientStore reopened() {
    store.close();
    store = open();
    return store;
  }

  @Test
  void knowsNothingAtFirst() {
    assertThat(store.pendingSends()).isEmpty();
    assertThat(store.lastCsn(CHAT)).isEqualTo(-1);
    assertThat(store.position(CHAT)).isEqualTo(-1);
    assertThat(store.resumeTicket()).isNull();
  }

  @Test
  void keepsSendsInOrderUntilTheyAreRemoved() {
    store.renumberSends(CHAT, 0, 0);
    for (int csn = 1; csn <= 5; csn++) {
      store.addSend(send(CHAT, csn));
    }
    store.addSend(send(GROUP, 1));
    store.removeSend(CHAT, 1);
    store.removeSend(CHAT, 3);

    assertThat(texts(reopened())).containsExactly("2 of " + CHAT, "4 of " + CHAT, "5 of " + CHAT);
    assertThat(store.lastCsn(CHAT)).isEqualTo(5);
    assertThat(store.pendingSends()).filteredOn(s -> s.chat().equals(GROUP)).hasSize(1);
  }

  @Test
  void theHighestCsnIsRememberedWithoutSends() {
    store.renumberSends(CHAT, 0, 0);
    store.addSend(send(CHAT, 1));
    store.removeSend(CHAT, 1);
    assertThat(reopened().lastCsn(CHAT)).isEqualTo(1);
  }

  @Test
  void sendsOfAChatWithoutACountAreNumberedFromTheServersCount() {
    store.addSend(send(CHAT, 1));
    store.addSend(send(CHAT, 2));
    assertThat(reopened().lastCsn(CHAT)).isEqualTo(-1);

    store.renumberSends(CHAT, 0, 41);

    assertThat(reopened().lastCsn(CHAT)).isEqualTo(43);
    assertThat(store.pendingSends()).extracting(PendingSend::csn).containsExactly(42L, 43L);
    assertThat(texts(store)).containsExactly("1 of " + CHAT, "2 of " + CHAT);
  }

  @Test
  void renumberingLeavesWhatTheServerMayHaveCounted() {
    store.renumberSends(CHAT, 0, 0);
    for (int csn = 1; csn <= 4; csn++) {
      store.addSend(send(CHAT, csn));
    }
    store.removeSend(CHAT, 2);
    store.renumberSends(CHAT, 2, 1);

    assertThat(reopened().pendingSends()).extracting(PendingSend::csn).containsExactly(1L, 2L, 3L);
    assertThat(texts(store)).containsExactly("1 of " + CHAT, "3 of " + CHAT, "4 of " + CHAT);
    assertThat(store.lastCsn(CHAT)).isEqualTo(3);
  }

  @Test
  void positionsAndTicketAreReplaced() {
    store.setPosition(CHAT, 0);
    store.setPosition(CHAT, 12);
    store.setPosition(GROUP, 3);
    store.setResumeTicket(new ResumeTicket(new byte[] {1, 2, 3}, 4));
    store.setResumeTicket(new ResumeTicket(new byte[] {5, 6}, 5));

    assertThat(reopened().position(CHAT)).isEqualTo(12);
    assertThat(store.position(GROUP)).isEqualTo(3);
    ResumeTicket ticket = Objects.requireNonNull(store.resumeTicket());
    assertThat(ticket.sealed()).containsExactly(5, 6);
    assertThat(ticket.count()).isEqualTo(5);

    store.setResumeTicket(null);
    assertThat(reopened().resumeTicket()).isNull();
  }

  static PendingSend send(ChatId chat, long csn) {
    return new PendingSend(chat, csn, (csn + " of " + chat).getBytes(StandardCharsets.UTF_8));
  }

  private static List<String> texts(ClientStore store) {
    return store.pendingSends().stream()
        .filter(s -> s.chat().equals(CHAT))
        .map(s -> new String(s.content(), StandardCharsets.UTF_8))
        .toList();
  }
}
