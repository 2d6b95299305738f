package io.tern.store;

import io.tern.protocol.ErrorCode;
import io.tern.store.Outcome.Refused;

/// The refusals that more than one part of a shard gives. Constants.
final class Refusals {

  static final Refused NOT_MEMBER = new Refused(ErrorCode.NOT_MEMBER, "");
  static final Refused NOT_ALLOWED = new Refused(ErrorCode.NOT_ALLOWED, "");
  static final Refused REVOKED = new Refused(ErrorCode.REVOKED, "");
  static final Refused WRONG_CHAT = new Refused(ErrorCode.ARGUMENT, "chat");
  static final Refused TOO_LARGE = new Refused(ErrorCode.BODY_TOO_LARGE, "content.body");
  static final Refused DISK_FULL = new Refused(ErrorCode.BUSY, "disk reserve reached");

  private Refusals() {}
}
