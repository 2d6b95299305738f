import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.util.concurrent.TimeUnit.SECONDS;

import io.tern.client.Body;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.TernClient;
import io.tern.client.TernException;
import io.tern.client.store.FileClientStore;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;

/// Says hello to somebody and waits until their device has it. See docs/sdk.md for how to run it.
public final class Hello {

  public static void main(String[] args) throws Exception {
    String host = args[0];
    int port = Integer.parseInt(args[1]);
    UserId me = new UserId(Long.parseLong(args[2]));
    byte[] token = args[3].getBytes(US_ASCII);
    ChatId chat = ChatId.direct(me, new UserId(Long.parseLong(args[4])));

    // Called on the client's event loop: take what comes, and do not wait there.
    var delivered = new CountDownLatch(1);
    var listener =
        new ClientListener() {
          @Override
          public void onMessage(Message message) {
            // When this returns, the message counts as stored. What an app does not know, it skips.
            if (message.body() instanceof Body.Text text) {
              System.out.println("#" + message.seq() + " " + text.text());
            }
          }

          @Override
          public void onReceipt(ChatId in, UserId member, long upTo, long read) {
            if (in.equals(chat) && !member.equals(me) && upTo > 0) {
              delivered.countDown();
            }
          }

          @Override
          public void onConnection(ConnectionState state) {
            if (state instanceof ConnectionState.Refused refused) {
              // Trying again would not help: a new token, or another version of this app, would.
              System.err.println("refused: " + refused.code() + " " + refused.detail());
            }
          }
        };

    var config =
        ClientConfig.of(
            me,
            1,
            List.of(InetSocketAddress.createUnresolved(host, port)),
            () -> token,
            // What was not answered when the process ended goes out with the next, once.
            FileClientStore.open(Path.of(args.length > 5 ? args[5] : "hello-state")));

    try (TernClient client = TernClient.start(config, listener)) {
      client.ready().get(10, SECONDS);
      try {
        long seq = client.sendText(chat, "hello").get(10, SECONDS).seq();
        System.out.println("on the server's disk, #" + seq);
      } catch (ExecutionException e) {
        if (e.getCause() instanceof TernException refused) {
          System.err.println("not sent: " + refused.code());
          return;
        }
        throw e;
      }
      System.out.println(
          delivered.await(10, SECONDS) ? "on their device" : "they are away; it waits for them");
    }
  }

  private Hello() {}
}
