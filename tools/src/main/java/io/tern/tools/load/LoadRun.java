package io.tern.tools.load;

import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.SessionLimits;
import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;

/// One load run: all users log in, make their groups if they talk in groups, talk through warm-up
/// and the measured part, then everything that is on its way arrives, and the books are checked.
///
/// All users live on one event loop, so that the generator can be pinned to one core and no lock
/// disturbs what it measures. [#start] and [#progress] may be called from any thread, everything
/// else happens on that loop.
///
/// In the open loop a message's clock starts when it was due by the schedule, however late the
/// server or the generator made it go out: waiting for a slow answer hides nothing.
final class LoadRun implements AutoCloseable {

  /// Who the users are to the server.
  interface Identities {
    UserId id(int index);

    byte[] token(int index);
  }

  /// A look at the run while it goes on.
  record Progress(
      String phase,
      double seconds,
      int up,
      int groups,
      long completePerSecond,
      long inFlight,
      double sentP99Ms) {}

  private static final long DRAIN_CHECK_MILLIS = 10;

  /// Below the heartbeat that the users announce.
  private static final long PING_SECONDS = LoadUser.PING_SECONDS - 40;

  /// Groups that are being made at a time.
  private static final int GROUPS_AT_ONCE = 32;

  private final LoadPlan plan;
  private final Identities identities;
  private final MultiThreadIoEventLoopGroup group =
      new MultiThreadIoEventLoopGroup(
          1, new DefaultThreadFactory("load", true), LoginGate.ioHandler());
  private final EventLoop loop = group.next();
  private final CompletableFuture<LoadResult> result = new CompletableFuture<>();
  private final CompletableFuture<Void> measuring = new CompletableFuture<>();

  private final LoadUser[] users;
  private final List<LoadGroup> groups = new ArrayList<>();

  /// Those who write.
  private final List<LoadUser> senders = new ArrayList<>();

  private int groupsBegun;
  private int groupsReady;
  private final @Nullable ServerProbe server;
  private final ServerProbe self = new ServerProbe(ProcessHandle.current().pid());
  private final SplittableRandom random;
  private @Nullable LoginGate gate;
  private volatile @Nullable SessionLimits limits;

  // When the talk starts, and the measured part of it, on System.nanoTime.
  private long startNanos;
  private long fromNanos;
  private long toNanos;
  private long drainUntilNanos;
  private long lastDoneNanos;
  private int doneAtLastLook;
  private boolean isTalking;
  private boolean isOver;

  private final Histogram sent = new Histogram(3);
  private final Histogram delivered = new Histogram(3);
  private final Histogram receipt = new Histogram(3);
  private final Histogram lag = new Histogram(3);
  private long complete;
  private long deliveries;
  private long deliveriesMeasured;
  private double serverCpu;
  private double selfCpu;
  private long residentBefore;
  private long residentAfter;
  private long foreign;
  private long redelivered;
  private long behind;
  private final Map<Integer, Long> putOff = new TreeMap<>();

  /// Those who have something to write; one may be here several times.
  private final ArrayList<LoadUser> woken = new ArrayList<>();

  /// Open loop: messages planned so far.
  private long planned;

  // For the progress line.
  private volatile Progress progress = new Progress("logging in", 0, 0, 0, 0, 0, 0);
  private final Histogram sentLately = new Histogram(3);
  private long completeEver;
  private long completeAtLastLook;

  LoadRun(LoadPlan plan, Identities identities) {
    this.plan = plan;
    this.identities = identities;
    this.random = new SplittableRandom(plan.run());
    this.server = plan.serverPid() == 0 ? null : new ServerProbe(plan.serverPid());
    this.users = new LoadUser[plan.users()];
    for (int i = 0; i < users.length; i++) {
      users[i] = new LoadUser(this, i, identities.id(i));
    }
    var inGroups = plan.groups();
    if (inGroups == null) {
      senders.addAll(List.of(users));
    } else {
      for (int i = 0; i < inGroups.count(); i++) {
        int first = i * inGroups.members();
        var members = List.of(users).subList(first, first + inGroups.members());
        var made = new LoadGroup(this, i, members, inGroups.senders());
        groups.add(made);
        senders.addAll(made.senders());
      }
    }
  }

