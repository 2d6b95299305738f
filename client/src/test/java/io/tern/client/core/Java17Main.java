package io.tern.client.core;

import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.FakeServer;
import io.tern.client.NettyFakeServer;
import io.tern.client.TernClient;
import io.tern.client.store.FileClientStore;
import io.tern.client.store.MemoryClientStore;
import io.tern.protocol.UserId;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// Started by [io.tern.client.Java17Test] on Java 17: a few simulated worlds, and two people on a
/// socket.
final class Java17Main {

  private Java17Main() {}

  public static void main(String[] args) throws Exception {
    System.out.println("java " + Runtime.version().feature());
    for (long seed = 1; seed <= 10; seed++) {
      var simulation = new Simulation(seed, 3, 1);
      simulation.live(10_000);
      simulation.settle();
      simulation.checkEnd();
    }
    var alice = new UserId(11);
    var bob = new UserId(22);
    Path folder = Files.createTempDirectory("tern-java17");
    var heard = new CountDownLatch(20);
    try (var server = new NettyFakeServer()) {
      var listening =
          TernClient.start(
              ClientConfig.of(
                  bob,
                  1,
                  server.addresses(),
                  () -> FakeServer.token(bob, 1),
                  new MemoryClientStore()),
              new ClientListener() {
                @Override
                public void onMessage(Message message) {
                  heard.countDown();
                }
              });
      listening.ready().get(20, TimeUnit.SECONDS);
      var speaking =
          TernClient.start(
              ClientConfig.of(
                  alice,
                  1,
                  server.addresses(),
                  () -> FakeServer.token(alice, 1),
                  FileClientStore.open(folder)),
              new ClientListener() {});
      for (int i = 0; i < 20; i++) {
        speaking.sendText(speaking.direct(bob), "m" + i).get(20, TimeUnit.SECONDS);
      }
      if (!heard.await(20, TimeUnit.SECONDS)) {
        throw new AssertionError("bob has not heard everything");
      }
      speaking.close();
      listening.close();
      speaking.closed().get(20, TimeUnit.SECONDS);
      listening.closed().get(20, TimeUnit.SECONDS);
    }
    System.out.println("all promises held");
  }
}
