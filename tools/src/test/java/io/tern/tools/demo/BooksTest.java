package io.tern.tools.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.tern.tools.demo.Books.Kept;
import io.tern.tools.demo.Books.Sent;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// The demo's comparison must notice what the demo claims does not happen.
class BooksTest {

  private final List<Sent> sent =
      new ArrayList<>(
          List.of(
              new Sent("alice", "one", 1),
              new Sent("bob", "two", 2),
              new Sent("alice", "three", 3)));
  private final List<Kept> alices = new ArrayList<>(List.of(new Kept("bob", "two", 2)));
  private final List<Kept> bobs =
      new ArrayList<>(List.of(new Kept("alice", "one", 1), new Kept("alice", "three", 3)));
  private final List<Kept> history =
      new ArrayList<>(
          List.of(
              new Kept("alice", "one", 1),
              new Kept("bob", "two", 2),
              new Kept("alice", "three", 3)));

  @Test
  void equalBooksHaveNoProblems() {
    assertThat(problems()).isEmpty();
  }

  @Test
  void aLostMessageIsAProblem() {
    bobs.removeLast();
    assertThat(problems()).containsExactly("bob never got: “three”");
  }

  @Test
  void aDoubledMessageIsAProblem() {
    bobs.add(new Kept("alice", "three", 4));
    assertThat(problems()).containsExactly("bob has this twice: “three”");
  }

  @Test
  void anotherOrderIsAProblem() {
    bobs.add(bobs.removeFirst());
    assertThat(problems()).containsExactly("bob got this out of order: “one”");
  }

  @Test
  void anotherTextIsAProblem() {
    alices.set(0, new Kept("bob", "tow", 2));
    assertThat(problems()).containsExactly("alice has what was not sent there: “tow”");
  }

  @Test
  void aMessageWithoutAcknowledgementIsAProblem() {
    sent.add(new Sent("bob", "four", 0));
    assertThat(problems()).containsExactly("never acknowledged: “four”");
  }

  @Test
  void sendsThatOvertookEachOtherAreAProblem() {
    sent.add(new Sent("bob", "zero", 1));
    assertThat(problems()).anyMatch(problem -> problem.startsWith("out of order at the server"));
  }

  @Test
  void aHoleInTheHistoryIsAProblem() {
    history.remove(1);
    assertThat(problems())
        .containsExactly(
            "the history has a hole or a repeat before seq 3", "the history lacks: “two”");
  }

  @Test
  void aForeignEntryInTheHistoryIsAProblem() {
    history.add(new Kept("bob", "boo", 4));
    assertThat(problems()).containsExactly("the history has what nobody sent: “boo”");
  }

  private List<String> problems() {
    return Books.problems(sent, Map.of("alice", alices, "bob", bobs), history);
  }
}
