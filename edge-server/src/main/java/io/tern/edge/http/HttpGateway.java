package io.tern.edge.http;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.linecorp.armeria.common.AggregatedHttpRequest;
import com.linecorp.armeria.common.AggregatedHttpResponse;
import com.linecorp.armeria.common.ContentTooLargeException;
import com.linecorp.armeria.common.HttpData;
import com.linecorp.armeria.common.HttpHeaderNames;
import com.linecorp.armeria.common.HttpMethod;
import com.linecorp.armeria.common.HttpRequest;
import com.linecorp.armeria.common.HttpResponse;
import com.linecorp.armeria.common.HttpResponseWriter;
import com.linecorp.armeria.common.HttpStatus;
import com.linecorp.armeria.common.MediaType;
import com.linecorp.armeria.common.RequestHeaders;
import com.linecorp.armeria.common.ResponseHeaders;
import com.linecorp.armeria.common.ResponseHeadersBuilder;
import com.linecorp.armeria.common.TlsKeyPair;
import com.linecorp.armeria.common.TlsProvider;
import com.linecorp.armeria.server.ClientAddressSource;
import com.linecorp.armeria.server.HttpService;
import com.linecorp.armeria.server.ProxiedAddresses;
import com.linecorp.armeria.server.RequestTimeoutException;
import com.linecorp.armeria.server.Route;
import com.linecorp.armeria.server.Server;
import com.linecorp.armeria.server.ServerErrorHandler;
import com.linecorp.armeria.server.ServiceConfig;
import com.linecorp.armeria.server.ServiceRequestContext;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.Future;
import io.tern.accounts.Shards;
import io.tern.accounts.Unavailable;
import io.tern.accounts.budget.Block;
import io.tern.accounts.budget.Budget;
import io.tern.accounts.budget.Budgets;
import io.tern.edge.admin.AdminCredentials;
import io.tern.edge.admin.AuditLog;
import io.tern.edge.config.AdminConfig;
import io.tern.edge.config.CannotListen;
import io.tern.edge.config.HttpConfig;
import io.tern.edge.config.Transport;
import io.tern.edge.http.Reply.Refusal;
import io.tern.edge.logging.Wordless;
import io.tern.edge.metrics.Counters;
import io.tern.edge.metrics.RequestWatch;
import io.tern.edge.metrics.Unread;
import io.tern.edge.tls.Certificates;
import io.tern.edge.tls.Identity;
import io.tern.edge.token.TokenVerifier;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The HTTP server around a list of [Endpoint]s. A request's way:
///
/// ```
/// event loop       connections (DoorGuard), head, routing, budget of the address, body, a place
/// virtual thread   who asks (Doorkeeper), shape of the body, handler
/// event loop       the answer
/// ```
///
/// Accounts and the admin port are one each: they differ in their list, in who may enter and in
/// what they count under. Each has an event loop of its own: what happens here takes no time from
/// the sessions, and none from the other.
///
/// Bounds, each with an answer: connections in all and of an address, idle and old ones (closed,
/// see [DoorGuard]), the head of a request (431, or closed when it takes too long), its body (413),
/// requests under way (503 BUSY), their time (503 TIMEOUT; the thread is interrupted), exports that
/// wait for their reader (one of a user: 429 RATE; in all: 503 BUSY), requests a second of an
/// address and what the doorkeeper counts (429 RATE). A body is kept until its answer:
/// `requests-max × body-max` bytes, and as much of those that are not complete.
///
/// Logs no address, header, path or body; a failure with the kind of its exception, without its
/// message, which may hold what was sent.
///
/// Lives from construction, when it listens, to [#close]. Any thread.
public final class HttpGateway implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(HttpGateway.class);

  private static final int ADDRESSES_MAX = 100_000;
  private static final int STREAMS_MAX = 32;
  private static final int LINE_BYTES_MAX = 4096;
  private static final long BUSY_RETRY_MILLIS = 1_000;

  /// For so many requests that may be under way there may be one export that waits for its reader.
  private static final int EXPORTS_PART = 8;

  /// How long an ending connection still takes requests that are on their way to it. A client whose
  /// way is longer is told to ask again elsewhere; the server's stop waits for it.
  private static final Duration DRAIN = Duration.ofMillis(250);

  /// How long requests under way may still take when the server ends.
  private static final Duration LAST_ANSWERS = Duration.ofSeconds(2);

  private static final JsonMapper JSON =
      JsonMapper.builder(
              JsonFactory.builder()
                  .streamReadConstraints(
                      StreamReadConstraints.builder()
                          .maxNestingDepth(8)
                          .maxNumberLength(20)
                          .maxNameLength(64)
                          .maxStringLength(16_384)
                          .build())
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private final String name;

  /// How long connections are kept when it ends, for requests that are on their way.
  private final Duration grace;

  private final HttpConfig config;
  private final Counters counters;
  private final HttpCounts counts;
  private final RequestWatch watch;
  private final Doorkeeper doorkeeper;
  private final Semaphore places;

  /// Whose lines are being sent. These wait for their reader, for minutes if need be, and so take
  /// no place of the others.
  private final Set<UserId> exporting = ConcurrentHashMap.newKeySet();

  private final int exportsMax;

  /// Bytes of bodies that are not complete.
  private final AtomicLong gathered = new AtomicLong();

  private final long gatheredMax;
  private final @Nullable Budgets<Block> byAddress;
  private final boolean loopbackExempt;
  private final boolean tls;

  /// Its own, so that it ends at once: Armeria's would wait two seconds for more work.
  private final EventLoopGroup loop;

  private final DoorGuard.Shared guards;
  private final Server server;
  private volatile boolean draining;

  /// The gateway of accounts. Starts to listen.
  ///
  /// @param loopbackExempt whether loopback is exempt from what is counted by address, as
  ///   `limits.loopback-exempt` says
  /// @param watch hears how long each request took
  /// @param certificates the current one is asked for from time to time; null = plain
  /// @throws IOException when the address cannot be had
  public static HttpGateway accounts(
      HttpConfig config,
      boolean loopbackExempt,
      List<Endpoint> endpoints,
      TokenVerifier tokens,
      Shards shards,
      Counters counters,
      RequestWatch watch,
      @Nullable Certificates certificates)
      throws IOException {
    return new HttpGateway(
        "http",
        DRAIN,
        config,
        loopbackExempt,
        endpoints,
        new AccountDoor(config, tokens, shards),
        counters,
        HttpCounts.ACCOUNTS,
        watch,
        certificates);
  }

  /// The admin port. Starts to listen. Parameters as of [#accounts].
  ///
  /// @param looks null when looks at persons are not written
  /// @throws IOException when the address cannot be had
  public static HttpGateway admin(
      AdminConfig config,
      boolean loopbackExempt,
      AdminRoutes routes,
      AdminCredentials credentials,
      AuditLog acts,
      @Nullable AuditLog looks,
      Counters counters,
      RequestWatch watch,
      @Nullable Certificates certificates)
      throws IOException {
    return new HttpGateway(
        "admin",
        Duration.ZERO,
        config.http(),
        loopbackExempt,
        routes.endpoints(new Audit(acts, looks, counters)),
        new AdminDoor(credentials, config.wrongPerMinute(), loopbackExempt, counters),
        counters,
        HttpCounts.ADMIN,
        watch,
        certificates);
  }

  /// Starts to listen.
  ///
  /// @param name of its threads, and of the configuration it goes by
  private HttpGateway(
      String name,
      Duration grace,
      HttpConfig config,
      boolean loopbackExempt,
      List<Endpoint> endpoints,
      Doorkeeper doorkeeper,
      Counters counters,
      HttpCounts counts,
      RequestWatch watch,
      @Nullable Certificates certificates)
      throws IOException {
    this.name = name;
    this.grace = grace;
    this.config = config;
    this.counters = counters;
    this.counts = counts;
    this.watch = watch;
    this.loopbackExempt = loopbackExempt;
    this.doorkeeper = doorkeeper;
    places = new Semaphore(config.requestsMax());
    exportsMax = Math.max(1, config.requestsMax() / EXPORTS_PART);
    gatheredMax = (long) config.requestsMax() * config.bodyBytesMax();
    byAddress = budgets(ADDRESSES_MAX, config.addressRate());
    tls = certificates != null;
    loop =
        new MultiThreadIoEventLoopGroup(
            1,
            new DefaultThreadFactory("tern-" + name + "-loop", true),
            Transport.AUTO.ioHandlers());
    guards = new DoorGuard.Shared(config, loopbackExempt, counters, counts);
    server = server(endpoints, certificates);
    try {
      server.start().get(30, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    } catch (ExecutionException | TimeoutException e) {
      close();
      throw new CannotListen(
          name + ".listen", Objects.requireNonNull(config.listen()), e.getCause());
    }
  }

  static <K> @Nullable Budgets<K> budgets(int keysMax, HttpConfig.Rate rate) {
    if (rate.perSecond() == 0) {
      return null;
    }
    // The bucket's size is the burst; it fills at the rate.
    long millis = Math.max(1, rate.burst() * 1000L / rate.perSecond());
    return new Budgets<>(
        keysMax, System::nanoTime, new Budget(rate.burst(), Duration.ofMillis(millis)));
  }

  private Server server(List<Endpoint> endpoints, @Nullable Certificates certificates) {
    var listen = Objects.requireNonNull(config.listen());
    var builder =
        Server.builder()
            .workerGroup(loop, false)
            .bossGroupFactory(Prompt::new)
            .childChannelPipelineCustomizer(pipeline -> pipeline.addFirst(new DoorGuard(guards)))
            .http1MaxInitialLineLength(LINE_BYTES_MAX)
            .http1MaxHeaderSize(config.headBytesMax())
            .http2MaxHeaderListSize(config.headBytesMax())
            .http2MaxStreamsPerConnection(STREAMS_MAX)
            .http2MaxResetFramesPerWindow(100, 60)
            .maxRequestLength(config.bodyBytesMax())
            .requestTimeout(config.requestTimeout())
            // As age and number of connections: the guard's, which counts.
            .idleTimeout(Duration.ZERO)
            .connectionDrainDuration(DRAIN)
            .gracefulShutdownTimeout(Duration.ZERO, Duration.ofSeconds(2))
            .meterRegistry(Unread.registry())
            .disableServerHeader()
            .disableDateHeader()
            .clientAddressSources(ClientAddressSource.ofHeader("x-forwarded-for"))
            .clientAddressTrustedProxyFilter(config.forwardedFrom()::contains)
            .clientAddressMapper(this::clientOf)
            .errorHandler(new Failures());
    if (certificates == null) {
      builder.http(listen);
    } else {
      builder.https(listen);
      builder.tlsProvider(
          TlsProvider.ofScheduled(
              () -> {
                Identity now = certificates.identity();
                return TlsKeyPair.of(now.key(), now.chain());
              },
              Duration.ofSeconds(10)));
      builder.tlsCustomizer(context -> context.protocols("TLSv1.3"));
    }
    var byPath = new LinkedHashMap<String, Map<HttpMethod, Endpoint>>();
    for (Endpoint endpoint : endpoints) {
      byPath
          .computeIfAbsent(endpoint.path(), path -> new EnumMap<>(HttpMethod.class))
          .put(endpoint.method(), endpoint);
    }
    byPath.forEach((path, methods) ->
        builder.service(
            Route.builder().path(path).methods(HttpMethod.knownMethods()).build(),
            watched((ctx, request) -> serve(ctx, request, methods))));
    builder.serviceUnder("/", watched((ctx, request) -> nothingThere(ctx)));
    return builder.build();
  }

  /// Who asks: the last address on the way that is no proxy of ours. Each proxy adds at the end
  /// whom it has a request from; what stands before that may be the client's own words.
  private InetSocketAddress clientOf(ProxiedAddresses way) {
    for (InetSocketAddress address : way.destinationAddresses().reversed()) {
      if (!config.forwardedFrom().contains(address.getAddress())) {
        return address;
      }
    }
    return way.sourceAddress();
  }

  /// Where it listens.
  public InetSocketAddress address() {
    return Objects.requireNonNull(server.activePort()).localAddress();
  }

  /// Requests from now on are told to come back.
  public void drain() {
    draining = true;
  }

  @Override
  public void close() {
    draining = true;
    if (loop.isShuttingDown()) {
      return;
    }
    try {
      // While there is a connection, be it idle, Armeria takes a second to stop: so there is none.
      waitUntilEmpty(grace);
      guards.closeAll();
      waitUntilEmpty(LAST_ANSWERS);
      server.stop().get(10, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (ExecutionException | TimeoutException e) {
      log.warn("{} did not end in time", name);
    }
    loop.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(5, TimeUnit.SECONDS);
  }

  private void waitUntilEmpty(Duration atMost) {
    long deadline = System.nanoTime() + atMost.toNanos();
    while (!guards.open().isEmpty() && System.nanoTime() < deadline) {
      LockSupport.parkNanos(2_000_000);
    }
  }

  // ---- on the event loop -----------------------------------------------------------------------

  /// Tells the connection's guard when a request begins and ends.
  private HttpService watched(HttpService service) {
    return (ctx, request) -> {
      counters.add(counts.requests());
      var channel = ctx.log().partial().channel();
      DoorGuard guard = channel == null ? null : DoorGuard.of(channel);
      if (guard != null) {
        guard.onRequest(ctx);
        ctx.log().whenComplete().thenRun(() -> ctx.eventLoop().execute(guard::onAnswered));
      }
      return service.serve(ctx, request);
    };
  }

  private HttpResponse nothingThere(ServiceRequestContext ctx) {
    long wait = charge(byAddress, ctx.clientAddress());
    if (wait > 0) {
      return refused(rate(wait));
    }
    // Another version of all this: the client is newer, or older, than this server.
    boolean version = ctx.path().matches("/v[0-9]{1,4}(/.*)?") && !ctx.path().startsWith("/v1/");
    return refused(Refusal.of(version ? ErrorCode.VERSION : ErrorCode.NOT_FOUND));
  }

  private HttpResponse serve(
      ServiceRequestContext ctx, HttpRequest request, Map<HttpMethod, Endpoint> methods) {
    InetAddress address = ctx.clientAddress();
    long wait = charge(byAddress, address);
    if (wait > 0) {
      return refused(rate(wait));
    }
    Endpoint endpoint = methods.get(ctx.method());
    if (endpoint == null) {
      String allowed =
          String.join(", ", methods.keySet().stream().map(HttpMethod::name).sorted().toList());
      counters.addError(counts.door(), ErrorCode.UNSUPPORTED);
      return answer(
              HttpStatus.METHOD_NOT_ALLOWED,
              bytes(Errors.body(Refusal.of(ErrorCode.UNSUPPORTED))),
              Map.of("allow", allowed))
          .toHttpResponse();
    }
    if (draining) {
      return refused(new Refusal(ErrorCode.DRAIN, "", BUSY_RETRY_MILLIS));
    }
    var response = new CompletableFuture<HttpResponse>();
    gather(ctx, request)
        .handle((whole, failure) -> {
          if (whole == null) {
            response.completeExceptionally(Objects.requireNonNull(failure));
          } else if (places.tryAcquire()) {
            run(ctx, whole, endpoint, address, response);
          } else {
            counters.add(counts.busy());
            response.complete(refused(new Refusal(ErrorCode.BUSY, "", BUSY_RETRY_MILLIS)));
          }
          return null;
        });
    return HttpResponse.of(response);
  }

  /// The request with its body. It takes no place meanwhile: a body that trickles would keep it
  /// from others. Bounds: its time, and the bytes of all that are being gathered.
  private CompletableFuture<AggregatedHttpRequest> gather(
      ServiceRequestContext ctx, HttpRequest request) {
    var own = new AtomicLong();
    var deadline =
        ctx.eventLoop()
            .schedule(
                () -> {
                  ctx.initiateConnectionShutdown();
                  request.abort(RequestTimeoutException.get());
                },
                config.bodyTimeout().toMillis(),
                TimeUnit.MILLISECONDS);
    return request
        .peekData(data -> {
          own.addAndGet(data.length());
          if (gathered.addAndGet(data.length()) > gatheredMax) {
            counters.add(counts.busy());
            request.abort(new Unavailable(ErrorCode.BUSY, BUSY_RETRY_MILLIS, "too many bodies"));
          }
        })
        .aggregate()
        .whenComplete((whole, failure) -> {
          deadline.cancel(false);
          gathered.addAndGet(-own.get());
        });
  }

  private long charge(@Nullable Budgets<Block> budgets, InetAddress address) {
    if (budgets == null || (loopbackExempt && address.isLoopbackAddress())) {
      return 0;
    }
    return budgets.take(Block.of(address));
  }

  private Refusal rate(long waitMillis) {
    counters.add(counts.rate());
    return new Refusal(ErrorCode.RATE, "", Math.min(waitMillis, 86_400_000));
  }

  // ---- on a virtual thread ---------------------------------------------------------------------

  /// Has the place, and gives it back when it knows what to answer.
  private void run(
      ServiceRequestContext ctx,
      AggregatedHttpRequest request,
      Endpoint endpoint,
      InetAddress address,
      CompletableFuture<HttpResponse> response) {
    Thread thread =
        Thread.ofVirtual()
            .name("tern-" + name)
            .unstarted(() -> {
              long began = System.nanoTime();
              try {
                Reply reply;
                try {
                  reply = replyTo(ctx, request, endpoint, address);
                } finally {
                  places.release();
                }
                if (reply instanceof Reply.Lines lines) {
                  export(ctx, lines, endpoint, response);
                } else {
                  response.complete(httpResponse(reply, endpoint));
                }
              } catch (Throwable t) {
                response.completeExceptionally(t);
              } finally {
                watch.answered(name, endpoint.id(), System.nanoTime() - began);
              }
            });
    // When the time is up the answer goes out without it.
    ctx.whenRequestCancelling().thenRun(thread::interrupt);
    thread.start();
  }

  private Reply replyTo(
      ServiceRequestContext ctx,
      AggregatedHttpRequest request,
      Endpoint endpoint,
      InetAddress address)
      throws InterruptedException {
    try {
      Asker asker = Asker.ANYONE;
      if (!endpoint.isOpen()) {
        String authorization = request.headers().get(HttpHeaderNames.AUTHORIZATION);
        switch (doorkeeper.admit(authorization, address, endpoint.access())) {
          case Doorkeeper.Verdict.In(Asker in) -> asker = in;
          case Doorkeeper.Verdict.Out(Refusal out) -> {
            if (out.code() == ErrorCode.RATE) {
              return rate(out.retryMillis());
            }
            if (out.code() != ErrorCode.NOT_ALLOWED) {
              counters.add(counts.unauthenticated());
            }
            return out;
          }
        }
      }
      for (String parameter : endpoint.parameters()) {
        String value = ctx.pathParam(parameter);
        Shape shape = Objects.requireNonNull(Endpoint.PARAMETERS.get(parameter));
        if (value == null
            || shape.problem(JSON.getNodeFactory().textNode(value), parameter) != null) {
          return Refusal.argument(parameter);
        }
      }
      JsonNode body = Call.NOTHING;
      Shape.Fields takes = endpoint.takes();
      boolean leftOut = takes != null && takes.mayBeMissing() && request.content().isEmpty();
      if (takes != null && !leftOut) {
        MediaType type = request.contentType();
        if (type == null || !type.isJson()) {
          return new Refusal(ErrorCode.UNSUPPORTED, "content-type", 0);
        }
        try {
          body = JSON.readTree(request.content().array());
        } catch (JsonProcessingException e) {
          return Refusal.argument("body");
        } catch (IOException e) {
          throw new IllegalStateException("from memory", e);
        }
        String problem = body == null ? "body" : takes.problem(body, body.isObject() ? "" : "body");
        if (problem != null) {
          return Refusal.argument(problem);
        }
      }
      return endpoint.handler().handle(new Call(asker, address, ctx.pathParams(), body));
    } catch (Unavailable e) {
      return new Refusal(e.code(), "", e.retryMillis());
    }
  }

  private HttpResponse httpResponse(Reply reply, Endpoint endpoint) {
    return switch (reply) {
      case Reply.Nothing n ->
          HttpResponse.of(headers(HttpStatus.NO_CONTENT, null, Map.of()).build());
      case Reply.Json(var body) -> answered(endpoint, bytes(body));
      case Reply.Raw(byte[] body) -> answered(endpoint, body);
      case Reply.Condition(boolean good, byte[] body) ->
          good
              ? answered(endpoint, body)
              : answer(HttpStatus.SERVICE_UNAVAILABLE, body, Map.of()).toHttpResponse();
      case Reply.Text(String type, String text) ->
          HttpResponse.of(
              headers(HttpStatus.valueOf(endpoint.status()), MediaType.parse(type), Map.of())
                  .build(),
              HttpData.ofUtf8(text));
      case Refusal refusal -> refused(refusal);
      case Reply.Lines lines -> throw new IllegalStateException("streamed elsewhere: " + lines);
    };
  }

  private HttpResponse answered(Endpoint endpoint, byte[] body) {
    return answer(HttpStatus.valueOf(endpoint.status()), body, Map.of()).toHttpResponse();
  }

  /// Sends lines, unless the user's are being sent, or those of too many.
  private void export(
      ServiceRequestContext ctx,
      Reply.Lines lines,
      Endpoint endpoint,
      CompletableFuture<HttpResponse> response)
      throws InterruptedException {
    if (!exporting.add(lines.of())) {
      response.complete(refused(rate(BUSY_RETRY_MILLIS)));
      return;
    }
    try {
      if (exporting.size() > exportsMax) {
        counters.add(counts.busy());
        response.complete(refused(new Refusal(ErrorCode.BUSY, "", BUSY_RETRY_MILLIS)));
      } else {
        stream(ctx, lines.first(), endpoint, response);
      }
    } finally {
      exporting.remove(lines.of());
    }
  }

  /// Page after page, each when the one before has gone out.
  private void stream(
      ServiceRequestContext ctx,
      Reply.Page first,
      Endpoint endpoint,
      CompletableFuture<HttpResponse> response)
      throws InterruptedException {
    ctx.setRequestTimeout(config.exportTimeout());
    HttpResponseWriter out = HttpResponse.streaming();
    out.write(
        headers(
                HttpStatus.valueOf(endpoint.status()),
                MediaType.parse("application/x-ndjson; charset=utf-8"),
                Map.of())
            .build());
    response.complete(out);
    try {
      Reply.Page page = first;
      while (true) {
        if (!out.tryWrite(HttpData.ofUtf8(page.lines()))) {
          return;
        }
        out.whenConsumed().get(config.exportTimeout().toMillis(), TimeUnit.MILLISECONDS);
        if (page.last()) {
          out.close();
          return;
        }
        if (page.rest().next() instanceof Reply.Lines(UserId _, Reply.Page next)) {
          page = next;
        } else {
          // The head has said 200: cut off, so that nobody takes it for whole.
          out.close(new CancellationException("no more"));
          return;
        }
      }
    } catch (ExecutionException | TimeoutException | RuntimeException e) {
      out.close(e);
    } catch (InterruptedException e) {
      out.close(e);
      throw e;
    }
  }

  // ---- answers ---------------------------------------------------------------------------------

  private HttpResponse refused(Refusal refusal) {
    return refusal(refusal).toHttpResponse();
  }

  private AggregatedHttpResponse refusal(Refusal refusal) {
    counters.addError(counts.door(), refusal.code());
    counters.add(counts.refused());
    var extra = new LinkedHashMap<String, String>();
    HttpStatus status = Errors.status(refusal.code());
    if (refusal.retryMillis() > 0) {
      extra.put("retry-after", Long.toString(Errors.retrySeconds(refusal)));
    }
    if (status.equals(HttpStatus.UNAUTHORIZED)) {
      extra.put("www-authenticate", "Bearer");
    }
    return answer(status, bytes(Errors.body(refusal)), extra);
  }

  private AggregatedHttpResponse answer(HttpStatus status, byte[] body, Map<String, String> extra) {
    return AggregatedHttpResponse.of(
        headers(status, MediaType.JSON_UTF_8, extra).build(), HttpData.wrap(body));
  }

  private ResponseHeadersBuilder headers(
      HttpStatus status, @Nullable MediaType type, Map<String, String> extra) {
    ResponseHeadersBuilder headers = ResponseHeaders.builder(status);
    if (type != null) {
      headers.contentType(type);
    }
    headers.add("cache-control", "no-store");
    headers.add("x-content-type-options", "nosniff");
    headers.add("content-security-policy", "default-src 'none'; frame-ancestors 'none'");
    headers.add("referrer-policy", "no-referrer");
    if (tls) {
      headers.add("strict-transport-security", "max-age=31536000");
    }
    extra.forEach(headers::add);
    return headers;
  }

  private static byte[] bytes(JsonNode body) {
    return body.toString().getBytes(StandardCharsets.UTF_8);
  }

  /// Takes connections. Armeria ends it without saying how fast, and Netty would then wait two
  /// seconds for more work.
  private static final class Prompt extends MultiThreadIoEventLoopGroup {
    Prompt(String threads) {
      super(1, new DefaultThreadFactory(threads, true), Transport.AUTO.ioHandlers());
    }

    @Override
    public Future<?> shutdownGracefully() {
      return shutdownGracefully(0, 2, TimeUnit.SECONDS);
    }
  }

  /// What ends without an answer of an endpoint.
  private final class Failures implements ServerErrorHandler {
    @Override
    public HttpResponse onServiceException(ServiceRequestContext ctx, Throwable thrown) {
      Throwable cause =
          thrown instanceof CompletionException && thrown.getCause() != null
              ? thrown.getCause()
              : thrown;
      if (cause instanceof ContentTooLargeException
          || cause.getCause() instanceof ContentTooLargeException) {
        return refused(Refusal.of(ErrorCode.BODY_TOO_LARGE));
      }
      if (cause instanceof RequestTimeoutException || cause instanceof InterruptedException) {
        counters.add(counts.timedOut());
        return refused(new Refusal(ErrorCode.TIMEOUT, "", BUSY_RETRY_MILLIS));
      }
      if (cause instanceof Unavailable e) {
        return refused(new Refusal(e.code(), "", e.retryMillis()));
      }
      if (!ctx.isCancelled()) {
        log.error("a request failed", Wordless.of(cause));
      }
      return refused(Refusal.of(ErrorCode.INTERNAL));
    }

    @Override
    public AggregatedHttpResponse onProtocolViolation(
        ServiceConfig service,
        @Nullable RequestHeaders headers,
        HttpStatus status,
        @Nullable String description,
        @Nullable Throwable cause) {
      return renderStatus(null, service, headers, status, description, cause);
    }

    @Override
    public AggregatedHttpResponse renderStatus(
        @Nullable ServiceRequestContext ctx,
        ServiceConfig service,
        @Nullable RequestHeaders headers,
        HttpStatus status,
        @Nullable String description,
        @Nullable Throwable cause) {
      ErrorCode code =
          switch (status.code()) {
            case 404 -> ErrorCode.NOT_FOUND;
            case 405, 415 -> ErrorCode.UNSUPPORTED;
            case 413 -> ErrorCode.BODY_TOO_LARGE;
            case 503 -> ErrorCode.BUSY;
            default -> status.code() < 500 ? ErrorCode.MALFORMED : ErrorCode.INTERNAL;
          };
      counters.addError(counts.door(), code);
      counters.add(counts.refused());
      return answer(status, bytes(Errors.body(Refusal.of(code))), Map.of());
    }
  }
}
