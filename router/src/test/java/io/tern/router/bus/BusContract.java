package io.tern.router.bus;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.awaitility.Awaitility.await;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.router.Attachment;
import io.tern.router.Bus;
import io.tern.router.Delivery;
import io.tern.router.EdgeId;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What every [Bus] must do while nothing is lost. A subclass per implementation.
abstract class BusContract {

  protected static final EdgeId EDGE = new EdgeId("edge", 1);
  protected static final EdgeId NEXT_LIFE = new EdgeId("edge", 2);

  protected Bus bus;

  abstract Bus create();

  /// Deliveries that found no receiver.
  abstract long dropped();

  @BeforeEach
  void createBus() {
    bus = create();
  }

  @Test
  void aReceiverGetsWhatIsSentToItAndNothingElse() {
    var one = new CopyOnWriteArrayList<Delivery>();
    var other = new CopyOnWriteArrayList<Delivery>();
    bus.register(EDGE, one::addAll);
    bus.register(new EdgeId("other", 1), other::addAll);

    bus.toEdge(EDGE, List.of(nudge(1), nudge(2)));

    await().until(() -> one.size() == 2);
    assertThat(one).containsExactly(nudge(1), nudge(2));
    assertThat(other).isEmpty();
  }

  @Test
  void oneSendersMessagesKeepTheirOrder() {
    var got = new CopyOnWriteArrayList<Delivery>();
    bus.register(EDGE, got::addAll);
    var sent = new ArrayList<Delivery>();
    for (int i = 0; i < 1_000; i++) {
      sent.add(nudge(i));
      bus.toEdge(EDGE, List.of(nudge(i)));
    }

    await().until(() -> got.size() == sent.size());
    assertThat(got).containsExactlyElementsOf(sent);
  }

  @Test
  void whatIsSentToNobodyOrToAnEarlierLifeIsCountedAndDropped() {
    var got = new CopyOnWriteArrayList<Delivery>();
    bus.register(NEXT_LIFE, got::addAll);

    bus.toEdge(EDGE, List.of(nudge(1), nudge(2)));
    bus.toEdge(new EdgeId("nobody", 9), List.of(nudge(3)));

    await().until(() -> dropped() == 3);
    assertThat(got).isEmpty();
  }

  @Test
  void afterUnregisterNothingArrives() {
    var got = new CopyOnWriteArrayList<Delivery>();
    bus.register(EDGE, got::addAll);
    bus.unregister(EDGE);
    bus.unregister(EDGE);

    bus.toEdge(EDGE, List.of(nudge(1)));

    await().until(() -> dropped() == 1);
    assertThat(got).isEmpty();
  }

  @Test
  void oneIdHasOneReceiver() {
    bus.register(EDGE, batch -> {});

    assertThatIllegalStateException().isThrownBy(() -> bus.register(EDGE, batch -> {}));
  }

  protected static Delivery nudge(long session) {
    var user = new UserId(7);
    return new Delivery.Nudge(
        ChatId.direct(user, user), new Attachment(new DeviceId(user, 1), EDGE, session, 1));
  }
}
