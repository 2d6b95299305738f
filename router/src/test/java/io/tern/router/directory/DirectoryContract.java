package io.tern.router.directory;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import io.tern.router.Attachment;
import io.tern.router.Directory;
import io.tern.router.Directory.Attached;
import io.tern.router.Directory.News;
import io.tern.router.EdgeId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// What every [Directory] must do. A subclass per implementation.
abstract class DirectoryContract {

  protected static final EdgeId EDGE = new EdgeId("edge", 1);
  protected static final EdgeId OTHER_EDGE = new EdgeId("other", 1);
  protected static final DeviceId PHONE = new DeviceId(new UserId(11), 1);
  protected static final DeviceId LAPTOP = new DeviceId(new UserId(11), 2);
  protected static final DeviceId BOB = new DeviceId(new UserId(22), 1);
  protected static final ChatId CHAT = ChatId.direct(PHONE.user(), BOB.user());
  protected static final ChatId GROUP = ChatId.group(5);

  protected Directory directory;

  /// A directory that keeps news of `chatsPerDeviceMax` chats for a device and of `usersMax` users.
  abstract Directory create(int chatsPerDeviceMax, int usersMax);

  @BeforeEach
  void createDirectory() {
    directory = create(16, 64);
  }

  // ---- routes

  @Test
  void anAttachedDeviceIsFound() {
    var phone = attach(PHONE, EDGE, 1).now();

    assertThat(phone.device()).isEqualTo(PHONE);
    assertThat(phone.edge()).isEqualTo(EDGE);
    assertThat(phone.session()).isEqualTo(1);
    assertThat(sessions(PHONE.user())).containsExactly(phone);
  }

  @Test
  void allDevicesOfAUserAreFoundAndUsersKeepTheirOrder() {
    var phone = attach(PHONE, EDGE, 1).now();
    var laptop = attach(LAPTOP, OTHER_EDGE, 2).now();
    var bob = attach(BOB, EDGE, 3).now();
    var stranger = new UserId(99);

    var found = directory.lookup(List.of(BOB.user(), stranger, PHONE.user()));

    assertThat(found).hasSize(3);
    assertThat(found.get(0).sessions()).containsExactly(bob);
    assertThat(found.get(1)).isEqualTo(Directory.Routes.NONE);
    assertThat(found.get(2).sessions()).containsExactlyInAnyOrder(phone, laptop);
  }

  @Test
  void epochsOfADeviceRise() {
    long first = attach(PHONE, EDGE, 1).now().epoch();
    long second = attach(PHONE, OTHER_EDGE, 2).now().epoch();
    directory.detach(new Attachment(PHONE, OTHER_EDGE, 2, second), Set.of());
    long third = attach(PHONE, EDGE, 3).now().epoch();

    assertThat(List.of(first, second, third)).isSorted().doesNotHaveDuplicates();
  }

  @Test
  void aSecondSessionTakesOverAndNamesTheFirst() {
    var first = attach(PHONE, EDGE, 1);
    var second = attach(PHONE, OTHER_EDGE, 2);

    assertThat(first.replaced()).isNull();
    assertThat(second.replaced()).isEqualTo(first.now());
    assertThat(sessions(PHONE.user())).containsExactly(second.now());
  }

  @Test
  void theCleanUpOfAnOldSessionDoesNotRemoveTheNewOne() {
    var first = attach(PHONE, EDGE, 1).now();
    var second = attach(PHONE, EDGE, 2).now();

    directory.detach(first, Set.of());

    assertThat(sessions(PHONE.user())).containsExactly(second);
    directory.detach(second, Set.of());
    assertThat(sessions(PHONE.user())).isEmpty();
  }

  @Test
  void detachingTwiceDoesNothing() {
    var phone = attach(PHONE, EDGE, 1).now();
    directory.detach(phone, Set.of());
    directory.detach(phone, Set.of(CHAT));

    assertThat(attach(PHONE, EDGE, 2).news()).isEmpty();
  }

  // ---- who is looked at

