package io.tern.tools.simulation;

import com.google.protobuf.ByteString;
import io.tern.client.TernException;
import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.ChatInfoPage;
import io.tern.protocol.v1.ChatItem;
import io.tern.protocol.v1.ChatSetting;
import io.tern.protocol.v1.ChatsPage;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Deliver;
import io.tern.protocol.v1.DeviceItem;
import io.tern.protocol.v1.EntryInfoMember;
import io.tern.protocol.v1.EntryInfoPage;
import io.tern.protocol.v1.HistoryPage;
import io.tern.protocol.v1.Kind;
import io.tern.protocol.v1.Member;
import io.tern.protocol.v1.PageEntry;
import io.tern.protocol.v1.Role;
import io.tern.protocol.v1.Setting;
import io.tern.protocol.v1.SettingsSet;
import io.tern.tools.simulation.ReferenceModel.Line;
import io.tern.tools.simulation.ReferenceModel.Part;
import io.tern.tools.simulation.ReferenceModel.Person;
import io.tern.tools.simulation.ReferenceModel.Room;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.ToLongFunction;
import org.jspecify.annotations.Nullable;

/// Everything that devices see, when nothing is under way, against the model.
final class ModelComparison {

  private static final Content GONE = Content.newBuilder().setKind(Kind.KIND_TOMBSTONE).build();

  private static final Content VOID = Content.newBuilder().setKind(Kind.KIND_EDIT).build();

  /// A change of a group or of settings does not say when it was; the model knows it this well.
  private static final long MILLIS_OFF_MAX = 20;

  private final ModelRun run;
  private final ReferenceModel model;
  private final long now;

  ModelComparison(ModelRun run) {
    this.run = run;
    model = run.model;
    now = run.world.wallMillis();
  }

  void compare() {
    Set<UserId> asked = new HashSet<>();
    for (ModelDevice device : run.devices) {
      if (!device.isOnline()) {
        continue;
      }
      screens(device);
      chatList(device);
      presence(device);
      if (asked.add(device.id.user())) {
        settings(device);
        deviceList(device);
        for (Room room : model.rooms.values()) {
          if (room.parts.containsKey(device.id.user().value())) {
            history(device, room);
            entryInfo(device, room);
            if (room.id.isGroup()) {
              info(device, room);
            }
          }
        }
      }
    }
  }

  // ---- what the device was told

  private void screens(ModelDevice device) {
    long me = device.id.user().value();
    for (Room room : model.rooms.values()) {
      ModelDevice.View view = device.view(room.id);
      Part part = room.parts.get(me);
      String where = device.id + ", screen of " + room.id;
      if (part == null) {
        run.expect(where, view.rows.keySet(), Set.of());
        continue;
      }
      long first = Math.max(part.joined, device.starts.getOrDefault(room.id, 0L) + 1);
      List<Long> seqs = new ArrayList<>();
      for (long seq = first; seq <= room.headFor(me); seq++) {
        seqs.add(seq);
      }
      run.expect(where, List.copyOf(view.rows.tailMap(first, true).keySet()), seqs);
      for (long seq : seqs) {
        ModelDevice.Row row = must(view.rows.get(seq));
        Line line = room.lines.get((int) seq - 1);
        String what = where + " at " + seq;
        run.expect(what + " sender", row.sender, line.from.user());
        run.expect(what + " device", row.device, line.from.index());
        time(what, row.tsMillis, line.tsMillis);
        // What disappears by itself disappears from a screen by the app's clock.
        // And an edit that came in time keeps the words that it came with, as does what was changed
        // when its reader had left.
        if (now < line.goneMillis
            && !line.isVoid(now)
            && !editsHidden(me, room, line)
            && line.changedBy <= part.left) {
          same(what, row.content, row.editedMillis, contentFor(me, room, line), line, row.isGone());
        }
      }
      marks(device, room, view, where);
    }
  }

  private void marks(ModelDevice device, Room room, ModelDevice.View view, String where) {
    if (room.id.isSelf()) {
      return;
    }
    long me = device.id.user().value();
    if (room.id.isGroup()) {
      // Told when it moves, to who is a member then.
      if (room.in(me) != null) {
        atMost(where + " all delivered", view.allDelivered, allDelivered(room));
        // Also what was told before this user hid what they read.
        atMost(where + " all read", view.allRead, allRead(room));
      }
      return;
    }
    Part peer = must(room.parts.get(room.id.peerOf(device.id.user()).value()));
    atMost(where + " peer delivered", view.peerDelivered, peer.shownDelivered);
    atMost(where + " peer read", view.peerRead, peer.shownRead);
  }