  /// Begins; the future has the result, or the [Failure] that ended the run.
  CompletableFuture<LoadResult> start() {
    loop.execute(this::login);
    return result;
  }

  /// Done when the measured part begins.
  CompletableFuture<Void> measuring() {
    return measuring;
  }

  /// Ends the measured part before its time; when it has not begun, there is none. Any thread, any
  /// number of times.
  void stop() {
    loop.execute(() -> {
      long now = System.nanoTime();
      if (isTalking && now - toNanos < 0) {
        fromNanos = Math.min(fromNanos, now);
        toNanos = now;
        stopTalking();
      }
    });
  }

  Progress progress() {
    return progress;
  }

  /// What the server allows a session, once the first is up.
  @Nullable SessionLimits limits() {
    return limits;
  }

  @Override
  public void close() {
    loop.execute(() -> {
      isOver = true;
      for (var user : users) {
        user.close();
      }
    });
    group.shutdownGracefully(0, 5, TimeUnit.SECONDS).syncUninterruptibly();
  }

  // ---- course
  // ------------------------------------------------------------------------------------

  private void login() {
    var logins =
        new LoginGate(
            group,
            plan.connect(),
            plan.tls(),
            users.length,
            i -> users[i],
            this::onAllUp,
            this::fail);
    gate = logins;
    lastDoneNanos = System.nanoTime();
    residentBefore = server == null ? 0 : server.residentBytes();
    loop.scheduleAtFixedRate(this::look, 1, 1, TimeUnit.SECONDS);
    logins.start();
  }

  private void onAllUp() {
    if (groups.isEmpty()) {
      talk();
      return;
    }
    for (int i = 0; i < Math.min(GROUPS_AT_ONCE, groups.size()); i++) {
      groups.get(groupsBegun++).create();
    }
  }

  /// All members of one more group know that they are in it.
  void onGroupReady() {
    if (++groupsReady == groups.size()) {
      talk();
    } else if (groupsBegun < groups.size()) {
      groups.get(groupsBegun++).create();
    }
  }

  private void talk() {
    startNanos = System.nanoTime();
    fromNanos = startNanos + plan.warmup().toNanos();
    toNanos = fromNanos + plan.measured().toNanos();
    isTalking = true;
    loop.schedule(this::startMeasuring, plan.warmup().toNanos(), TimeUnit.NANOSECONDS);
    loop.schedule(this::stopTalking, toNanos - startNanos, TimeUnit.NANOSECONDS);
    loop.scheduleAtFixedRate(this::ping, PING_SECONDS, PING_SECONDS, TimeUnit.SECONDS);
    if (plan.isIdle()) {
      return;
    }
    if (plan.isOpenLoop()) {
      sendDue();
      return;
    }
    for (var user : senders) {
      for (int i = 0; i < plan.inFlight(); i++) {
        user.say(next(user), startNanos);
      }
      user.flush();
    }
  }

  private void startMeasuring() {
    if (!isTalking) {
      return;
    }
    measuring.complete(null);
    serverCpu = server == null ? Double.NaN : server.cpuMicros();
    selfCpu = self.cpuMicros();
  }

  private void stopTalking() {
    if (!isTalking) {
      return;
    }
    isTalking = false;
    serverCpu = server == null ? Double.NaN : server.cpuMicros() - serverCpu;
    selfCpu = self.cpuMicros() - selfCpu;
    residentAfter = server == null ? 0 : server.residentBytes();
    drainUntilNanos = System.nanoTime() + plan.drain().toNanos();
    drain();
  }

