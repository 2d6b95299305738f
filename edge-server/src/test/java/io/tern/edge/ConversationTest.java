package io.tern.edge;

import static io.tern.edge.RawClient.ack;
import static io.tern.edge.RawClient.id;
import static io.tern.edge.RawClient.send;
import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.FrameType;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.Receipt;
import io.tern.protocol.v1.Sent;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What two people see of each other, over real sockets.
class ConversationTest {

  @TempDir Path data;

  @Test
  void aMessageIsSentDeliveredAcknowledgedAndReceipted() {
    try (var server = TestServer.start(data);
        var alice = server.login("alice");
        var bob = server.login("bob")) {
      alice.write(send(7, id("bob"), 1, "good morning"));

      RawClient.Frame sent = alice.read();
      assertThat(sent.type()).isEqualTo(FrameType.SENT);
      assertThat(sent.rid()).isEqualTo(7);
      assertThat(sent.seq()).isEqualTo(1);
      assertThat(sent.parsed(Sent.getDefaultInstance()).getRepeat()).isFalse();

      RawClient.Frame delivered = bob.read();
      assertThat(delivered.type()).isEqualTo(FrameType.DELIVER);
      assertThat(delivered.chat()).isEqualTo(id("alice").value());
      assertThat(delivered.seq()).isEqualTo(1);
      Deliver deliver = delivered.parsed(Deliver.getDefaultInstance());
      assertThat(deliver.getContent().getBody().toStringUtf8()).isEqualTo("good morning");

      bob.write(ack(id("alice"), 1));
      RawClient.Frame receipt = alice.read();
      assertThat(receipt.type()).isEqualTo(FrameType.RECEIPT);
      assertThat(receipt.chat()).isEqualTo(id("bob").value());
      assertThat(receipt.parsed(Receipt.getDefaultInstance()).getDelivered()).isEqualTo(1);
    }
  }
}