  @Test
  void aUserIsOnlineWhileASessionIsActiveAndIsFoundInAnyCase() {
    var phone = attach(PHONE, EDGE, 1, false).now();
    assertThat(routes(PHONE.user()))
        .isEqualTo(new Directory.Routes(List.of(phone), List.of(), false));
    assertThat(routes(PHONE.user()).isOnline()).isFalse();
    var laptop = attach(LAPTOP, OTHER_EDGE, 2, true).now();
    assertThat(routes(PHONE.user()).active()).containsExactly(laptop);

    directory.setActive(phone, true);
    directory.setActive(phone, true);
    assertThat(routes(PHONE.user()).active()).containsExactlyInAnyOrder(phone, laptop);
    directory.detach(laptop, Set.of());
    assertThat(routes(PHONE.user()).active()).containsExactly(phone);
    assertThat(addNews(PHONE.user(), CHAT).isOnline()).isTrue();
    directory.setActive(phone, false);
    directory.setActive(phone, false);

    assertThat(routes(PHONE.user()).isOnline()).isFalse();
    assertThat(sessions(PHONE.user())).containsExactly(phone);
    assertThat(addNews(PHONE.user(), GROUP).active()).isEmpty();
    assertThat(attach(LAPTOP, EDGE, 3).news()).containsExactlyInAnyOrder(CHAT, GROUP);
  }

  @Test
  void aSessionThatWasReplacedOrIsGoneMakesNobodyOnline() {
    var first = attach(PHONE, EDGE, 1, true).now();
    var second = attach(PHONE, OTHER_EDGE, 2, false).now();
    assertThat(routes(PHONE.user()).active()).isEmpty();

    directory.setActive(first, true);
    assertThat(routes(PHONE.user()).active()).isEmpty();
    directory.setActive(second, true);
    directory.setActive(first, false);
    assertThat(routes(PHONE.user()).active()).containsExactly(second);
    directory.detach(second, null);
    directory.setActive(second, true);
    assertThat(routes(PHONE.user()).isOnline()).isFalse();
    assertThat(sessions(PHONE.user())).isEmpty();
  }

  // ---- news

  @Test
  void theNewsOfADeviceNeverSeenAreUnknown() {
    assertThat(attach(PHONE, EDGE, 1).news()).isNull();
    assertThat(routes(BOB.user()).absentDevices()).isFalse();
  }

  @Test
  void newsAreWhatWasDueAndWhatCameSince() {
    directory.detach(attach(PHONE, EDGE, 1).now(), Set.of(GROUP));
    assertThat(routes(PHONE.user()).absentDevices()).isTrue();
    directory.addNews(List.of(new News(PHONE.user(), CHAT), new News(PHONE.user(), CHAT)));

    assertThat(attach(PHONE, EDGE, 2).news()).containsExactlyInAnyOrder(GROUP, CHAT);
    assertThat(routes(PHONE.user()).absentDevices()).isFalse();
  }

  @Test
  void newsAreHandedOverOnce() {
    directory.detach(attach(PHONE, EDGE, 1).now(), Set.of(GROUP));
    attach(PHONE, EDGE, 2);

    assertThat(attach(PHONE, EDGE, 3).news())
        .as("the second session may have acknowledged anything or nothing")
        .isNull();
  }

  @Test
  void aSessionThatDoesNotKnowWhatIsDueLeavesNewsUnknown() {
    directory.detach(attach(PHONE, EDGE, 1).now(), null);

    assertThat(routes(PHONE.user()).absentDevices()).isFalse();
    assertThat(attach(PHONE, EDGE, 2).news()).isNull();
  }

  @Test
  void eachDeviceHasItsOwnNews() {
    directory.detach(attach(LAPTOP, EDGE, 1).now(), Set.of());
    attach(PHONE, EDGE, 2);
    assertThat(routes(PHONE.user()).absentDevices()).isTrue();
    assertThat(sessions(PHONE.user())).hasSize(1);
    directory.addNews(List.of(new News(PHONE.user(), CHAT)));

    assertThat(attach(LAPTOP, EDGE, 3).news()).containsExactly(CHAT);
  }

  @Test
  void theAnswerToNewsIsWhoWasConnectedThen() {
    directory.detach(attach(LAPTOP, EDGE, 1).now(), Set.of());
    var phone = attach(PHONE, EDGE, 2).now();
    var answer =
        directory.addNews(
            List.of(
                new News(PHONE.user(), CHAT),
                new News(BOB.user(), CHAT),
                new News(PHONE.user(), GROUP)));

    assertThat(answer)
        .containsOnly(
            Map.entry(PHONE.user(), new Directory.Routes(List.of(phone), List.of(phone), true)),
            Map.entry(BOB.user(), Directory.Routes.NONE));
    assertThat(attach(LAPTOP, EDGE, 3).news()).containsExactlyInAnyOrder(CHAT, GROUP);
  }