  private void drain() {
    if (isOver) {
      return;
    }
    boolean isDone = inFlight() == 0 && unsent() == 0;
    if (isDone || System.nanoTime() - drainUntilNanos >= 0) {
      isOver = true;
      result.complete(report());
    } else {
      loop.schedule(this::drain, DRAIN_CHECK_MILLIS, TimeUnit.MILLISECONDS);
    }
  }

  /// Open loop: hands out everything that is due by the schedule, then waits for the next.
  private void sendDue() {
    if (isOver) {
      return;
    }
    double nanosBetween = 1e9 / plan.ratePerSecond();
    var touched = new ArrayList<LoadUser>();
    while (true) {
      long intended = startNanos + (long) (planned * nanosBetween);
      if (intended - toNanos >= 0) {
        break;
      }
      long wait = intended - System.nanoTime();
      if (wait > 0) {
        loop.schedule(this::sendDue, wait, TimeUnit.NANOSECONDS);
        break;
      }
      if (isMeasured(intended)) {
        lag.recordValue(-wait);
      }
      var user = senders.get((int) (planned++ % senders.size()));
      user.say(next(user), intended);
      touched.add(user);
    }
    for (var user : touched) {
      user.flush();
    }
  }

  private void ping() {
    if (!isOver) {
      for (var user : users) {
        user.ping();
      }
    }
  }

  /// Where a user's next message goes.
  private Conversation next(LoadUser user) {
    if (plan.groups() != null) {
      return user.seat();
    }
    return switch (plan.pattern()) {
      case PAIRS -> user.conversationWith(users[user.index ^ 1]);
      case RANDOM -> {
        int other = random.nextInt(users.length - 1);
        yield user.conversationWith(users[other < user.index ? other : other + 1]);
      }
    };
  }

  private LoadResult report() {
    long messages = 0;
    long lost = 0;
    long doubled = 0;
    long reordered = 0;
    long wrong = foreign;
    for (var user : users) {
      for (var conversation : user.conversations()) {
        var flow = conversation.flow;
        messages += flow.sent();
        lost += flow.lost();
        doubled += flow.doubled();
        reordered += flow.reordered();
        wrong += flow.wrong();
      }
    }
    double seconds = (toNanos - fromNanos) / 1e9;
    return new LoadResult(
        plan,
        seconds,
        seconds == 0 ? 0 : complete / seconds,
        sent,
        delivered,
        receipt,
        lag,
        complete == 0 ? Double.NaN : serverCpu / complete,
        complete == 0 ? Double.NaN : selfCpu / complete,
        seconds == 0 ? 0 : deliveriesMeasured / seconds,
        deliveriesMeasured == 0 ? Double.NaN : serverCpu / deliveriesMeasured,
        messages,
        deliveries,
        inFlight(),
        unsent(),
        lost,
        doubled,
        reordered,
        wrong,
        redelivered,
        behind,
        putOff,
        residentBefore,
        residentAfter);
  }

  private void look() {
    var logins = gate;
    long now = System.nanoTime();
    long perSecond = completeEver - completeAtLastLook;
    completeAtLastLook = completeEver;
    boolean isUp = logins != null && logins.up() == users.length;
    if (logins != null && startNanos == 0 && !isOver) {
      int done = logins.up() + groupsReady;
      if (done > doneAtLastLook) {
        doneAtLastLook = done;
        lastDoneNanos = now;
      } else if (now - lastDoneNanos > plan.loginPatience().toNanos()) {
        fail(
            isUp
                ? "the server makes no groups: %,d of %,d are made"
                    .formatted(groupsReady, groups.size())
                : "the server lets nobody in: %,d of %,d users are logged in"
                    .formatted(logins.up(), users.length));
      }
    }
    String phase;
    if (startNanos == 0) {
      phase = isUp ? "making groups" : "logging in";
    } else if (now - fromNanos < 0) {
      phase = "warming up";
    } else {
      phase = !isTalking ? "draining" : plan.isIdle() ? "idle" : "measuring";
    }
    progress =
        new Progress(
            phase,
            startNanos == 0 ? 0 : (now - startNanos) / 1e9,
            logins == null ? 0 : logins.up(),
            groupsReady,
            perSecond,
            inFlight(),
            LoadResult.millis(sentLately, 99));
    sentLately.reset();
  }

