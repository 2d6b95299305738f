package io.tern.tools.demo;

import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.TernClient;
import io.tern.client.account.Credentials;
import io.tern.client.store.FileClientStore;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.PageEntry;
import io.tern.tools.CommandClient;
import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import io.tern.tools.HostPort;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Somebody in the demo: a name, a device whose state is a folder, and a client while they are
/// there. Keeps what they sent and what arrived, over all their comings and goings.
///
/// The story's thread calls; the client's event loop reports. Everything shared is guarded by
/// `this`, and [#await] waits on it.
final class Person implements ClientListener {

  private static final Duration PATIENCE = Duration.ofSeconds(30);

  final String name;
  final UserId id;
  private final int device;
  private final Supplier<byte[]> token;
  private final Path folder;
  private final List<Books.Sent> sent = new ArrayList<>();
  private final List<Books.Kept> received = new ArrayList<>();
  private final List<Long> groupHeard = new ArrayList<>();
  private long groupDelivered;
  private long groupRead;
  private long acknowledged;
  private long peerDelivered;
  private long peerRead;
  private boolean isUp;
  private @Nullable TernClient client;
  private @Nullable String trouble;

  private Person(String name, UserId id, int device, Supplier<byte[]> token, Path folder) {
    this.name = name;
    this.id = id;
    this.device = device;
    this.token = token;
    this.folder = folder;
  }

  /// Somebody whose tokens the development issuer makes.
  static Person inDevelopment(String name, Path folder) {
    var id = DevelopmentIssuer.userId(name);
    return new Person(name, id, 1, () -> DevelopmentIssuer.token(id, 1), folder);
  }

  /// Somebody with an account. The story is over long before the token is.
  static Person registered(String name, Credentials account, Path folder) {
    var token = account.token().getBytes(StandardCharsets.US_ASCII);
    return new Person(name, account.user(), account.device(), () -> token, folder);
  }

  // ---- what the story makes them do
  // --------------------------------------------------------------

  void arrive(HostPort server) {
    var config =
        ClientConfig.of(id, device, List.of(server.resolve()), token, FileClientStore.open(folder))
            .withApp("tern demo");
    var arriving = TernClient.start(config, this);
    client = arriving;
    get(arriving.ready(), name + " cannot log in");
  }

  /// Tries the server now instead of at the end of the back-off.
  void hurry() {
    there().reconnect();
  }

  void leave() {
    var leaving = client;
    if (leaving != null) {
      client = null;
      leaving.close();
      get(leaving.closed(), name + " cannot leave");
    }
  }

  /// Says something, and returns at once; [#sent] has it with its seq when it is durable.
  ///
  /// @return its place among what this person said
  int say(Person to, String text) {
    int index;
    synchronized (this) {
      index = sent.size();
      sent.add(new Books.Sent(name, text, 0));
    }
    there()
        .sendText(ChatId.direct(id, to.id), text)
        .whenComplete((place, failure) -> onAnswer(index, place, failure));
    return index;
  }

  void read(Person from, long seq) {
    there().read(ChatId.direct(id, from.id), seq);
  }

  /// The whole chat as the server has it.
  List<Books.Kept> history(Person with) {
    var entries = new ArrayList<Books.Kept>();
    var chat = ChatId.direct(id, with.id);
    long position = 0;
    while (true) {
      var page = get(there().historyAfter(chat, position, 100), "no history");
      for (PageEntry entry : page.getEntriesList()) {
        entries.add(
            new Books.Kept(
                entry.getOwn() ? name : with.name,
                entry.getEntry().getContent().getBody().toStringUtf8(),
                entry.getSeq()));
      }
      if (!page.getMore() || page.getEntriesCount() == 0) {
        return entries;
      }
      position = entries.getLast().seq();
    }
  }

  TernClient there() {
    var present = client;
    if (present == null) {
      throw new IllegalStateException(name + " is away");
    }
    return present;
  }

  // ---- what they have
  // ----------------------------------------------------------------------------

  synchronized List<Books.Sent> sent() {
    return List.copyOf(sent);
  }

  synchronized long seqOf(int index) {
    return sent.get(index).seq();
  }

  synchronized List<Books.Kept> received() {
    return List.copyOf(received);
  }

  /// How many sends are durable.
  synchronized long acknowledged() {
    return acknowledged;
  }

  synchronized boolean isUp() {
    return isUp;
  }

  /// How far the other one's devices have everything.
  synchronized long peerDelivered() {
    return peerDelivered;
  }

  /// How far the other one has read.
  synchronized long peerRead() {
    return peerRead;
  }

  /// The entries of the group that came, in their order; own ones do not.
  synchronized List<Long> groupHeard() {
    return List.copyOf(groupHeard);
  }

  /// The last of them; 0 for none.
  synchronized long groupHead() {
    return groupHeard.isEmpty() ? 0 : groupHeard.getLast();
  }

  /// What everyone in the group has, and has read.
  synchronized long groupDelivered() {
    return groupDelivered;
  }

  synchronized long groupRead() {
    return groupRead;
  }

  /// Waits until `isSo`, which is asked whenever something has happened to this person.
  synchronized void await(BooleanSupplier isSo, String what) {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!isSo.getAsBoolean()) {
      if (trouble != null) {
        throw new Failure(ExitCode.FAILED, name + ": " + trouble);
      }
      long left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
      if (left <= 0) {
        throw new Failure(
            ExitCode.FAILED, "waited " + PATIENCE.toSeconds() + " s in vain: " + what);
      }
      try {
        wait(left);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new Failure(ExitCode.FAILED, "interrupted", e);
      }
    }
  }

  // ---- what happens to them
  // ----------------------------------------------------------------------

  private synchronized void onAnswer(
      int index, TernClient.@Nullable Receipted place, @Nullable Throwable failure) {
    if (place == null) {
      trouble = "a message was refused: " + failure;
    } else {
      sent.set(index, new Books.Sent(name, sent.get(index).text(), place.seq()));
      acknowledged++;
    }
    notifyAll();
  }

  @Override
  public synchronized void onMessage(Message message) {
    if (message.chat().isGroup()) {
      groupHeard.add(message.seq());
      notifyAll();
      return;
    }
    received.add(
        new Books.Kept(
            message.sender().toString(),
            message.content().getBody().toStringUtf8(),
            message.seq()));
    notifyAll();
  }

  @Override
  public synchronized void onReceipt(ChatId chat, UserId member, long delivered, long read) {
    if (!member.equals(id) && !chat.isGroup()) {
      // Read implies delivered.
      peerDelivered = Math.max(peerDelivered, Math.max(delivered, read));
      peerRead = Math.max(peerRead, read);
      notifyAll();
    }
  }

  @Override
  public synchronized void onGroupReceipt(ChatId group, long allDelivered, long allRead) {
    groupDelivered = Math.max(groupDelivered, Math.max(allDelivered, allRead));
    groupRead = Math.max(groupRead, allRead);
    notifyAll();
  }

  @Override
  public synchronized void onConnection(ConnectionState state) {
    isUp = state instanceof ConnectionState.Up;
    if (state instanceof ConnectionState.Refused refused) {
      trouble = "the server refused: " + refused.detail();
    }
    notifyAll();
  }

  <T> T get(CompletableFuture<T> answer, String otherwise) {
    try {
      return answer.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    } catch (TimeoutException e) {
      throw new Failure(ExitCode.FAILED, otherwise + ": no answer", e);
    } catch (ExecutionException e) {
      throw CommandClient.failure(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.FAILED, "interrupted", e);
    }
  }
}