  @Test
  void newsOfAConnectedDeviceAreNotKept() {
    var phone = attach(PHONE, EDGE, 1).now();
    directory.addNews(List.of(new News(PHONE.user(), CHAT)));
    directory.detach(phone, Set.of());

    assertThat(attach(PHONE, EDGE, 2).news()).isEmpty();
  }

  @Test
  void tooManyNewsAreUnknownNews() {
    directory = create(3, 64);
    directory.detach(attach(PHONE, EDGE, 1).now(), Set.of());
    for (int i = 1; i <= 4; i++) {
      directory.addNews(List.of(new News(PHONE.user(), ChatId.group(i))));
    }

    assertThat(routes(PHONE.user()).absentDevices()).isFalse();
    assertThat(attach(PHONE, EDGE, 2).news()).isNull();

    directory.detach(
        attach(PHONE, EDGE, 3).now(),
        Set.of(ChatId.group(1), ChatId.group(2), ChatId.group(3), ChatId.group(4)));
    assertThat(attach(PHONE, EDGE, 4).news()).isNull();
  }

  @Test
  void whoHasBeenAbsentLongestIsForgottenFirst() {
    directory = create(16, 2);
    var a = new DeviceId(new UserId(1), 1);
    var b = new DeviceId(new UserId(2), 1);
    var c = new DeviceId(new UserId(3), 1);
    for (var device : List.of(a, b, c)) {
      directory.detach(attach(device, EDGE, device.user().value()).now(), Set.of());
    }

    assertThat(attach(a, EDGE, 11).news()).isNull();
    assertThat(attach(b, EDGE, 12).news()).isEmpty();
    assertThat(attach(c, EDGE, 13).news()).isEmpty();
  }

  // ---- together

  /// Against a model: any sequence of calls by one thread.
  @Test
  void behavesAsItsModel() {
    long seed = Long.getLong("tern.seed", System.nanoTime());
    var random = new Random(seed);
    var devices = new ArrayList<DeviceId>();
    for (int i = 0; i < 12; i++) {
      devices.add(new DeviceId(new UserId(1 + i / 3), 1 + i % 3));
    }
    Map<DeviceId, Attachment> current = new HashMap<>();
    Map<DeviceId, Set<ChatId>> news = new HashMap<>();
    var old = new ArrayList<Attachment>();
    Set<Attachment> active = new HashSet<>();
    for (int step = 0; step < 20_000; step++) {
      var as = "seed " + seed + " step " + step;
      var device = devices.get(random.nextInt(devices.size()));
      switch (random.nextInt(6)) {
        case 0 -> {
          boolean isActive = random.nextBoolean();
          var attached = attach(device, random.nextBoolean() ? EDGE : OTHER_EDGE, step, isActive);
          var before = current.put(device, attached.now());
          if (isActive) {
            active.add(attached.now());
          }
          assertThat(attached.replaced()).as(as).isEqualTo(before);
          var known = news.remove(device);
          assertThat(attached.news()).as(as).isEqualTo(known);
          if (before != null) {
            assertThat(attached.now().epoch()).as(as).isGreaterThan(before.epoch());
          }
          old.add(attached.now());
        }
        case 1 -> {
          if (!old.isEmpty()) {
            var some = old.get(random.nextInt(old.size()));
            var due = random.nextInt(4) == 0 ? null : someChats(random);
            directory.detach(some, due);
            if (some.equals(current.get(some.device()))) {
              current.remove(some.device());
              if (due != null) {
                news.put(some.device(), new HashSet<>(due));
              }
            }
          }
        }
        case 2 -> {
          var chat = ChatId.group(1 + random.nextInt(5));
          directory.addNews(List.of(new News(device.user(), chat)));
          news.forEach((absent, chats) -> {
            if (absent.user().equals(device.user())) {
              chats.add(chat);
            }
          });
        }
        case 3 -> {
          if (!old.isEmpty()) {
            var some = old.get(random.nextInt(old.size()));
            boolean isActive = random.nextBoolean();
            directory.setActive(some, isActive);
            if (isActive) {
              active.add(some);
            } else {
              active.remove(some);
            }
          }
        }
        default -> {
          var routes = routes(device.user());
          assertThat(routes.sessions())
              .as(as)
              .containsExactlyInAnyOrderElementsOf(
                  current.values().stream()
                      .filter(a -> a.device().user().equals(device.user()))
                      .toList());
          assertThat(routes.active())
              .as(as)
              .containsExactlyInAnyOrderElementsOf(
                  routes.sessions().stream().filter(active::contains).toList());
          assertThat(routes.absentDevices())
              .as(as)
              .isEqualTo(news.keySet().stream().anyMatch(a -> a.user().equals(device.user())));
        }
      }
    }
  }

