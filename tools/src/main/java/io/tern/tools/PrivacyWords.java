package io.tern.tools;

import io.tern.protocol.UserId;
import io.tern.protocol.v1.Audience;
import io.tern.protocol.v1.Privacy;
import java.util.List;
import java.util.stream.Collectors;

/// A user's privacy in words, for people and for programs.
final class PrivacyWords {

  private PrivacyWords() {}

  static Json json(Privacy privacy, Names names) {
    return Json.object()
        .put("setting", "privacy")
        .put("last_seen", word(privacy.getLastSeen()))
        .put("online", word(privacy.getOnline()))
        .put("photo", word(privacy.getPhoto()))
        .put("groups", word(privacy.getGroups()))
        .putStrings("except", except(privacy, names))
        .put("hide_read_receipts", privacy.getHideReadReceipts());
  }

  static String phrase(Privacy privacy, Names names) {
    var except = except(privacy, names);
    return "last seen "
        + word(privacy.getLastSeen())
        + ", online "
        + word(privacy.getOnline())
        + ", photo "
        + word(privacy.getPhoto())
        + ", groups "
        + word(privacy.getGroups())
        + (except.isEmpty() ? "" : " (except " + String.join(", ", except) + ")")
        + ", read receipts "
        + (privacy.getHideReadReceipts() ? "hidden" : "shown");
  }

  private static List<String> except(Privacy privacy, Names names) {
    return privacy.getExceptList().stream()
        .filter(UserId::isValid)
        .map(id -> names.of(new UserId(id)))
        .collect(Collectors.toList());
  }

  static String word(Audience audience) {
    return switch (audience) {
      case AUDIENCE_UNSPECIFIED, AUDIENCE_EVERYONE -> "everyone";
      case AUDIENCE_CONTACTS -> "contacts";
      case AUDIENCE_CONTACTS_EXCEPT -> "contacts-except";
      case AUDIENCE_NOBODY -> "nobody";
      case UNRECOGNIZED -> "unknown";
    };
  }
}
