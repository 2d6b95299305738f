package io.tern.store;

import static io.tern.store.ShardNode.ALICE;
import static io.tern.store.ShardNode.ALICE_1;
import static io.tern.store.ShardNode.BOB;
import static io.tern.store.ShardNode.BOB_1;
import static io.tern.store.ShardNode.CHAT;
import static io.tern.store.ShardNode.sent;
import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ShardTest {

  private final ShardNode node = new ShardNode();

  @Test
  void sendsGetSeqsWithoutHoles() {
    assertThat(sent(node.send(ALICE_1, 1, "one")).entry().seq()).isEqualTo(1);
    assertThat(sent(node.send(BOB_1, 1, "two")).entry().seq()).isEqualTo(2);
    Outcome.Sent third = sent(node.send(ALICE_1, 2, "three"));

    assertThat(third.entry().seq()).isEqualTo(3);
    assertThat(third.entry().csn()).isEqualTo(2);
    assertThat(third.entry().sender()).isEqualTo(ALICE_1);
    assertThat(third.entry().tsMillis()).isEqualTo(node.now);
    assertThat(third.entry().ordinal()).isEqualTo(3);
    assertThat(third.repeat()).isFalse();
    assertThat(third.members()).containsExactly(ALICE, BOB);
    assertThat(Reads.after(node.storage, CHAT, BOB, 1, 10, 10_000).entries())
        .extracting(ShardNode::textOf)
        .containsExactly("one", "two", "three");
  }
}