  private void atMost(String what, long is, long most) {
    if (is > most) {
      throw new AssertionError(what + " is " + is + ", more than " + most);
    }
  }

  /// The content that `user` gets of an entry now.
  private Content contentFor(long user, Room room, Line line) {
    if (line.isVoid(now) || editsHidden(user, room, line)) {
      return VOID;
    }
    return line.isGone(now)
            || model.isHidden(user, room.id, line.seq)
            || wasEditedAfter(user, room, line)
        ? GONE
        : line.content;
  }

  /// Whether what `user` could know of it is no longer there.
  private static boolean wasEditedAfter(long user, Room room, Line line) {
    Part part = room.parts.get(user);
    Line edit = line.lastEdit;
    return part != null && edit != null && edit.seq > part.left;
  }

  /// Whether it edits a message that `user` has deleted for themselves.
  private boolean editsHidden(long user, Room room, Line line) {
    return line.edits != null && model.isHidden(user, room.id, line.edits.seq);
  }

  private void same(
      String what,
      Content content,
      long editedMillis,
      Content expected,
      Line line,
      boolean isGone) {
    if (isGone || expected.equals(GONE)) {
      run.expect(what + " is gone", isGone, expected.equals(GONE));
      return;
    }
    // How long it lives is in the entry that the server keeps, not in what this device sent.
    run.expect(
        what, content.toBuilder().clearTtlS().build(), expected.toBuilder().clearTtlS().build());
    run.expect(what + " edited", editedMillis, line.editedMillis);
  }

  private void time(String what, long is, long expected) {
    if (Math.abs(is - expected) > MILLIS_OFF_MAX) {
      throw new AssertionError(what + " is of " + is + " and should be of " + expected);
    }
  }

  private void presence(ModelDevice device) {
    long me = device.id.user().value();
    for (UserId watched : device.watchedUsers) {
      Person other = model.person(watched);
      Person asker = model.person(me);
      List<ModelDevice> theirs =
          run.devices.stream().filter(d -> d.id.user().equals(watched)).toList();
      boolean there = theirs.stream().anyMatch(ModelDevice::isInFront);
      boolean shown =
          model.mayTalk(me, watched.value())
              && other.shows(other.privacy.getOnline(), me)
              && asker.shows(asker.privacy.getOnline(), watched.value());
      var present = device.present.get(watched);
      run.expect(
          device.id + " sees " + watched + " online",
          present != null && present.online(),
          there && shown);
      boolean lastSeenShown =
          model.mayTalk(me, watched.value())
              && other.shows(other.privacy.getLastSeen(), me)
              && asker.shows(asker.privacy.getLastSeen(), watched.value());
      if (!lastSeenShown && present != null) {
        run.expect(
            device.id + " sees when " + watched + " was there", present.lastSeenMillis(), 0L);
      }
      // Nobody knows when a removed device was last looked at: it cannot say so any more.
      if (lastSeenShown && !there && theirs.stream().noneMatch(d -> d.removed)) {
        long left = theirs.stream().mapToLong(d -> d.lookedAwayMillis).max().orElse(0);
        long seen = present == null ? 0 : present.lastSeenMillis();
        if (seen < left - MILLIS_OFF_MAX || seen > left + CalmWorld.TICK_MICROS / 1_000) {
          throw new AssertionError(
              device.id + " sees that " + watched + " was there at " + seen + ", not " + left);
        }
      }
    }
  }

  // ---- what the device asks

  private interface Question<T> {
    void ask(Consumer<T> done, Consumer<TernException> refused);
  }

  private <T> T ask(ModelDevice device, String what, Question<T> question) {
    List<T> answer = new ArrayList<>(1);
    question.ask(
        answer::add,
        refusal -> {
          throw new AssertionError(device.id + " " + what, refusal);
        });
    device.endPass();
    run.await(device.id + " " + what, () -> !answer.isEmpty());
    return answer.getFirst();
  }

