package io.tern.tools.load;

import io.tern.client.ClientTls;
import io.tern.protocol.Limits;
import java.net.InetSocketAddress;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// What one load run does.
///
/// @param tls whom to trust; null for plain TCP
/// @param users how many users; each has one device and one connection
/// @param groups the groups that they talk in; null for direct chats
/// @param inFlight closed loop: messages each user keeps going until their delivered receipts are
///   in; else 0
/// @param ratePerSecond open loop: messages a second of all users together; else 0. With neither
///   loop the users log in and are silent
/// @param measured how long the part that is measured lasts, or the silence
/// @param warmup traffic before the part that is measured
/// @param bodyBytes size of a message's body
/// @param drain how long to wait, after the last send, for what is still on its way
/// @param loginPatience how long to wait for the next user to be let in before giving up
/// @param run names the run: its users are new ones, so that their numbers start at 1
/// @param serverPid process to read CPU time and memory of; 0 for none
record LoadPlan(
    InetSocketAddress connect,
    @Nullable ClientTls tls,
    int users,
    @Nullable Groups groups,
    int inFlight,
    double ratePerSecond,
    Duration measured,
    Duration warmup,
    int bodyBytes,
    Pattern pattern,
    Duration drain,
    Duration loginPatience,
    long run,
    long serverPid) {

  /// Groups of the same size, with members of their own.
  ///
  /// @param count how many groups
  /// @param members of each
  /// @param senders how many of them write
  record Groups(int count, int members, int senders) {
    Groups {
      if (count < 1 || members < 2 || members > Limits.GROUP_MEMBERS_MAX) {
        throw new IllegalArgumentException(
            "a group has 2 to %,d members, and there is 1 at least"
                .formatted(Limits.GROUP_MEMBERS_MAX));
      }
      if (senders < 1 || senders > members) {
        throw new IllegalArgumentException("of %,d members 1 to all may write".formatted(members));
      }
      if ((long) count * members > USERS_MAX) {
        throw new IllegalArgumentException("at most %,d users".formatted(USERS_MAX));
      }
    }

    int users() {
      return count * members;
    }
  }

  private static final int USERS_MAX = 1_000_000;
  private static final int RATE_MAX = 10_000_000;

  /// Who talks to whom in direct chats.
  enum Pattern {
    /// User 0 with user 1, user 2 with user 3…
    PAIRS,
    /// Every message to a user picked at random.
    RANDOM
  }

  LoadPlan {
    if (inFlight > 0 && ratePerSecond > 0) {
      throw new IllegalArgumentException("say either how many in flight or at which rate");
    }
    if (users < 1) {
      throw new IllegalArgumentException("no users, no load");
    }
    if (users > USERS_MAX) {
      throw new IllegalArgumentException("at most %,d users".formatted(USERS_MAX));
    }
    if (inFlight > Conversation.BACKLOG_MAX || ratePerSecond > RATE_MAX) {
      throw new IllegalArgumentException(
          "at most %,d messages in flight, or %,d a second"
              .formatted(Conversation.BACKLOG_MAX, RATE_MAX));
    }
    if (groups == null && (inFlight > 0 || ratePerSecond > 0)) {
      requirePeers(users, pattern);
    }
    if (bodyBytes < Stamp.BYTES_MIN || bodyBytes > Limits.BODY_BYTES_MAX) {
      throw new IllegalArgumentException(
          "a body has %,d to %,d bytes".formatted(Stamp.BYTES_MIN, Limits.BODY_BYTES_MAX));
    }
  }

  private static void requirePeers(int users, Pattern pattern) {
    if (users < 2) {
      throw new IllegalArgumentException("a conversation needs at least 2 users");
    }
    if (pattern == Pattern.PAIRS && users % 2 != 0) {
      throw new IllegalArgumentException("pairs need an even number of users");
    }
    if (pattern == Pattern.RANDOM && users > LoadUser.CONVERSATIONS_MAX) {
      throw new IllegalArgumentException(
          "at most " + LoadUser.CONVERSATIONS_MAX + " users can talk to each other at random");
    }
  }

  /// How many users write.
  int senders() {
    return groups == null ? users : groups.count() * groups.senders();
  }

  boolean isIdle() {
    return inFlight == 0 && ratePerSecond == 0;
  }

  boolean isOpenLoop() {
    return ratePerSecond > 0;
  }
}
