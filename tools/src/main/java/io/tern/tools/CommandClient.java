package io.tern.tools;

import io.tern.client.ClientConfig;
import io.tern.client.ClientListener;
import io.tern.client.ForwardingListener;
import io.tern.client.TernClient;
import io.tern.client.TernException;
import io.tern.client.account.AccountTokens;
import io.tern.client.account.CredentialsFile;
import io.tern.client.store.FileClientStore;
import io.tern.edge.token.DevelopmentIssuer;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// The client of one command: logged in when [#connect] returns, with its state in a folder, and
/// with every failure turned into one line for a person.
public final class CommandClient implements AutoCloseable {

  private static final Duration GOODBYE = Duration.ofSeconds(3);

  private final TernClient client;
  private final HostPort server;
  private final @Nullable AccountTokens tokens;

  private CommandClient(TernClient client, HostPort server, @Nullable AccountTokens tokens) {
    this.client = client;
    this.server = server;
    this.tokens = tokens;
  }

  /// Logs in, and waits for it as long as `connect` has patience.
  ///
  /// @param usualDevice the command's own device, unless `--device` names another
  public static CommandClient connect(
      UserOptions user, int usualDevice, ConnectOptions connect, ClientListener listener) {
    var id = user.id();
    int device = user.deviceOr(usualDevice);
    var watch = new ConnectionWatch(listener);
    AccountTokens tokens = user.account == null ? null : tokens(user.account);
    var config =
        ClientConfig.of(
                id,
                device,
                List.of(connect.server.resolve()),
                tokens == null ? () -> DevelopmentIssuer.token(id, device) : tokens::current,
                FileClientStore.open(folder(user, connect.server, id, device)))
            .withApp("tern " + usualDevice);
    var tls = connect.tls();
    if (tls != null) {
      config = config.withTls(tls);
    }
    var client =
        new CommandClient(
            TernClient.start(config, tokens == null ? watch : tokens.watching(watch)),
            connect.server,
            tokens);
    if (tokens != null) {
      tokens.feed(client.client);
    }
    try {
      client.client.ready().get(connect.patience().toMillis(), TimeUnit.MILLISECONDS);
      return client;
    } catch (TimeoutException e) {
      client.close();
      throw new Failure(ExitCode.UNREACHABLE, watch.whyNot(connect.server), e);
    } catch (ExecutionException e) {
      client.close();
      throw failure(e.getCause());
    } catch (InterruptedException e) {
      client.close();
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.FAILED, "interrupted", e);
    }
  }

  /// The tokens of an account's device; a new one first, if need be.
  private static AccountTokens tokens(Path account) {
    try {
      return AccountTokens.open(new CredentialsFile(account));
    } catch (IOException e) {
      throw new Failure(ExitCode.UNREACHABLE, String.valueOf(e.getMessage()), e);
    } catch (TernException e) {
      throw failure(e);
    }
  }

  /// What a device of one server remembers means nothing to another, hence the address in it.
  private static Path folder(UserOptions user, HostPort server, UserId id, int device) {
    var address = server.toString().replaceAll("[^A-Za-z0-9.-]", "_");
    return user.stateFolder().resolve(address).resolve(id + "." + device);
  }

  public TernClient client() {
    return client;
  }

  /// The chat called `name`: a user's, or with `+` a group's, by its id or, if it is one of this
  /// user's, by its title.
  public ChatId chat(String name, Duration timeout) {
    return Names.isGroup(name) ? group(name, timeout) : client.direct(Names.id(name));
  }

  /// The group called `name`, with or without the mark.
  public ChatId group(String name, Duration timeout) {
    var title = Names.isGroup(name) ? name.substring(1) : name;
    var groups =
        ChatLists.all(this, timeout).stream()
            .filter(chat -> chat.getGroup() && chat.getTitle().equalsIgnoreCase(title))
            .map(chat -> ChatId.group(chat.getChat()))
            .toList();
    if (groups.size() == 1) {
      return groups.getFirst();
    }
    if (groups.size() > 1) {
      throw new Failure(
          ExitCode.FAILED,
          groups.size()
              + " groups are called '"
              + title
              + "': "
              + groups.stream()
                  .map(id -> Names.GROUP_MARK + id.toString())
                  .collect(Collectors.joining(", ")));
    }
    if (title.startsWith("g")) {
      try {
        long id = Long.parseLong(title.substring(1), 36);
        if (UserId.isValid(id)) {
          return ChatId.group(id);
        }
      } catch (NumberFormatException e) {
        // Not an id either.
      }
    }
    throw new Failure(ExitCode.FAILED, "you have no group called '" + title + "'");
  }

  /// Waits for an answer of the server.
  public <T> T await(CompletableFuture<T> answer, Duration timeout) {
    try {
      return answer.get(timeout.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      throw new Failure(
          ExitCode.TIMED_OUT, server + " did not answer within " + timeout.toSeconds() + " s", e);
    } catch (ExecutionException e) {
      throw failure(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new Failure(ExitCode.FAILED, "interrupted", e);
    }
  }

  /// What a refusal means to a person.
  public static RuntimeException failure(@Nullable Throwable cause) {
    if (cause instanceof TernException refused) {
      return new Failure(ExitCode.REFUSED, explain(refused), refused);
    }
    if (cause instanceof RuntimeException e) {
      return e;
    }
    return new IllegalStateException(cause);
  }

  private static String explain(TernException refused) {
    var code = refused.code();
    if (code == ErrorCode.NOT_FOUND) {
      return "the server knows no such user (one exists from their first login on) or entry";
    }
    if (code == ErrorCode.NOT_MEMBER) {
      return "there is no such group, or you are not in it";
    }
    if (code == ErrorCode.NOT_ALLOWED) {
      return "you may not do that: it takes another role, or it is too late";
    }
    if (code == ErrorCode.CONFLICT) {
      return "nothing would change";
    }
    if (code == ErrorCode.BLOCKED) {
      return "one of you has blocked the other";
    }
    if (code == ErrorCode.GROUP_FULL) {
      return "the group is full";
    }
    if (code == ErrorCode.BODY_TOO_LARGE) {
      return "the message is too large: 16 KiB at most";
    }
    if (code == ErrorCode.TOKEN_INVALID) {
      return "the server does not know this device, or does not accept tokens of the development"
          + " issuer (it does by default only on loopback)";
    }
    if (code == ErrorCode.REVOKED) {
      return "this device was removed (--device N makes this one another)";
    }
    if (code == ErrorCode.SESSION_REPLACED) {
      return "the same device logged in elsewhere (--device N makes this one another)";
    }
    return "the server refused: " + refused.getMessage();
  }

  @Override
  public void close() {
    if (tokens != null) {
      tokens.close();
    }
    client.close();
    try {
      client.closed().get(GOODBYE.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException | ExecutionException e) {
      // The process ends anyway; what was not said to the server it will find out by itself.
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Passes everything on and remembers why there is no connection.
  private static final class ConnectionWatch extends ForwardingListener {
    private volatile @Nullable String reason;

    ConnectionWatch(ClientListener to) {
      super(to);
    }

    String whyNot(HostPort server) {
      var why = reason;
      return "no server answers at "
          + server
          + (why == null ? "" : ": " + why)
          + ("connection refused".equals(why) ? " (tern server starts one)" : "");
    }

    @Override
    public void onConnection(ConnectionState state) {
      if (state instanceof ConnectionState.Down down) {
        reason = down.reason();
      }
      super.onConnection(state);
    }
  }
}