  private void chatList(ModelDevice device) {
    long me = device.id.user().value();
    ChatsPage page =
        ask(
            device,
            "CHATS",
            (done, refused) -> device.core().queries().chats(null, 100, done, refused));
    Map<ChatId, ChatItem> items = new TreeMap<>(Comparator.comparing(ChatId::toString));
    for (ChatItem item : page.getChatsList()) {
      items.put(ChatId.fromWire(device.id.user(), item.getChat(), item.getGroup()), item);
    }
    Set<String> listed = new TreeSet<>();
    model.rooms.values().stream()
        .filter(room -> room.parts.containsKey(me))
        .forEach(room -> listed.add(room.id.toString()));
    Set<String> got = new TreeSet<>();
    items.keySet().forEach(chat -> got.add(chat.toString()));
    run.expect(device.id + ", chats", got, listed);
    items.forEach((chat, item) -> item(device, must(model.rooms.get(chat)), item));
  }

  private void item(ModelDevice device, Room room, ChatItem item) {
    long me = device.id.user().value();
    Part part = must(room.parts.get(me));
    String where = device.id + ", list, " + room.id + " ";
    run.expect(where + "head", item.getHead(), room.headFor(me));
    run.expect(
        where + "delivered",
        foreign(room, item.getDelivered(), device.id.user(), null),
        foreign(room, part.delivered, device.id.user(), null));
    run.expect(where + "read", item.getRead(), part.read);
    run.expect(where + "unread", item.getUnread(), model.unread(room, me, now));
    run.expect(
        where + "unread mentions", item.getUnreadMentions(), model.unreadMentions(room, me, now));
    run.expect(
        where + "position",
        foreign(room, item.getPosition(), device.id.user(), device),
        foreign(room, room.headFor(me), device.id.user(), device));
    if (part.isIn()) {
      run.expect(where + "ttl", item.getTtlS(), room.ttlSeconds);
    }
    Line last = room.line(room.headFor(me));
    if (last != null && part.sees(last.seq)) {
      entry(where + "last", me, room, last, item.getLast(), false);
    }
    Setting chat = model.person(me).settings.get("chat " + room.id.isGroup() + item.getChat());
    ChatSetting settings = chat == null ? ChatSetting.getDefaultInstance() : chat.getChat();
    run.expect(where + "muted", item.getSettings().getMuteUntilMs(), settings.getMuteUntilMs());
    run.expect(where + "pinned", item.getSettings().getPin(), settings.getPin());
    run.expect(where + "archived", item.getSettings().getArchive(), settings.getArchive());
    if (room.id.isGroup()) {
      run.expect(where + "role", item.getRole(), part.isIn() ? part.role : Role.ROLE_UNSPECIFIED);
      if (part.isIn()) {
        run.expect(where + "title", item.getTitle(), room.title);
        run.expect(where + "picture", item.getPicture(), room.picture);
        run.expect(where + "members", (long) item.getMembers(), room.members());
        atMost(where + "all delivered", item.getAllDelivered(), allDelivered(room));
        atMost(
            where + "all delivered, at least",
            everyone(room, other -> other.shownDelivered, true),
            item.getAllDelivered());
        boolean hides = model.hidesReading(me);
        atMost(where + "all read", item.getAllRead(), hides ? 0 : allRead(room));
        atMost(
            where + "all read, at least",
            hides ? 0 : everyone(room, other -> other.shownRead, true),
            item.getAllRead());
      }
    } else if (!room.id.isSelf()) {
      Part peer = must(room.parts.get(room.id.peerOf(device.id.user()).value()));
      UserId other = room.id.peerOf(device.id.user());
      long shown = foreign(room, item.getPeerDelivered(), other, null);
      long most = foreign(room, peer.shownDelivered, other, null);
      if (model.mayEverTalk(me, other.value())) {
        run.expect(where + "peer delivered", shown, most);
      } else {
        // What was acknowledged behind a block shows when something after it is acknowledged; what
        // one has sent oneself need not be.
        atMost(where + "peer delivered", shown, most);
      }
      run.expect(
          where + "peer read", item.getPeerRead(), model.hidesReading(me) ? 0L : peer.shownRead);
    }
  }

  /// How many entries that others have sent a watermark covers. What a device has sent itself it
  /// need not acknowledge, so a mark may stand before it or behind.
  private long foreign(Room room, long mark, UserId user, @Nullable ModelDevice device) {
    return room.lines.stream()
        .filter(line -> line.seq <= mark && model.sees(room, user.value(), line.seq))
        .filter(
            line -> device == null ? !line.from.user().equals(user) : !line.from.equals(device.id))
        .count();
  }

