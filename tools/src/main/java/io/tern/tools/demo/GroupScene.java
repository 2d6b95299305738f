package io.tern.tools.demo;

import io.tern.client.Draft;
import io.tern.client.TernClient.Receipted;
import io.tern.client.TernException;
import io.tern.protocol.ChatId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.EntryInfoMember;
import io.tern.protocol.v1.PageEntry;
import io.tern.tools.EntryView;
import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import io.tern.tools.Names;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/// Three people in a group: a message that everyone has, a reaction, an answer, an edit, who has
/// read it, and somebody who is removed. At the end everyone's part of it is compared.
///
/// For the story's thread.
final class GroupScene {

  private static final String TITLE = "Harbour terns";

  private final Story story;
  private final Names names;
  private final Person alice;
  private final Person bob;
  private final Person carol;

  /// Where each person's own entries are: those they do not hear of.
  private final Map<Person, Set<Long>> own = new LinkedHashMap<>();

  GroupScene(Story story, Names names, Person alice, Person bob, Person carol) {
    this.story = story;
    this.names = names;
    this.alice = alice;
    this.bob = bob;
    this.carol = carol;
    for (var person : List.of(alice, bob, carol)) {
      names.call(person.id, person.name);
      own.put(person, new TreeSet<>());
    }
  }

  /// Plays it. Returns what is wrong at its end: nothing, when all is well.
  List<String> play() {
    var created =
        alice.get(alice.there().groups().create(TITLE, List.of(bob.id, carol.id)), "no group");
    var group = created.group();
    everyoneHas(created.seq());
    tell(alice, group, created.seq());
    long question = say(alice, group, Draft.text("Saturday at nine, at the pier?"));
    delivered(question);
    tell(alice, group, question);
    send(bob, group, bob.there().react(group, question, "👍"));
    send(
        carol,
        group,
        carol.there().send(group, Draft.text("I bring the telescope.").replyTo(question)));
    send(
        alice,
        group,
        alice.there().edit(group, question, Draft.text("Saturday at ten, at the pier?")));
    bob.there().read(group, question);
    carol.there().read(group, question);
    alice.await(() -> alice.groupRead() >= question, "alice sees that everyone has read");
    story.say("everyone has read #" + question + ": " + readers(group, question));
    long removal = remove(group);
    story.say("carol's next message is refused: " + refusal(group));
    long last = say(alice, group, Draft.text("And then there were two."));
    bob.await(() -> bob.groupHead() >= last, "bob hears it");
    tell(alice, group, last);
    var problems = compare(group, removal);
    if (problems.isEmpty()) {
      story.say(
          "alice and bob have #1 to #" + last + ", carol #1 to #" + removal + ", and all agree");
    }
    return problems;
  }

  private long say(Person who, ChatId group, Draft draft) {
    long seq = who.get(who.there().send(group, draft), "not sent").seq();
    mine(who).add(seq);
    return seq;
  }

  private void send(Person who, ChatId group, CompletableFuture<Receipted> sent) {
    long seq = who.get(sent, "not sent").seq();
    mine(who).add(seq);
    everyoneHas(seq);
    tell(who, group, seq);
  }

  private Set<Long> mine(Person who) {
    return own.getOrDefault(who, new TreeSet<>());
  }

  private void everyoneHas(long seq) {
    for (var person : List.of(alice, bob, carol)) {
      person.await(
          () -> person.groupHead() >= seq || mine(person).contains(seq),
          person.name + " hears #" + seq);
    }
  }

  private void delivered(long seq) {
    alice.await(() -> alice.groupDelivered() >= seq, "alice sees that everyone has #" + seq);
  }

  private long remove(ChatId group) {
    long seq = alice.get(alice.there().groups().remove(group, carol.id), "not removed").seq();
    everyoneHas(seq);
    tell(alice, group, seq);
    return seq;
  }

  private String refusal(ChatId group) {
    try {
      carol.there().sendText(group, "And I?").join();
    } catch (CompletionException e) {
      if (e.getCause() instanceof TernException refused && refused.code() == ErrorCode.NOT_MEMBER) {
        return "NOT_MEMBER";
      }
      throw e;
    }
    throw new Failure(ExitCode.FAILED, "somebody who was removed can still send");
  }

  private String readers(ChatId group, long seq) {
    var info = alice.get(alice.there().entryInfo(group, seq, null, 10), "no answer");
    var readers = new ArrayList<String>();
    for (EntryInfoMember member : info.getMembersList()) {
      if (member.getReadAtMs() > 0) {
        readers.add(
            names.of(new UserId(member.getUser()))
                + " at "
                + EntryView.clock(member.getReadAtMs()));
      }
    }
    return String.join(", ", readers);
  }

  /// Prints an entry as the server has it.
  private void tell(Person who, ChatId group, long seq) {
    var page = alice.get(alice.there().historyAfter(group, seq - 1, 1), "no history");
    var entry = EntryView.of(page.getEntries(0), group, alice.id, names);
    story.line(
        who.name, "✓✓", seq, entry.isMessage() ? answered(entry) + entry.text() : entry.phrase());
  }

  private static String answered(EntryView entry) {
    long to = entry.content().getReplyTo();
    return to == 0 ? "" : "↩ #" + to + " ";
  }

  private List<String> compare(ChatId group, long removal) {
    var problems = new ArrayList<String>();
    var whole = history(alice, group);
    if (!history(bob, group).equals(whole)) {
      problems.add("bob's history of the group is another");
    }
    if (!history(carol, group).equals(whole.subList(0, (int) removal))) {
      problems.add("carol's history is not that until her removal");
    }
    own.forEach((person, sent) -> {
      var has = new TreeSet<>(person.groupHeard());
      has.addAll(sent);
      long end = person == carol ? removal : whole.size();
      for (long seq = 1; seq <= end; seq++) {
        if (!has.remove(seq)) {
          problems.add(person.name + " never heard #" + seq + " of the group");
        }
      }
      if (!has.isEmpty()) {
        problems.add(person.name + " heard of the group what is not theirs: " + has);
      }
    });
    return problems;
  }

  private List<String> history(Person person, ChatId group) {
    var page = person.get(person.there().historyAfter(group, 0, 100), "no history");
    var entries = new ArrayList<String>();
    for (PageEntry entry : page.getEntriesList()) {
      entries.add(EntryView.of(entry, group, person.id, names).line());
    }
    return entries;
  }
}
