package io.tern.edge.admin;

import io.tern.accounts.Admin.SmsSpend;
import io.tern.edge.session.Drain;
import io.tern.router.Router;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// How a server is doing, at one moment. What counts since the start is on `/metrics`.
///
/// @param version of the jar; `dev` from class folders
/// @param java of the runtime
/// @param startedMillis wall clock
/// @param state whether logins are taken
/// @param connectionsByDoor open ones, by `plain`, `tls` and `websocket`
/// @param sessions live ones
/// @param usersConnected who have them
/// @param usersActive of these, those whose app is in front on a device
/// @param sms null when the shard that counts does not answer
/// @param budgetKeys devices, accounts, chats and addresses that are kept, by budget
public record Stats(
    String name,
    String version,
    String java,
    long startedMillis,
    long uptimeMillis,
    Drain.State state,
    Map<String, Integer> connectionsByDoor,
    long sessions,
    int usersConnected,
    int usersActive,
    Rates rates,
    List<Router.Health> shards,
    Waiting waiting,
    Disk disk,
    Memory memory,
    @Nullable SmsSpend sms,
    Map<String, Integer> budgetKeys) {

  /// A second, over the last minute.
  ///
  /// @param seconds how long that is: less than a minute at first
  /// @param sent messages acknowledged as durable
  /// @param delivered entries pushed to devices
  /// @param logins sessions that came up
  /// @param refused sends that were refused, for whatever reason
  public record Rates(
      double seconds, double sent, double delivered, double logins, double refused) {}

  /// What takes turns.
  ///
  /// @param rate handshakes, logins and pages a second at most, at present
  public record Waiting(double rate, int underWay, int handshakes, int logins, int pages) {}

  /// The disk of the data folder.
  ///
  /// @param dataBytes of the files in the folder
  /// @param freeBytes that this process may use
  /// @param reserveBytes below this, new messages are refused
  public record Disk(long dataBytes, long freeBytes, long reserveBytes, boolean hasRoom) {}

  /// Of this process.
  ///
  /// @param directBytes of the buffer allocator and of the JVM's own direct buffers
  public record Memory(long heapUsedBytes, long heapMaxBytes, long directBytes) {}
}
