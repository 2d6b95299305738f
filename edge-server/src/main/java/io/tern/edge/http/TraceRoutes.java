package io.tern.edge.http;

import static io.tern.edge.http.Shape.field;
import static io.tern.edge.http.Shape.fields;
import static io.tern.edge.http.Shape.flag;
import static io.tern.edge.http.Shape.many;
import static io.tern.edge.http.Shape.optional;
import static io.tern.edge.http.Shape.text;
import static io.tern.edge.http.Shape.whole;
import static io.tern.edge.http.Shape.word;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tern.accounts.Shards;
import io.tern.edge.http.Shape.Fields;
import io.tern.edge.metrics.Counters;
import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.Limits;
import io.tern.protocol.UserId;
import io.tern.router.Trace;
import io.tern.router.Trace.At;
import io.tern.router.Trace.AtDevice;
import io.tern.router.Trace.Committed;
import io.tern.router.Trace.Pushed;
import io.tern.router.Trace.Routed;
import io.tern.router.Trace.Step;
import io.tern.store.KeyValues;
import io.tern.store.Reads;
import io.tern.store.Slots;
import java.time.Instant;
import java.time.InstantSource;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/// The way of one entry, for operators: what the store knows for ever (who sent it, who has it
/// since when) and what this server remembers of the steps between ([Trace]). Who and when, never
/// what.
///
/// Bounds: [#MEMBERS_MAX] members, [#STEPS_MAX] steps.
public final class TraceRoutes {

  static final int MEMBERS_MAX = 100;
  static final int STEPS_MAX = 1_000;

  private static final Shape USER = whole(1, (1L << 48) - 1);
  private static final Shape DEVICE = whole(1, Limits.DEVICE_INDEX_MAX);
  private static final Shape SEQ = whole(0, Shape.WHOLE_MAX);
  private static final Shape TIME = whole(0, Shape.WHOLE_MAX);
  private static final Shape COUNT = whole(0, Integer.MAX_VALUE);

  /// Of what a server remembers, in the order in which it happens.
  private static final List<String> KINDS =
      List.of(
          "accepted",
          "committed",
          "routed",
          "answered",
          "written",
          "held_back",
          "pushed",
          "acknowledged",
          "read");

  /// What every entry goes through that goes to anybody.
  private static final List<String> EXPECTED =
      List.of("accepted", "committed", "routed", "answered", "written", "acknowledged");

  private static final Fields STEP =
      fields(
          field("step", word(KINDS.toArray(String[]::new)), ""),
          field("at_us", TIME, "microseconds since 1970"),
          field("after_us", TIME, "microseconds since the first step"),
          optional("user", USER, "at whose device, or who is sent a push"),
          optional("device", DEVICE, ""),
          optional("session", SEQ, "the edge's number of it, as in the log"),
          optional("edge", text(1, 256), "accepted: the server that took it off its socket"),
          optional(
              "door",
              word("tcp", "tls", "websocket", "http"),
              "answered: by which the sender came"),
          optional("sync_us", TIME, "committed: how long the batch took to be written and synced"),
          optional("batch", COUNT, "routed: commands in the batch it was committed with"),
          optional("found", flag(), "routed: false = the directory did not answer"),
          optional("sessions", COUNT, "routed: that it is handed to"),
          optional("absent", COUNT, "routed: recipients without a session"),
          optional("caught_up", flag(), "written: by catch-up, not live"),
          optional("taken", flag(), "pushed: whether the push queue took it"));

  private static final Fields MEMBER =
      fields(
          field("user", USER, ""),
          field("sender", flag(), ""),
          field("delivered_ms", TIME, "when it first was on a device of theirs; 0 = it is not"),
          field("read_ms", TIME, "0 = it is not, or they do not say"),
          field(
              "devices",
              many(
                  fields(
                      field("device", DEVICE, ""),
                      field("acknowledged", flag(), "whether it has it")),
                  Limits.DEVICES_PER_USER_MAX),
              ""));