  /// How far everyone has got, by a mark of each, when what is by oneself needs none.
  ///
  /// @param lastOnly only of what they wrote last in a row: a server need not know more
  private static long everyone(Room room, ToLongFunction<Part> mark, boolean lastOnly) {
    return room.parts.entrySet().stream()
        .filter(part -> part.getValue().isIn())
        .mapToLong(part -> {
          Part of = part.getValue();
          long reached = Math.max(of.joined - 1, mark.applyAsLong(of));
          long end = reached;
          while (isBy(room, end + 1, part.getKey())) {
            end++;
          }
          for (long seq = end + 1; lastOnly && seq <= room.lines.size(); seq++) {
            if (isBy(room, seq, part.getKey())) {
              return reached;
            }
          }
          return end;
        })
        .min()
        .orElse(0);
  }

  private static boolean isBy(Room room, long seq, long user) {
    return seq <= room.lines.size() && room.lines.get((int) seq - 1).from.user().value() == user;
  }

  private static long allDelivered(Room room) {
    return everyone(room, part -> part.shownDelivered, false);
  }

  private static long allRead(Room room) {
    return everyone(room, part -> part.shownRead, false);
  }

  private void history(ModelDevice device, Room room) {
    long me = device.id.user().value();
    Part part = must(room.parts.get(me));
    HistoryPage page =
        ask(
            device,
            "HISTORY of " + room.id,
            (done, refused) ->
                device.core().queries().historyBefore(room.id, 0, 100, done, refused));
    String where = device.id + ", history of " + room.id;
    run.expect(where + " head", page.getHead(), room.headFor(me));
    run.expect(where + " first", Math.max(1, page.getFirst()), part.joined);
    List<Line> visible = room.lines.stream().filter(line -> part.sees(line.seq)).toList();
    List<Line> newest = visible.subList(Math.max(0, visible.size() - 100), visible.size());
    run.expect(
        where,
        page.getEntriesList().stream().map(PageEntry::getSeq).toList(),
        newest.stream().map(line -> line.seq).toList());
    for (int i = 0; i < newest.size(); i++) {
      entry(where, me, room, newest.get(i), page.getEntries(i), true);
    }
  }

  private void entry(
      String where, long me, Room room, Line line, PageEntry got, boolean withReactions) {
    String what = where + " at " + line.seq;
    Deliver entry = got.getEntry();
    boolean own = line.from.user().value() == me;
    run.expect(what + " seq", got.getSeq(), line.seq);
    run.expect(what + " own", got.getOwn(), own);
    run.expect(what + " device", entry.getDevice(), line.from.index());
    if (room.id.isGroup()) {
      run.expect(what + " sender", entry.getSender(), line.from.user().value());
    }
    time(what, entry.getTsMs(), line.tsMillis);
    Content expected = contentFor(me, room, line);
    same(
        what,
        entry.getContent(),
        entry.getEditedMs(),
        expected,
        line,
        entry.getContent().getKind() == Kind.KIND_TOMBSTONE);
    if (withReactions && !expected.equals(GONE)) {
      Map<String, String> reactions = new TreeMap<>();
      got.getReactionsList()
          .forEach(r -> reactions.put(r.getText(), r.getCount() + (r.getOwn() ? " own" : "")));
      Part part = must(room.parts.get(me));
      Map<String, Integer> counts = new TreeMap<>();
      Set<String> mine = new HashSet<>();
      line.reactions.forEach((user, event) -> {
        if (part.sees(event.seq)) {
          String text = event.content.getBody().toStringUtf8();
          counts.merge(text, 1, Integer::sum);
          if (user == me) {
            mine.add(text);
          }
        }
      });
      Map<String, String> theirs = new TreeMap<>();
      counts.forEach(
          (text, count) -> theirs.put(text, count + (mine.contains(text) ? " own" : "")));
      run.expect(what + " reactions", reactions, theirs);
    }
  }