  private long inFlight() {
    long messages = 0;
    for (var user : users) {
      for (var conversation : user.conversations()) {
        messages += conversation.flow.inFlight();
      }
    }
    return messages;
  }

  private long unsent() {
    long messages = 0;
    for (var user : users) {
      for (var conversation : user.conversations()) {
        messages += conversation.planned();
      }
    }
    return messages;
  }

  private boolean isMeasured(long nanos) {
    return nanos - fromNanos >= 0 && nanos - toNanos < 0;
  }

  // ---- what users report
  // -------------------------------------------------------------------------

  EventLoop loop() {
    return loop;
  }

  byte[] token(LoadUser user) {
    return identities.token(user.index);
  }

  byte[] stamp(LoadUser from, Conversation conversation, long number) {
    long intended = conversation.flow.intendedNanos(number);
    return new Stamp(plan.run(), from.index, conversation.addressee, number, intended)
        .encode(plan.bodyBytes());
  }

  /// Names the run.
  long number() {
    return plan.run();
  }

  boolean isOurs(Stamp stamp) {
    return stamp.run() == plan.run();
  }

  @Nullable LoadUser user(int index) {
    return index >= 0 && index < users.length ? users[index] : null;
  }

  void onUp(SessionLimits allowed) {
    limits = allowed;
    var logins = gate;
    if (logins != null) {
      logins.onUp();
    }
  }

  /// The server put a login off.
  void comeBack(LoadUser user, long millis) {
    var logins = gate;
    if (logins != null && !isOver) {
      logins.comeBack(user.index, millis);
    }
  }

  void onSent(long intendedNanos, long now) {
    sentLately.recordValue(Math.max(0, now - intendedNanos));
    if (isMeasured(intendedNanos)) {
      sent.recordValue(Math.max(0, now - intendedNanos));
    }
  }

  void onDelivered(long intendedNanos, long now) {
    deliveries++;
    if (isMeasured(now)) {
      deliveriesMeasured++;
    }
    if (isMeasured(intendedNanos)) {
      delivered.recordValue(Math.max(0, now - intendedNanos));
    }
  }

  void onComplete(LoadUser sender, long intendedNanos, long now) {
    completeEver++;
    if (isMeasured(intendedNanos)) {
      receipt.recordValue(Math.max(0, now - intendedNanos));
    }
    if (isMeasured(now)) {
      complete++;
    }
    if (isTalking && plan.inFlight() > 0) {
      sender.say(next(sender), now);
      if (!groups.isEmpty()) {
        // In a direct chat it is the sender who has just read the receipt.
        woken.add(sender);
      }
    }
  }

  /// Brings to their sockets what users write while another reads.
  void flushWoken() {
    for (int i = 0; i < woken.size(); i++) {
      woken.get(i).flush();
    }
    woken.clear();
  }

  /// A message that this run did not send, or whose content is not what was sent.
  void onForeign() {
    foreign++;
  }

  void onRedelivered() {
    redelivered++;
  }

  void onBehind() {
    behind++;
  }

  void onPutOff(int code) {
    putOff.merge(code, 1L, Long::sum);
  }

  /// Ends the run; the first reason counts.
  void fail(String reason) {
    if (!isOver) {
      isOver = true;
      isTalking = false;
      result.completeExceptionally(new Failure(ExitCode.UNREACHABLE, reason));
    }
  }

  void fail(Throwable bug) {
    if (!isOver) {
      isOver = true;
      isTalking = false;
      result.completeExceptionally(bug);
    }
  }
}
