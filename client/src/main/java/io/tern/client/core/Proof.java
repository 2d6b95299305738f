package io.tern.client.core;

import com.google.protobuf.ByteString;
import com.google.protobuf.UnsafeByteOperations;
import io.tern.client.ClientStore;
import io.tern.client.ClientStore.ResumeTicket;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.v1.Hello;
import io.tern.protocol.v1.HelloAck;
import java.util.Arrays;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// How a client proves who it is: by a ticket while there is one that may be good, else by a token.
/// The number of times a ticket was used rises over restarts and is written down before it is used.
final class Proof {

  private static final byte[] NOTHING = {};

  private final ClientStore store;
  private final Supplier<byte[]> tokens;
  private long resumeCount;
  private long ticketUntil = ClientCore.NEVER;
  private boolean usedTicket;
  private byte @Nullable [] lastToken;

  /// The app's newest, of a time without a session; no server has seen it.
  private byte @Nullable [] offered;

  Proof(ClientStore store, Supplier<byte[]> tokens) {
    this.store = store;
    this.tokens = tokens;
  }

  void start() {
    ResumeTicket ticket = store.resumeTicket();
    resumeCount = ticket == null ? 0 : ticket.count();
  }

  void putInto(Hello.Builder hello, long now) {
    ResumeTicket ticket = store.resumeTicket();
    usedTicket = ticket != null && ticket.sealed().length > 0 && now < ticketUntil;
    if (ticket != null && usedTicket) {
      resumeCount = Math.max(resumeCount, ticket.count()) + 1;
      store.setResumeTicket(new ResumeTicket(ticket.sealed(), resumeCount));
      hello.setResume(wrap(ticket.sealed()));
    } else {
      byte[] token = tokens.get();
      lastToken = token;
      offered = null;
      hello.setToken(wrap(token));
    }
    hello.setCount(resumeCount);
  }

  void onHelloAck(HelloAck ack, long now) {
    if (!ack.getResume().isEmpty()) {
      store.setResumeTicket(new ResumeTicket(ack.getResume().toByteArray(), resumeCount));
      ticketUntil = ack.getResumeTtlS() > 0 ? now + ack.getResumeTtlS() * 1000L : ClientCore.NEVER;
    }
  }

  /// HELLO was refused so: whether the token may do what the ticket did not. Forgets the ticket
  /// then.
  boolean isCuredByToken(@Nullable ErrorCode refusal) {
    boolean isCured =
        usedTicket
            && (refusal == ErrorCode.RESUME_REJECTED
                || refusal == ErrorCode.IDENTITY_REQUIRED
                || refusal == ErrorCode.TOKEN_EXPIRED
                || refusal == ErrorCode.TOKEN_INVALID);
    if (isCured) {
      forgetTicket();
    }
    return isCured;
  }

  /// The next HELLO shows a token.
  void forgetTicket() {
    store.setResumeTicket(new ResumeTicket(NOTHING, resumeCount));
  }

  /// Whether the app has a token other than the latest that was shown.
  boolean hasNewerToken() {
    return !Arrays.equals(tokens.get(), lastToken);
  }

  /// For the next session, unless its HELLO shows a token anyway.
  void offer(byte[] token) {
    offered = token;
  }

  byte @Nullable [] takeOffered() {
    byte[] token = offered;
    offered = null;
    return token;
  }

  /// The session goes on with this one.
  void use(byte[] token) {
    lastToken = token;
  }

  static ByteString wrap(byte[] bytes) {
    return UnsafeByteOperations.unsafeWrap(bytes);
  }
}