  /// The race that news exist for: a device comes and goes while entries are dispatched. Each entry
  /// must reach a session (found by a lookup) or the news of a later attach, unless news are
  /// unknown.
  @Test
  void noEntryFallsBetweenAttachDetachAndNews() throws Exception {
    int entries = 20_000;
    // What the device has been told of: live, or by news. The edge side adds what came too late.
    var session = new AtomicReference<@Nullable Attachment>();
    var seen = new HashSet<Long>();
    var done = new CountDownLatch(1);
    var gone = new AtomicLong();
    var failure = new AtomicReference<@Nullable Throwable>();
    var edge =
        new Thread(() -> {
          try {
            long number = 0;
            while (done.getCount() > 0) {
              var attached = attach(PHONE, EDGE, ++number);
              synchronized (seen) {
                if (attached.news() == null) {
                  // Unknown: a scan of the store finds all that is committed by now.
                  seen.add(-1L);
                } else {
                  attached.news().forEach(chat -> seen.add(chat.high()));
                }
                session.set(attached.now());
              }
              Thread.onSpinWait();
              synchronized (seen) {
                session.set(null);
                directory.detach(attached.now(), Set.of());
                gone.incrementAndGet();
              }
            }
          } catch (Throwable t) {
            failure.set(t);
          }
        });
    // Known from the start, so that no scan has to help.
    directory = create(1 << 20, 64);
    directory.detach(attach(PHONE, EDGE, 0).now(), Set.of());
    edge.start();
    for (long entry = 1; entry <= entries; entry++) {
      var user = List.of(PHONE.user());
      var routes = directory.lookup(user).getFirst();
      if (routes.absentDevices()) {
        routes = addNews(PHONE.user(), ChatId.group(entry));
      }
      for (var to : routes.sessions()) {
        synchronized (seen) {
          if (Objects.equals(to, session.get())) {
            seen.add(entry);
          } else {
            // The session is gone, or not yet known to the edge thread, which holds its news back
            // until it is: Directory.detach says what the edge does now.
            if (!addNews(PHONE.user(), ChatId.group(entry)).sessions().isEmpty()) {
              seen.add(entry);
            }
          }
        }
      }
    }
    done.countDown();
    edge.join();
    assertThat(failure.get()).isNull();
    var last = attach(PHONE, EDGE, Long.MAX_VALUE).news();
    Objects.requireNonNull(last).forEach(chat -> seen.add(chat.high()));
    assertThat(seen).as("no scan was needed").doesNotContain(-1L);
    assertThat(seen).hasSize(entries);
    assertThat(gone.get()).isPositive();
  }

  private static Set<ChatId> someChats(Random random) {
    var chats = new HashSet<ChatId>();
    for (int i = random.nextInt(3); i > 0; i--) {
      chats.add(ChatId.group(1 + random.nextInt(5)));
    }
    return chats;
  }

  private Directory.Routes addNews(UserId user, ChatId chat) {
    return Objects.requireNonNull(directory.addNews(List.of(new News(user, chat))).get(user));
  }

  protected final Attached attach(DeviceId device, EdgeId edge, long session) {
    return attach(device, edge, session, true);
  }

  private Attached attach(DeviceId device, EdgeId edge, long session, boolean active) {
    return directory.attach(device, edge, session, active).join();
  }

  protected final Directory.Routes routes(UserId user) {
    return directory.lookup(List.of(user)).getFirst();
  }

  protected final List<Attachment> sessions(UserId user) {
    return routes(user).sessions();
  }
}