  private void info(ModelDevice device, Room room) {
    long me = device.id.user().value();
    Part part = must(room.parts.get(me));
    ChatInfoPage page =
        ask(
            device,
            "CHAT_INFO of " + room.id,
            (done, refused) -> device.core().queries().chatInfo(room.id, 0, done, refused));
    String where = device.id + ", info of " + room.id + " ";
    run.expect(where + "role", page.getRole(), part.isIn() ? part.role : Role.ROLE_UNSPECIFIED);
    if (!part.isIn()) {
      return;
    }
    Map<Long, Role> members = new TreeMap<>();
    for (Member member : page.getMembersList()) {
      members.put(member.getUser(), member.getRole());
    }
    Map<Long, Role> expected = new TreeMap<>();
    room.parts.forEach((user, each) -> {
      if (each.isIn()) {
        expected.put(user, each.role);
      }
    });
    run.expect(where + "members", members, expected);
    run.expect(where + "title", page.getTitle(), room.title);
    run.expect(where + "picture", page.getPicture(), room.picture);
    run.expect(where + "description", page.getDescription(), room.description);
    run.expect(where + "only admins send", page.getAdminOnlySend(), room.adminOnlySend);
    run.expect(where + "only admins edit", page.getAdminOnlyEdit(), room.adminOnlyEdit);
    run.expect(where + "ttl", page.getTtlS(), room.ttlSeconds);
    run.expect(
        where + "invite",
        page.getInvite(),
        room.isAdmin(me) && room.hasInvite ? room.invite : ByteString.EMPTY);
  }

  /// Of the newest message of one's own.
  private void entryInfo(ModelDevice device, Room room) {
    long me = device.id.user().value();
    Part part = must(room.parts.get(me));
    long seq = part.lastOwnMessage;
    if (!part.isIn() || seq < part.joined || room.id.isSelf()) {
      return;
    }
    if (!room.id.isGroup() && !model.mayEverTalk(room.id.low(), room.id.high())) {
      return;
    }
    EntryInfoPage page =
        ask(
            device,
            "ENTRY_INFO of " + seq + " in " + room.id,
            (done, refused) ->
                device.core().queries().entryInfo(room.id, seq, null, 100, done, refused));
    String where = device.id + ", info of entry " + seq + " in " + room.id + " ";
    Map<Long, String> got = new TreeMap<>();
    for (EntryInfoMember member : page.getMembersList()) {
      got.put(
          member.getUser(),
          (member.getDeliveredAtMs() > 0 ? "delivered" : "")
              + (member.getReadAtMs() > 0 ? " read" : ""));
    }
    Map<Long, String> expected = new TreeMap<>();
    int[] counts = new int[3];
    BiConsumer<Long, Part> each =
        (user, theirs) -> {
          if (user != me && theirs.sees(seq)) {
            boolean delivered = theirs.shownDelivered >= seq;
            boolean read = theirs.shownRead >= seq && !model.hidesReading(me);
            expected.put(user, (delivered ? "delivered" : "") + (read ? " read" : ""));
            counts[0]++;
            counts[1] += delivered ? 1 : 0;
            counts[2] += read ? 1 : 0;
          }
        };
    room.parts.forEach(each);
    run.expect(where + "members", got, expected);
    run.expect(where + "total", page.getTotal(), counts[0]);
    run.expect(where + "delivered", page.getDelivered(), counts[1]);
    run.expect(where + "read", page.getRead(), counts[2]);
  }

  private void settings(ModelDevice device) {
    List<Setting> all = new ArrayList<>();
    ByteString token = ByteString.EMPTY;
    do {
      byte @Nullable [] from = token.isEmpty() ? null : token.toByteArray();
      SettingsSet page =
          ask(
              device,
              "SETTINGS",
              (done, refused) -> device.core().queries().settings(from, done, refused));
      all.addAll(page.getSettingsList());
      token = page.getNextPageToken();
    } while (!token.isEmpty());
    Person person = model.person(device.id.user());
    run.expect(
        device.id + ", settings",
        all.stream().map(Setting::toString).sorted().toList(),
        person.settings.values().stream().map(Setting::toString).sorted().toList());
  }

  private void deviceList(ModelDevice device) {
    List<DeviceItem> items =
        ask(device, "DEVICES", (done, refused) -> device.core().queries().devices(done, refused));
    Map<Integer, String> got = new TreeMap<>();
    for (DeviceItem item : items) {
      got.put(
          item.getDevice(),
          (item.getOnline() ? "online" : "") + (item.getCurrent() ? " this" : ""));
    }
    Map<Integer, String> expected = new TreeMap<>();
    for (ModelDevice each : run.devices) {
      if (each.id.user().equals(device.id.user()) && !each.removed) {
        expected.put(
            each.id.index(), (each.isOnline() ? "online" : "") + (each == device ? " this" : ""));
      }
    }
    run.expect(device.id + ", devices", got, expected);
  }

  private static <T> T must(@Nullable T value) {
    return Objects.requireNonNull(value);
  }
}
