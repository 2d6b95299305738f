package io.tern.tools.demo;

import io.tern.tools.HostPort;
import io.tern.tools.Names;
import io.tern.tools.ServerProcess;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// The demo from beginning to end: acts, prints what happened, and at the end compares what
/// everybody has.
///
/// One thread tells; it waits for what it tells, so every tick on the screen is one that came over
/// the wire.
final class Story {

  private static final int LETTER_BYTES = 10 * 1024;
  private static final int WHILE_AWAY = 5;

  private final PrintWriter out;
  private final boolean hasColours;
  private final Path folder;
  private final int traffic;
  private final Person alice;
  private final Person bob;
  private final List<Person> everyone = new ArrayList<>();
  private final long startNanos = System.nanoTime();

  /// @param traffic messages of each person around the kill
  Story(PrintWriter out, boolean hasColours, Path folder, int traffic) {
    this.out = out;
    this.hasColours = hasColours;
    this.folder = folder;
    this.traffic = traffic;
    this.alice = Person.inDevelopment("alice", folder.resolve("alice"));
    this.bob = Person.inDevelopment("bob", folder.resolve("bob"));
    everyone.addAll(List.of(alice, bob));
  }

  /// Returns whether all was well.
  boolean tell() {
    out.println("Tern: three people and a server.");
    out.println("✓ the server has it on disk   ✓✓ the other one's device has it   #n its place");
    var anyPort = new HostPort("127.0.0.1", 0);
    var server = DemoCommand.startServer(folder, anyPort, anyPort);
    try {
      var address = server.ready().plain();
      act("A server starts");
      say("process " + server.pid() + " at " + address + ", everything in " + folder);
      var carol = register(server);
      talk(address);
      sendLetter();
      awayAndBack(address);
      server = killInTheMiddle(server);
      return compare(group(address, carol));
    } finally {
      everyone.forEach(Person::leave);
      server.close();
    }
  }

  private Person register(ServerProcess server) {
    act("Carol registers with her phone number");
    var carol = new RegistrationScene(this, server).play("carol", folder.resolve("carol"));
    everyone.add(carol);
    return carol;
  }

  private void talk(HostPort address) {
    act("Alice and Bob log in and talk");
    alice.arrive(address);
    bob.arrive(address);
    long last = 0;
    for (var line : Lines.CONVERSATION) {
      last = sayAndAwaitDelivery(line.isAlice() ? alice : bob, line.text(), line.text());
    }
    long read = last;
    alice.read(bob, read);
    bob.await(() -> bob.peerRead() >= read, "bob sees that alice has read");
    bob.read(alice, read);
    alice.await(() -> alice.peerRead() >= read, "alice sees that bob has read");
    say("both have read everything up to #" + read + ", and both know it");
  }

  private void sendLetter() {
    act("A long message");
    var letter = Lines.letter(LETTER_BYTES);
    sayAndAwaitDelivery(
        alice,
        letter,
        String.format(Locale.ROOT, "(a letter of %,d bytes in five scripts)", Lines.bytes(letter)));
  }

  private void awayAndBack(HostPort address) {
    act("Bob goes away");
    bob.leave();
    int before = bob.received().size();
    long seq = 0;
    for (int i = 1; i <= WHILE_AWAY; i++) {
      var text = "While you were away, part " + i + " of " + WHILE_AWAY;
      int index = alice.say(bob, text);
      alice.await(() -> alice.seqOf(index) > 0, "alice's message is durable");
      seq = alice.seqOf(index);
      line("alice", "✓ ", seq, text);
    }
    say("on the server's disk, on no device of Bob's: one tick each");
    act("Bob comes back");
    bob.arrive(address);
    bob.await(() -> bob.received().size() >= before + WHILE_AWAY, "bob catches up");
    for (var kept : bob.received().subList(before, before + WHILE_AWAY)) {
      line("→ bob", "  ", kept.seq(), kept.text());
    }
    long last = seq;
    alice.await(() -> alice.peerDelivered() >= last, "alice learns that bob has caught up");
    say("Alice's five messages now have ✓✓");
  }

