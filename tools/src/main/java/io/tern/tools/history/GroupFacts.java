package io.tern.tools.history;

import io.tern.protocol.UserId;
import io.tern.protocol.v1.GroupEvent;
import io.tern.protocol.v1.Role;
import java.util.ArrayList;
import java.util.List;

/// What an entry of kind GROUP does to its group, as a history notes it.
///
/// @param fingerprint see [#fingerprint]
/// @param facts never empty: what changes no member says so of its sender
public record GroupFacts(long fingerprint, List<Fact> facts) {

  /// What happens to a member.
  ///
  /// @param effect on them
  public record Fact(UserId user, Effect effect) {}

  /// What a change does to one member.
  public enum Effect {
    NONE(0),
    /// They are in it, as MEMBER.
    JOINS(1),
    LEAVES(2),
    MEMBER(3),
    ADMIN(4),
    OWNER(5);

    private static final Effect[] BY_CODE = new Effect[values().length];

    static {
      for (var effect : values()) {
        BY_CODE[effect.code] = effect;
      }
    }

    final int code;

    Effect(int code) {
      this.code = code;
    }

    static Effect of(int code) {
      return BY_CODE[code];
    }

    /// What gives this role.
    static Effect of(Role role) {
      return switch (role) {
        case ROLE_MEMBER -> MEMBER;
        case ROLE_ADMIN -> ADMIN;
        case ROLE_OWNER -> OWNER;
        case ROLE_UNSPECIFIED, UNRECOGNIZED -> NONE;
      };
    }

    Role role() {
      return switch (this) {
        case JOINS, MEMBER -> Role.ROLE_MEMBER;
        case ADMIN -> Role.ROLE_ADMIN;
        case OWNER -> Role.ROLE_OWNER;
        case NONE, LEAVES -> Role.ROLE_UNSPECIFIED;
      };
    }
  }

  public GroupFacts {
    facts = List.copyOf(facts);
  }

  /// 64 bits by which a change that was asked for and its entry know each other: all that the event
  /// says, without what only the server knows (who becomes the owner); of a founding, its title.
  /// Differs between changes of one device, but for the same change made again.
  public static long fingerprint(GroupEvent event) {
    if (event.hasCreated()) {
      return ContentHash.mix(~ContentHash.of(event.getCreated().getTitleBytes().toByteArray()));
    }
    return ContentHash.of(event.toBuilder().clearNewOwner().build().toByteArray());
  }

  /// The facts of an entry by `sender`.
  public static GroupFacts of(UserId sender, GroupEvent event) {
    var facts = new ArrayList<Fact>();
    switch (event.getChangeCase()) {
      case CREATED -> {
        facts.add(new Fact(sender, Effect.JOINS));
        facts.add(new Fact(sender, Effect.OWNER));
        event
            .getCreated()
            .getMembersList()
            .forEach(user -> facts.add(new Fact(new UserId(user), Effect.JOINS)));
      }
      case ADDED ->
          event
              .getAdded()
              .getUsersList()
              .forEach(user -> facts.add(new Fact(new UserId(user), Effect.JOINS)));
      case REMOVED -> facts.add(new Fact(new UserId(event.getRemoved()), Effect.LEAVES));
      case LEFT -> facts.add(new Fact(sender, Effect.LEAVES));
      case JOINED -> facts.add(new Fact(sender, Effect.JOINS));
      case ROLE -> {
        var role = event.getRole().getRole();
        if (role == Role.ROLE_OWNER) {
          facts.add(new Fact(sender, Effect.ADMIN));
        }
        facts.add(new Fact(new UserId(event.getRole().getUser()), Effect.of(role)));
      }
      default -> facts.add(new Fact(sender, Effect.NONE));
    }
    if (event.getNewOwner() != 0) {
      facts.add(new Fact(new UserId(event.getNewOwner()), Effect.OWNER));
    }
    return new GroupFacts(fingerprint(event), facts);
  }
}