  private static final Fields WAY =
      fields(
          field("chat", text(1, 32), ""),
          field("seq", SEQ, ""),
          field("head", SEQ, "newest of the chat"),
          field("user", USER, "who sent it"),
          field("device", DEVICE, ""),
          field("csn", SEQ, "the device's number for it; 0 = the server made it of a change"),
          field("ts_ms", TIME, "the time that clients are shown"),
          field(
              "memory",
              word("whole", "partial", "none", "off"),
              "whether all of the steps since its commit are remembered"),
          field(
              "unknown",
              many(word(KINDS.toArray(String[]::new)), KINDS.size()),
              "steps that may have been and are not remembered"),
          field("steps", many(STEP, STEPS_MAX), "by time"),
          field("steps_more", flag(), "there are more than are listed"),
          field("members", many(MEMBER, MEMBERS_MAX + 1), "the sender, and some of who sees it"),
          field("members_total", COUNT, "with the sender"));

  private final Shards shards;
  private final Trace trace;
  private final String edge;
  private final LongSupplier nanoTime;
  private final InstantSource clock;

  private TraceRoutes(
      Shards shards, Trace trace, String edge, LongSupplier nanoTime, InstantSource clock) {
    this.shards = shards;
    this.trace = trace;
    this.edge = edge;
    this.nanoTime = nanoTime;
    this.clock = clock;
  }

  /// All of them.
  ///
  /// @param edge name of this server
  /// @param nanoTime the clock of the trace
  public static List<Endpoint> of(
      Shards shards, Trace trace, String edge, LongSupplier nanoTime, InstantSource clock) {
    var routes = new TraceRoutes(shards, trace, edge, nanoTime, clock);
    return List.of(
        Endpoint.read(
            "trace",
            "/v1/trace/{chat}/{seq}",
            WAY,
            "The way of an entry: accepted, committed, routed, written, acknowledged.",
            routes::way));
  }

  /// What the store has.
  private record Stored(Reads.Fate fate, List<Member> members) {}

  private record Member(UserId user, Reads.Times times, List<Device> devices) {}

  private record Device(int index, boolean hasIt) {}

  private Reply way(Call call) {
    ChatId chat;
    try {
      chat = ChatId.parse(call.parameter("chat"));
    } catch (IllegalArgumentException e) {
      return Reply.Refusal.argument("chat");
    }
    long seq = Long.parseLong(call.parameter("seq"));
    Stored stored = shards.read(snapshots -> stored(snapshots, chat, seq));
    if (stored == null) {
      return new Reply.Refusal(ErrorCode.NOT_FOUND, "seq", 0);
    }
    return new Reply.Json(body(chat, seq, stored, trace.of(chat, seq)));
  }

  private static @Nullable Stored stored(Shards.Snapshots snapshots, ChatId chat, long seq) {
    KeyValues shard = snapshots.of(Slots.of(chat));
    Reads.Fate fate = Reads.fate(shard, chat, seq, MEMBERS_MAX);
    if (fate == null) {
      return null;
    }
    var members = new ArrayList<Member>();
    UserId sender = fate.sender().user();
    members.add(
        new Member(
            sender,
            Reads.times(shard, chat, sender, seq),
            devices(snapshots, shard, chat, sender, seq).stream()
                // What it has sent it need not acknowledge.
                .map(device ->
                    device.index() == fate.sender().index()
                        ? new Device(device.index(), true)
                        : device)
                .toList()));
    for (Reads.MemberTimes member : fate.members()) {
      members.add(
          new Member(
              member.user(), member.times(), devices(snapshots, shard, chat, member.user(), seq)));
    }
    return new Stored(fate, members);
  }

  private static List<Device> devices(
      Shards.Snapshots snapshots, KeyValues shard, ChatId chat, UserId user, long seq) {
    return Reads.devices(snapshots.of(Slots.of(user)), user).stream()
        .limit(Limits.DEVICES_PER_USER_MAX)
        .map(device ->
            new Device(
                device.index(),
                Reads.position(shard, chat, new DeviceId(user, device.index())) >= seq))
        .toList();
  }

  // ---- the answer ------------------------------------------------------------------------------

