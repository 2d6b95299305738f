package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeliverBody;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.store.Entry;
import io.tern.store.Outcome;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What goes out: makes the deliveries for the sessions that are to be told something, and gathers
/// them until [#flush] hands each edge its own as one message.
///
/// Confined to the dispatcher's thread. Bounded by the round that is being told.
final class Outgoing {

  /// Edges remembered between rounds; more are forgotten, which costs an allocation each.
  private static final int EDGES_KEPT_MAX = 4_096;

  /// Deliveries for one edge, gathered.
  private static final class EdgeBatch {
    final EdgeId edge;
    ArrayList<Delivery> deliveries = new ArrayList<>();
    boolean touched;

    /// Recipients of the delivery that is being made.
    @Nullable ArrayList<Attachment> to;

    EdgeBatch(EdgeId edge) {
      this.edge = edge;
    }
  }

  private final Bus bus;
  private final RouterMetrics metrics;
  private final Map<EdgeId, EdgeBatch> edges = new HashMap<>();
  private final ArrayList<EdgeBatch> touched = new ArrayList<>();
  private @Nullable EdgeBatch lastEdge;

  Outgoing(Bus bus, RouterMetrics metrics) {
    this.bus = bus;
    this.metrics = metrics;
  }

  void answer(EdgeId edge, Delivery.Answer answer) {
    edge(edge).deliveries.add(answer);
  }

  /// The entry, to all sessions of `members` but the one that sent it.
  ///
  /// @param users has the routes of the members
  void entry(Entry entry, List<UserId> members, UserTable users) {
    var sender = entry.sender();
    boolean own = false;
    for (var member : members) {
      boolean ofSender = member.equals(sender.user());
      for (var session : users.routes(member).sessions()) {
        if (!ofSender || !isSentFrom(session, entry)) {
          recipient(session);
          own |= ofSender;
        }
      }
    }
    byte @Nullable [] body = null;
    byte[] ownBody = {};
    for (int i = 0; i < touched.size(); i++) {
      var edge = touched.get(i);
      var to = edge.to;
      if (to != null) {
        if (body == null) {
          body = encode(entry, 0);
          ownBody = own && entry.csn() != 0 ? encode(entry, entry.csn()) : body;
        }
        edge.deliveries.add(
            new Delivery.Entries(
                entry.chat(), entry.seq(), sender.user(), body, ownBody, immutable(to)));
        edge.to = null;
      }
    }
  }

  /// The sending device has SENT; if that is lost, it sends again. What the server made of a change
  /// it has not, so it gets that as the others do.
  static boolean isSentFrom(Attachment session, Entry entry) {
    return entry.csn() != 0 && session.device().equals(entry.sender());
  }

  private static byte[] encode(Entry entry, long csn) {
    var sender = entry.sender();
    return DeliverBody.encode(
        entry.chat().isGroup() ? sender.user().value() : 0,
        sender.index(),
        entry.tsMillis(),
        entry.content(),
        csn,
        entry.editedMillis());
  }

  /// To the authors' sessions only: what grows with the members is counted by the shard, not told
  /// one by one.
  ///
  /// @param users has the routes of the authors
  void progress(Outcome.Ticked ticked, UserTable users) {
    for (var progress : ticked.progress()) {
      for (var author : progress.authors()) {
        for (var session : users.routes(author.user()).sessions()) {
          recipient(session);
        }
        for (int i = 0; i < touched.size(); i++) {
          var edge = touched.get(i);
          var to = edge.to;
          if (to != null) {
            edge.deliveries.add(
                new Delivery.Progress(
                    progress.chat(),
                    progress.allDelivered(),
                    progress.allRead(),
                    author.seq(),
                    author.total(),
                    author.delivered(),
                    author.read(),
                    immutable(to)));
            edge.to = null;
          }
        }
      }
    }
  }

  /// To the observers' sessions, but for the one that moved the watermark.
  ///
  /// @param users has the routes of the observers
  void receipt(ReceiptTable.Receipt receipt, UserTable users) {
    receipt(receipt, users, false, receipt.shownDelivered(), receipt.shownRead());
    receipt(receipt, users, true, receipt.delivered(), receipt.read());
  }

  /// @param own to the member's own devices, or to the others
  private void receipt(
      ReceiptTable.Receipt receipt, UserTable users, boolean own, long delivered, long read) {
    for (var observer : receipt.observers()) {
      if (observer.equals(receipt.member) != own) {
        continue;
      }
      for (var session : users.routes(observer).sessions()) {
        if (!session.device().equals(receipt.from())) {
          recipient(session);
        }
      }
    }
    for (int i = 0; i < touched.size(); i++) {
      var edge = touched.get(i);
      var to = edge.to;
      if (to != null) {
        edge.deliveries.add(
            new Delivery.Receipts(receipt.chat, receipt.member, delivered, read, immutable(to)));
        edge.to = null;
      }
    }
  }

  /// Tells the sessions to look into the store.
  ///
  /// @param from the first entry they may not have; 0 = not known
  void nudge(ChatId chat, long from, List<Attachment> sessions, Set<Attachment> butNot) {
    for (var session : sessions) {
      if (!butNot.contains(session)) {
        metrics.onNudge();
        edge(session.edge()).deliveries.add(new Delivery.Nudge(chat, session, from));
      }
    }
  }

  /// The session is to end.
  void revoke(Attachment session, ErrorCode why) {
    edge(session.edge()).deliveries.add(new Delivery.Revoked(session, why));
  }

  /// Hands over what was gathered.
  void flush() {
    for (int i = 0; i < touched.size(); i++) {
      var edge = touched.get(i);
      var deliveries = edge.deliveries;
      edge.touched = false;
      if (!deliveries.isEmpty()) {
        edge.deliveries = new ArrayList<>(Math.min(deliveries.size(), 256));
        metrics.onDeliveries(deliveries.size());
        bus.toEdge(edge.edge, Collections.unmodifiableList(deliveries));
      }
    }
    touched.clear();
    if (edges.size() > EDGES_KEPT_MAX) {
      edges.clear();
      lastEdge = null;
    }
  }

  private void recipient(Attachment session) {
    var edge = edge(session.edge());
    if (edge.to == null) {
      edge.to = new ArrayList<>(2);
    }
    edge.to.add(session);
  }

  private static List<Attachment> immutable(List<Attachment> list) {
    return list.size() == 1 ? List.of(list.getFirst()) : Collections.unmodifiableList(list);
  }

  private EdgeBatch edge(EdgeId id) {
    var batch = lastEdge;
    if (batch == null || !batch.edge.equals(id)) {
      batch = edges.computeIfAbsent(id, EdgeBatch::new);
      lastEdge = batch;
    }
    if (!batch.touched) {
      batch.touched = true;
      touched.add(batch);
    }
    return batch;
  }
}
