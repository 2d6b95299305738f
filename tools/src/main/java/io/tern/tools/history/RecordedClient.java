package io.tern.tools.history;

import com.google.protobuf.InvalidProtocolBufferException;
import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ForwardingListener;
import io.tern.client.Groups;
import io.tern.client.Groups.Changed;
import io.tern.client.Invite;
import io.tern.client.TernClient;
import io.tern.client.TernException;
import io.tern.client.netty.TernTransport;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.GroupBirth;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Role;
import java.util.Collection;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// A [TernClient] whose device writes down what it does and sees. One life of the device: a client
/// that is closed and started again is another object with the same recorder.
///
/// Any thread may call, but sends of one device from several threads at once could reach the client
/// in another order than the recorder, which the checker would take for the server's fault: let one
/// thread send.
public final class RecordedClient implements AutoCloseable {

  private static final int PAGE_ENTRIES = 100;

  private final DeviceRecorder recorder;
  private final TernClient client;

  private RecordedClient(DeviceRecorder recorder, TernClient client) {
    this.recorder = recorder;
    this.client = client;
  }

  /// As [#start(ClientConfig, DeviceRecorder, boolean, ClientListener, TernTransport)], on a loop
  /// of its own.
  public static RecordedClient start(
      ClientConfig config, DeviceRecorder recorder, boolean kept, ClientListener app) {
    recorder.opened(kept);
    return new RecordedClient(recorder, TernClient.start(config, new Listener(recorder, app)));
  }

  /// Starts to connect, on a loop of `transport`. Returns at once.
  ///
  /// @param kept whether the client's store still knows the device's last life; true for the first
  /// @param app hears everything after it has been recorded
  public static RecordedClient start(
      ClientConfig config,
      DeviceRecorder recorder,
      boolean kept,
      ClientListener app,
      TernTransport transport) {
    recorder.opened(kept);
    return new RecordedClient(
        recorder, TernClient.start(config, new Listener(recorder, app), transport));
  }

  public DeviceRecorder recorder() {
    return recorder;
  }

  public TernClient client() {
    return client;
  }

  /// Sends, as [TernClient#send]. `content` must differ from all others of this device in this
  /// chat.
  public CompletableFuture<TernClient.Receipted> send(ChatId chat, Content content) {
    return send(chat, content, recorder.sending(chat, ContentHash.of(content)));
  }

  private CompletableFuture<TernClient.Receipted> send(ChatId chat, Content content, int n) {
    return client
        .send(chat, content)
        .whenComplete((receipted, failure) -> {
          if (receipted != null) {
            recorder.sent(
                chat,
                n,
                receipted.seq(),
                receipted.csn(),
                receipted.tsMillis(),
                receipted.repeat());
          } else if (cause(failure) instanceof TernException refusal) {
            // A code that this version does not know is obeyed by its class; the book needs a name.
            recorder.refused(
                chat, n, Objects.requireNonNullElse(refusal.code(), ErrorCode.INTERNAL));
          }
          // Anything else (the client was closed) says nothing about the send: unknown.
        });
  }

  /// Edits the own message at `seq`, which says `original`, so that it says `body`, as
  /// [TernClient#edit].
  ///
  /// @param event as it goes out, different from all other contents of this device in this chat
  public CompletableFuture<TernClient.Receipted> edit(
      ChatId chat, Content original, Content event) {
    var edited =
        original.toBuilder()
            .setBody(event.getBody())
            .clearMentions()
            .addAllMentions(event.getMentionsList())
            .clearPreview();
    if (event.hasPreview()) {
      edited.setPreview(event.getPreview());
    }
    return amend(chat, event, ContentHash.of(edited.build()));
  }

  /// Takes the message at the target of `event` back.
  ///
  /// @param event as it goes out, different from all other contents of this device in this chat
  public CompletableFuture<TernClient.Receipted> revoke(ChatId chat, Content event) {
    return amend(chat, event, ContentHash.TOMBSTONE);
  }

  private CompletableFuture<TernClient.Receipted> amend(ChatId chat, Content event, long result) {
    int n = recorder.sending(chat, ContentHash.of(event));
    recorder.amending(chat, n, event.getTarget(), result);
    return send(chat, event, n);
  }