  private ServerProcess killInTheMiddle(ServerProcess server) {
    act("kill -9 in the middle of the traffic");
    long before = acknowledged();
    long alicesBefore = alice.acknowledged();
    for (int i = 1; i <= traffic; i++) {
      alice.say(bob, "Alice, in a hurry, " + i + " of " + traffic);
      bob.say(alice, "Bob, in a hurry too, " + i + " of " + traffic);
    }
    alice.await(() -> alice.acknowledged() >= alicesBefore + traffic / 4, "traffic");
    server.kill();
    long durable = acknowledged() - before;
    say("kill -9 " + server.pid());
    say(
        durable
            + " of "
            + 2 * traffic
            + " messages had their ✓; the others are still in the"
            + " clients, which now look for the server");
    alice.await(() -> !alice.isUp(), "alice notices");
    bob.await(() -> !bob.isUp(), "bob notices");
    long killed = System.nanoTime();
    var again = DemoCommand.startServer(folder, server.ready().plain(), server.ready().http());
    say(
        "process %d starts on the same folder and is ready after %.1f s"
            .formatted(again.pid(), secondsSince(killed)));
    // On a slow machine their back-off may have grown beyond what an onlooker waits.
    alice.hurry();
    bob.hurry();
    alice.await(alice::isUp, "alice reconnects");
    bob.await(bob::isUp, "bob reconnects");
    alice.await(() -> alice.acknowledged() == alice.sent().size(), "alice's messages are durable");
    bob.await(() -> bob.acknowledged() == bob.sent().size(), "bob's messages are durable");
    alice.await(() -> alice.received().size() >= bob.sent().size(), "alice has all of bob's");
    bob.await(() -> bob.received().size() >= alice.sent().size(), "bob has all of alice's");
    long alices = alice.seqOf(alice.sent().size() - 1);
    long bobs = bob.seqOf(bob.sent().size() - 1);
    alice.await(() -> alice.peerDelivered() >= alices, "alice knows that bob has everything");
    bob.await(() -> bob.peerDelivered() >= bobs, "bob knows that alice has everything");
    say(
        "both are connected again; all %d have ✓✓, %.1f s after the kill"
            .formatted(2 * traffic, secondsSince(killed)));
    return again;
  }

  private List<String> group(HostPort address, Person carol) {
    act("Carol comes too, and there is a group");
    carol.arrive(address);
    say("carol's account is there, and her token from before the kill is good");
    return new GroupScene(this, new Names(folder.resolve("names")), alice, bob, carol).play();
  }

  /// @param groupProblems what is wrong in the group
  private boolean compare(List<String> groupProblems) {
    act("The books");
    var sent = new ArrayList<>(alice.sent());
    sent.addAll(bob.sent());
    var history = alice.history(bob);
    var problems =
        Books.problems(sent, Map.of("alice", alice.received(), "bob", bob.received()), history);
    problems.addAll(groupProblems);
    say(sent.size() + " messages sent, " + acknowledged() + " acknowledged as durable");
    say(bob.received().size() + " of Alice's " + alice.sent().size() + " on Bob's device");
    say(alice.received().size() + " of Bob's " + bob.sent().size() + " on Alice's device");
    say(history.size() + " in the server's history, #1 to #" + history.size() + " without a hole");
    if (problems.isEmpty()) {
      say("compared text by text: 0 lost, 0 doubled, 0 out of order, 0 changed");
      out.println();
      out.printf(
          Locale.ROOT,
          "All is well, after %.1f s. Try next, each in a terminal:%n",
          secondsSince(startNanos));
      say("./tern server --data data");
      say("./tern chat --user alice --with bob");
      say("./tern chat --user bob --with alice");
      say("./tern group create --user alice terns bob");
      say("./tern account register " + RegistrationScene.NUMBER + " --name carol");
      out.flush();
      return true;
    }
    problems.stream().limit(20).forEach(problem -> say("WRONG: " + problem));
    out.println();
    out.println("This must not happen: " + problems.size() + " problems.");
    out.flush();
    return false;
  }

  /// Says it, waits until the other one's device has it, and prints it with its ticks.
  private long sayAndAwaitDelivery(Person from, String text, String shown) {
    var to = from == alice ? bob : alice;
    int index = from.say(to, text);
    from.await(() -> from.seqOf(index) > 0, from.name + "'s message is durable");
    long seq = from.seqOf(index);
    from.await(() -> from.peerDelivered() >= seq, to.name + "'s device has the message");
    line(from.name, "✓✓", seq, shown);
    return seq;
  }

  private long acknowledged() {
    return alice.acknowledged() + bob.acknowledged();
  }

  private void act(String title) {
    out.println();
    out.println(hasColours ? "\033[1m" + title + "\033[0m" : title);
    out.flush();
  }

  void say(String text) {
    out.println("  " + text);
    out.flush();
  }

  void line(String who, String ticks, long seq, String text) {
    var shown = hasColours ? "\033[36m" + ticks + "\033[0m" : ticks;
    out.printf(Locale.ROOT, "  %-6s%s #%-3d %s%n", who, shown, seq, text);
    out.flush();
  }

  private static double secondsSince(long nanos) {
    return (System.nanoTime() - nanos) / 1e9;
  }
}
