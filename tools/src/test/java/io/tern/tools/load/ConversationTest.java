package io.tern.tools.load;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ConversationTest {

  @SuppressWarnings("NullAway") // what is tested needs no users
  private final Conversation conversation = new Conversation(null, 1, 0, 1, 0, new Flow());

  @Test
  void acknowledgesWhatWasDeliveredWithoutAHole() {
    conversation.enter(1);
    conversation.delivered(1);
    assertThat(conversation.ackDue()).isEqualTo(1);
    assertThat(conversation.ackDue()).isZero();

    conversation.enter(3);
    conversation.delivered(3);
    assertThat(conversation.ackDue()).isZero();

    conversation.enter(2);
    assertThat(conversation.ackDue()).isEqualTo(3);
  }

  @Test
  void ownEntriesAloneNeedNoAck() {
    conversation.enter(1);
    conversation.enter(2);

    assertThat(conversation.ackDue()).isZero();
  }

  @Test
  void anEntryThatIsHereAlreadyIsDropped() {
    assertThat(conversation.enter(1)).isTrue();
    assertThat(conversation.enter(1)).isFalse();
    assertThat(conversation.enter(5)).isTrue();
    assertThat(conversation.enter(5)).isFalse();
    assertThat(conversation.hasHole()).isTrue();
  }

  @Test
  void aResetClosesTheHole() {
    conversation.enter(5);
    conversation.delivered(5);
    conversation.skipTo(4);
    conversation.enter(6);

    assertThat(conversation.ackDue()).isEqualTo(4);
  }

  @Test
  void whatAGroupHadBeforeItsMemberCameIsNotWaitedFor() {
    conversation.begin(7);
    conversation.enter(7);
    conversation.delivered(7);

    assertThat(conversation.head()).isEqualTo(7);
    assertThat(conversation.hasHole()).isFalse();
    assertThat(conversation.ackDue()).isEqualTo(7);

    conversation.begin(9);
    assertThat(conversation.head()).as("only the first entry begins").isEqualTo(7);
  }
}
