package io.tern.tools;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.lang.reflect.WildcardType;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/// A record prints all it has. One that has something of a user's — a text, bytes of a message, a
/// protobuf — therefore says itself how it prints, or every such component of it is named here as
/// harmless. Arrays print as nothing.
class DiscreetRecordsTest {

  private static final JavaClasses SERVER =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages(
              "io.tern.protocol",
              "io.tern.store",
              "io.tern.router",
              "io.tern.accounts",
              "io.tern.edge");

  /// What is no secret and nothing that a user wrote, by where it comes from.
  private static final Set<String> HARMLESS =
      Set.of(
          // The operator's configuration; its secrets are of type Secret.
          "accounts.AccountsConfig.regions",
          "edge.config.AuthConfig.keys",
          "edge.config.ServerConfig.name",
          "edge.config.SmsConfig$Smpp.host",
          "edge.config.SmsConfig$Smpp.source",
          "edge.config.SmsConfig$Smpp.systemId",
          "edge.config.SmsConfig$Smpp.systemType",
          "edge.config.WebSocketConfig.origins",
          "edge.config.WebSocketConfig.path",
          // Words of the source: names of fields, why something is refused.
          "accounts.Answer$Refused.field",
          "accounts.sms.SmsSender$SmsOutcome$Refused.reason",
          "accounts.sms.SmsSender$SmsOutcome$RetryLater.reason",
          "edge.http.Reply$Refusal.field",
          "edge.netty.WebSocketUpgrade$Verdict.field",
          "edge.session.Authenticator$Refused.detail",
          "edge.session.Pages$Reply.detail",
          "store.Outcome$Refused.detail",
          // The document of the HTTP operations.
          "edge.http.Endpoint.id",
          "edge.http.Endpoint.path",
          "edge.http.Endpoint.says",
          "edge.http.Shape$Field.name",
          "edge.http.Shape$Field.says",
          "edge.http.Shape$Text.example",
          "edge.http.Shape$Word.words",
          // Random ids, worth nothing without the key, code or link that goes with them.
          "accounts.Linking$Opened.link",
          "accounts.Registration$CodeSent.request",
          // The state of the server.
          "edge.admin.HealthCheck$Report.body",
          "edge.admin.Operations$Served.address",
          "edge.admin.Operations$Served.door",
          "edge.admin.Stats.budgetKeys",
          "edge.admin.Stats.connectionsByDoor",
          "edge.admin.Stats.java",
          "edge.admin.Stats.name",
          "edge.admin.Stats.version",
          "edge.NetworksFile$Seen.key",
          "edge.logging.LogLevels$Setting.level",
          "edge.logging.LogLevels$Setting.logger",
          "edge.logging.LogLevels$Was.before");

  @Test
  void noRecordPrintsWhatAUserWroteByAccident() throws ClassNotFoundException {
    var talkative = new TreeSet<String>();
    for (JavaClass found : SERVER) {
      if (!found.isRecord()) {
        continue;
      }
      Class<?> type = Class.forName(found.getName(), false, getClass().getClassLoader());
      if (saysItself(type)) {
        continue;
      }
      for (RecordComponent component : type.getRecordComponents()) {
        if (mayHoldText(component.getGenericType())) {
          talkative.add(type.getName().substring("io.tern.".length()) + "." + component.getName());
        }
      }
    }
    assertThat(talkative).isEqualTo(new TreeSet<>(HARMLESS));
  }

  private static boolean saysItself(Class<?> type) {
    try {
      // The one that the compiler makes is final.
      return !java.lang.reflect.Modifier.isFinal(type.getMethod("toString").getModifiers());
    } catch (NoSuchMethodException e) {
      throw new AssertionError(e);
    }
  }

  private static boolean mayHoldText(Type type) {
    return switch (type) {
      case Class<?> c ->
          CharSequence.class.isAssignableFrom(c)
              || MessageLite.class.isAssignableFrom(c)
              || ByteString.class.isAssignableFrom(c)
              || c.getName().startsWith("com.fasterxml.jackson")
              || c == Object.class;
      case ParameterizedType generic -> {
        for (Type argument : generic.getActualTypeArguments()) {
          if (mayHoldText(argument)) {
            yield true;
          }
        }
        yield mayHoldText(generic.getRawType());
      }
      case WildcardType wildcard -> mayHoldText(wildcard.getUpperBounds()[0]);
      default -> false;
    };
  }
}