  /// Changes a group: `change` is called at once.
  ///
  /// @param event what the entry will say; users who are to be added one at a time
  public CompletableFuture<Changed> change(
      ChatId group, GroupEvent event, Function<Groups, CompletableFuture<Changed>> change) {
    int n = recorder.changing(group, GroupFacts.fingerprint(event));
    return change
        .apply(client.groups())
        .whenComplete((changed, failure) -> {
          if (changed != null) {
            recorder.changed(group, n, changed.seq());
          } else {
            refused(n, failure);
          }
        });
  }

  /// Founds a group; the title must be one that this device has not used before.
  public CompletableFuture<Changed> found(String title, Collection<UserId> members) {
    var birth = GroupBirth.newBuilder().setTitle(title);
    int n =
        recorder.founding(
            GroupFacts.fingerprint(GroupEvent.newBuilder().setCreated(birth).build()));
    return client
        .groups()
        .create(title, members)
        .whenComplete((changed, failure) -> {
          if (changed != null) {
            recorder.changed(changed.group(), n, changed.seq());
          } else {
            refused(n, failure);
          }
        });
  }

  /// Makes a new link for a group. The SDK does not tell the place of that change.
  public CompletableFuture<Invite> invite(ChatId group) {
    var event = GroupEvent.newBuilder().setInvite(true).build();
    int n = recorder.changing(group, GroupFacts.fingerprint(event));
    return client
        .groups()
        .invite(group)
        .whenComplete((invite, failure) -> {
          var refusal = failure == null ? null : cause(failure);
          if (invite != null || isMadeAndNotTold(refusal)) {
            recorder.changed(group, n, 0);
          } else if (refusal instanceof TernException e && e.code() == ErrorCode.NOT_MEMBER) {
            // Either the change was refused, or the question for the link behind it.
            recorder.changeRefused(n, ErrorCode.TIMEOUT);
          } else if (refusal != null) {
            refused(n, refusal);
          }
        });
  }

  /// The link was made, but the user was no admin any more when they asked what it is.
  private static boolean isMadeAndNotTold(@Nullable Throwable refusal) {
    return refusal instanceof TernException e && e.code() == ErrorCode.NOT_FOUND;
  }

  private void refused(int n, Throwable failure) {
    if (cause(failure) instanceof TernException refusal) {
      recorder.changeRefused(n, Objects.requireNonNullElse(refusal.code(), ErrorCode.INTERNAL));
    }
  }

  /// Marks everything up to `seq` as read.
  public void read(ChatId chat, long seq) {
    recorder.reading(chat, seq);
    client.read(chat, seq);
  }

  /// At the end: reads the whole history of `chat`, page by page, and writes it down; nothing, of a
  /// group that this user never was in. Completes with the head.
  public CompletableFuture<Long> recordHistory(ChatId chat) {
    return recordHistory(chat, 0)
        .exceptionallyCompose(failure ->
            isNotMember(failure)
                ? CompletableFuture.completedFuture(0L)
                : CompletableFuture.failedFuture(failure))
        .whenComplete((head, failure) -> {
          if (failure == null) {
            recorder.historyEnd(chat);
          }
        });
  }

  /// At the end: asks who is in `group`, and writes it down.
  public CompletableFuture<?> recordMembers(ChatId group) {
    return client
        .chatInfo(group)
        .thenAccept(info ->
            info.getMembersList()
                .forEach(member ->
                    recorder.member(group, new UserId(member.getUser()), member.getRole())))
        .exceptionallyCompose(failure ->
            isNotMember(failure)
                ? CompletableFuture.completedFuture(null)
                : CompletableFuture.failedFuture(failure))
        .whenComplete((done, failure) -> {
          if (failure == null) {
            recorder.membersEnd(group);
          }
        });
  }

  private static boolean isNotMember(Throwable failure) {
    return cause(failure) instanceof TernException refusal
        && refusal.code() == ErrorCode.NOT_MEMBER;
  }

  private CompletableFuture<Long> recordHistory(ChatId chat, long afterSeq) {
    return client
        .historyAfter(chat, afterSeq, PAGE_ENTRIES)
        .thenCompose(page -> {
          recordPage(chat, page);
          return page.getMore() && page.getEntriesCount() > 0
              ? recordHistory(chat, page.getEntries(page.getEntriesCount() - 1).getSeq())
              : CompletableFuture.completedFuture(page.getHead());
        });
  }

