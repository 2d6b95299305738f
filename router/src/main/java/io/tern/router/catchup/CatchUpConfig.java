package io.tern.router.catchup;

/// How much a session is caught up at a time.
///
/// @param backlogMax entries of one chat that are pushed; of a longer backlog the oldest are left
///   to HISTORY, and the session says so with RESET
/// @param chatsMax chats that a session tells apart while it is behind
/// @param pieceEntries entries of one chat in a row, so that a long backlog does not hold up others
/// @param pageEntries entries in one question to a reader
/// @param pageBytes bytes of bodies in one question to a reader
public record CatchUpConfig(
    int backlogMax, int chatsMax, int pieceEntries, int pageEntries, int pageBytes) {

  public static final CatchUpConfig DEFAULT = new CatchUpConfig(10_000, 256, 32, 128, 128 * 1024);

  public CatchUpConfig {
    atLeastOne("backlogMax", backlogMax);
    atLeastOne("chatsMax", chatsMax);
    atLeastOne("pieceEntries", pieceEntries);
    atLeastOne("pageEntries", pageEntries);
    atLeastOne("pageBytes", pageBytes);
  }

  private static void atLeastOne(String key, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(key + " is " + value + "; it must be at least 1");
    }
  }
}
