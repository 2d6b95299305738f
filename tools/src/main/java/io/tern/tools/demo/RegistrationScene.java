package io.tern.tools.demo;

import io.tern.client.TernException;
import io.tern.client.account.AccountApi;
import io.tern.client.account.Credentials;
import io.tern.tools.ExitCode;
import io.tern.tools.Failure;
import io.tern.tools.HostPort;
import io.tern.tools.ServerProcess;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.regex.Pattern;

/// Somebody comes in as a user of an app does: proves a phone number over HTTP with the code that
/// is sent to it, and logs in with the token that her device gets. The texts of a development
/// server are on its console, where the code is read.
///
/// For the story's thread.
final class RegistrationScene {

  /// Of a range that is kept free for films and books: nobody has it.
  static final String NUMBER = "+12025550123";

  private static final Pattern CODE = Pattern.compile(": (\\d{6}) ");
  private static final Duration PATIENCE = Duration.ofSeconds(30);

  private final Story story;
  private final ServerProcess server;

  RegistrationScene(Story story, ServerProcess server) {
    this.story = story;
    this.server = server;
  }

  /// Plays it.
  ///
  /// @param name of who comes in
  /// @param folder for the state of their device
  /// @return who came in, and has gone for now
  Person play(String name, Path folder) {
    var credentials = register(name);
    var person = Person.registered(name, credentials, folder);
    person.arrive(server.ready().plain());
    story.say("logs in over the wire with that token, and goes");
    person.leave();
    return person;
  }

  private Credentials register(String name) {
    HostPort accounts = server.ready().http();
    var api = new AccountApi(URI.create("http://" + accounts), null);
    try {
      story.say("asks http://" + accounts + " for a code for " + NUMBER);
      String request = api.requestCode(NUMBER);
      String text = server.awaitLine("SMS to " + NUMBER, PATIENCE);
      story.say("the server's console: " + text);
      String ticket = api.verify(NUMBER, request, code(text)).ticket();
      var mine = api.register(NUMBER, ticket, "tern demo", name, null);
      story.say(
          "the code is right: she is @%s, device %d, with a secret and a token for %d min"
              .formatted(mine.user(), mine.device(), minutesLeft(mine)));
      return mine;
    } catch (TernException e) {
      throw new Failure(ExitCode.FAILED, name + " cannot register: " + e.getMessage(), e);
    } catch (IOException e) {
      throw new Failure(ExitCode.FAILED, "no answer at " + accounts + ": " + e.getMessage(), e);
    }
  }

  private static String code(String text) {
    var found = CODE.matcher(text);
    if (!found.find()) {
      throw new Failure(ExitCode.FAILED, "there is no code in the text: " + text);
    }
    return found.group(1);
  }

  private static long minutesLeft(Credentials credentials) {
    long left = credentials.tokenExpiresMillis() - System.currentTimeMillis();
    return Math.round(left / (double) Duration.ofMinutes(1).toMillis());
  }
}