  private void recordPage(ChatId chat, HistoryPage page) {
    for (var entry : page.getEntriesList()) {
      var body = entry.getEntry();
      var sender = senderOf(chat, entry);
      recorder.entry(
          chat, entry.getSeq(), sender, ContentHash.of(body.getContent()), body.getTsMs());
      recordFacts(recorder, chat, entry.getSeq(), sender.user(), body.getContent(), true);
    }
  }

  /// Notes what an entry does to its group, if it is one that does.
  public static void recordFacts(
      DeviceRecorder recorder,
      ChatId chat,
      long seq,
      UserId sender,
      Content content,
      boolean read) {
    if (content.getKind() == Kind.KIND_GROUP) {
      try {
        var event = GroupEvent.parseFrom(content.getBody());
        recorder.facts(chat, seq, GroupFacts.of(sender, event), read);
      } catch (InvalidProtocolBufferException e) {
        // Without facts it counts as an entry that nobody sent.
      }
    }
  }

  private DeviceId senderOf(ChatId chat, PageEntry entry) {
    var me = recorder.id().user();
    var sender =
        entry.getOwn()
            ? me
            : chat.isGroup() ? new UserId(entry.getEntry().getSender()) : chat.peerOf(me);
    return new DeviceId(sender, entry.getEntry().getDevice());
  }

  /// At the end: asks for the chat list and writes down heads and watermarks. Completes with the
  /// number of chats.
  public CompletableFuture<Integer> recordSummaries() {
    return recordSummaries(null, 0);
  }

  private CompletableFuture<Integer> recordSummaries(byte @Nullable [] token, int before) {
    return client
        .chats(token, PAGE_ENTRIES)
        .thenCompose(page -> {
          page.getChatsList().forEach(this::recordSummary);
          int chats = before + page.getChatsCount();
          return next(page) == null
              ? CompletableFuture.completedFuture(chats)
              : recordSummaries(next(page), chats);
        });
  }

  private static byte @Nullable [] next(ChatsPage page) {
    var token = page.getNextPageToken();
    return token.isEmpty() ? null : token.toByteArray();
  }

  private void recordSummary(ChatItem item) {
    var me = recorder.id().user();
    var chat = ChatId.fromWire(me, item.getChat(), item.getGroup());
    recorder.summary(chat, me, item.getHead(), item.getDelivered(), item.getRead());
    if (chat.isGroup()) {
      // Who left a group is told nothing of the others.
      if (item.getRole() != Role.ROLE_UNSPECIFIED) {
        recorder.progress(chat, item.getAllDelivered(), item.getAllRead(), true);
      }
    } else if (!chat.isSelf()) {
      recorder.summary(
          chat, chat.peerOf(me), item.getHead(), item.getPeerDelivered(), item.getPeerRead());
    }
  }

  @Override
  public void close() {
    client.close();
  }

  private static Throwable cause(Throwable failure) {
    var cause = failure instanceof CompletionException ? failure.getCause() : failure;
    return cause == null ? failure : cause;
  }

  /// Records, then tells the app.
  private static final class Listener extends ForwardingListener {
    private final DeviceRecorder recorder;

    Listener(DeviceRecorder recorder, ClientListener app) {
      super(app);
      this.recorder = recorder;
    }

    @Override
    public void onMessage(Message message) {
      recorder.delivered(
          message.chat(),
          message.seq(),
          new DeviceId(message.sender(), message.device()),
          ContentHash.of(message.content()),
          message.tsMillis(),
          message.csn());
      recordFacts(
          recorder, message.chat(), message.seq(), message.sender(), message.content(), false);
      super.onMessage(message);
    }

    @Override
    public void onGroupReceipt(ChatId group, long allDelivered, long allRead) {
      recorder.progress(group, allDelivered, allRead);
      super.onGroupReceipt(group, allDelivered, allRead);
    }

    @Override
    public void onReceiptCount(ReceiptCount count) {
      recorder.count(count.group(), count.seq(), count.total(), count.delivered(), count.read());
      super.onReceiptCount(count);
    }

    @Override
    public void onReceipt(ChatId chat, UserId member, long delivered, long read) {
      recorder.receipt(chat, member, delivered, read);
      super.onReceipt(chat, member, delivered, read);
    }

    @Override
    public void onReset(ChatId chat, long seq) {
      recorder.reset(chat, seq);
      super.onReset(chat, seq);
    }

    @Override
    public void onConnection(ConnectionState state) {
      if (state instanceof ConnectionState.Up up) {
        recorder.up(up.session().epoch());
      }
      super.onConnection(state);
    }
  }
}