  private ObjectNode body(ChatId chat, long seq, Stored stored, Trace.Found found) {
    Reads.Fate fate = stored.fate();
    ObjectNode body =
        object()
            .put("chat", chat.toString())
            .put("seq", seq)
            .put("head", fate.head())
            .put("user", fate.sender().user().value())
            .put("device", fate.sender().index())
            .put("csn", fate.csn())
            .put("ts_ms", fate.tsMillis());
    var steps = new ArrayList<ObjectNode>();
    long first = firstNanos(found.steps());
    for (Step step : found.steps()) {
      if (step instanceof Committed committed && committed.acceptedNanos() != 0) {
        steps.add(accepted(committed, first));
      }
      steps.add(step(step, first));
    }
    boolean remembers = found.steps().stream().anyMatch(Committed.class::isInstance);
    body.put(
        "memory",
        !trace.isOn()
            ? "off"
            : found.isWhole() ? "whole" : remembers || !steps.isEmpty() ? "partial" : "none");
    ArrayNode unknown = body.putArray("unknown");
    if (!found.isWhole()) {
      Set<String> there = new TreeSet<>();
      steps.forEach(step -> there.add(step.get("step").textValue()));
      EXPECTED.stream().filter(kind -> !there.contains(kind)).forEach(unknown::add);
    }
    ArrayNode listed = body.putArray("steps");
    steps.stream().limit(STEPS_MAX).forEach(listed::add);
    body.put("steps_more", steps.size() > STEPS_MAX);
    ArrayNode members = body.putArray("members");
    for (Member member : stored.members()) {
      members.add(member(member, member.user().equals(fate.sender().user())));
    }
    return body.put("members_total", fate.total() + 1);
  }

  private static long firstNanos(List<Step> steps) {
    long first = steps.isEmpty() ? 0 : steps.getFirst().nanos();
    for (Step step : steps) {
      if (step instanceof Committed committed && committed.acceptedNanos() != 0) {
        first = Math.min(first, committed.acceptedNanos());
      }
    }
    return first;
  }

  private ObjectNode accepted(Committed committed, long first) {
    ObjectNode step = at("accepted", committed.acceptedNanos(), first);
    return device(step, committed.sender()).put("session", committed.session()).put("edge", edge);
  }

  private ObjectNode step(Step step, long first) {
    return switch (step) {
      case Committed committed ->
          at("committed", committed.nanos(), first).put("sync_us", committed.syncNanos() / 1_000);
      case Routed routed ->
          at("routed", routed.nanos(), first)
              .put("found", routed.found())
              .put("batch", routed.batch())
              .put("sessions", routed.sessions())
              .put("absent", routed.absent());
      case Pushed pushed ->
          at("pushed", pushed.nanos(), first)
              .put("user", pushed.user().value())
              .put("taken", pushed.taken());
      case AtDevice here -> atDevice(here, first);
    };
  }

  private ObjectNode atDevice(AtDevice here, long first) {
    ObjectNode step = at(here.at().name().toLowerCase(Locale.ROOT), here.nanos(), first);
    device(step, here.device()).put("session", here.session());
    if (here.at() == At.ANSWERED) {
      step.put("door", Counters.Door.of(here.detail()).name().toLowerCase(Locale.ROOT));
    } else if (here.at() == At.WRITTEN) {
      step.put("caught_up", here.detail() != 0);
    }
    return step;
  }

  private ObjectNode at(String kind, long nanos, long first) {
    Instant at = clock.instant().minusNanos(nanoTime.getAsLong() - nanos);
    return object()
        .put("step", kind)
        .put("at_us", ChronoUnit.MICROS.between(Instant.EPOCH, at))
        .put("after_us", (nanos - first) / 1_000);
  }

  private static ObjectNode device(ObjectNode step, DeviceId device) {
    return step.put("user", device.user().value()).put("device", device.index());
  }

  private static ObjectNode member(Member member, boolean isSender) {
    ObjectNode json =
        object()
            .put("user", member.user().value())
            .put("sender", isSender)
            .put("delivered_ms", member.times().deliveredMillis())
            .put("read_ms", member.times().readMillis());
    ArrayNode devices = json.putArray("devices");
    for (Device device : member.devices()) {
      devices.addObject().put("device", device.index()).put("acknowledged", device.hasIt());
    }
    return json;
  }

  private static ObjectNode object() {
    return JsonNodeFactory.instance.objectNode();
  }
}
