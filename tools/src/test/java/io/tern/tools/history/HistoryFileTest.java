package io.tern.tools.history;

import static io.tern.tools.history.Story.BOB;
import static io.tern.tools.history.Story.CHAT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.tern.protocol.ErrorCode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HistoryFileTest {

  @TempDir Path folder;

  @Test
  void aHistoryReadBackSaysTheSame() throws IOException {
    var story = new Story();
    story.alice.up(1);
    story.tell(story.alice);
    story.bob.explicitAcks();
    story.bob.acking(CHAT, 1);
    story.bob.reading(CHAT, 1);
    story.alice.receipt(CHAT, BOB, 1, 1);
    story.alice.receipt(CHAT, BOB, 1, 0);
    story.refuse(story.bob, ErrorCode.RATE);
    story.say(story.bob);
    story.bob.reset(CHAT, 2);
    story.alice.summary(CHAT, BOB, 2, 2, 1);

    assertReadBackSaysTheSame(story.history, story.end(), folder);
  }

  /// Of a history in which something is wrong, so that there is something to say.
  static void assertReadBackSaysTheSame(History history, Report report, Path folder)
      throws IOException {
    var file = folder.resolve("history.jsonl");

    HistoryFile.write(history, file);
    var again = HistoryFile.read(file);

    assertThat(report.isClean()).isFalse();
    assertThat(HistoryChecker.check(again)).isEqualTo(report);
    var second = folder.resolve("again.jsonl");
    HistoryFile.write(again, second);
    assertThat(second).hasSameTextualContentAs(file);
  }

  @Test
  void aWrongLineIsNamed() throws IOException {
    var file = folder.resolve("history.jsonl");
    Files.writeString(
        file,
        """
        {"t":1,"device":"7.1","e":"online"}
        {"t":2,"device":"7.1","e":"reading","chat":"7-9"}
        """);

    assertThatThrownBy(() -> HistoryFile.read(file))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("line 2: seq is missing");
  }
}
