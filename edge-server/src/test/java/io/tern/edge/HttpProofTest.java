package io.tern.edge;

import static io.tern.edge.HttpWorld.body;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.tern.edge.HttpDoor.Answer;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ErrorCode;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A proof of work over HTTP: asked for in the refusal, shown in the next request.
class HttpProofTest {

  private static final String CODE = "/v1/registration/code";

  @TempDir Path folder;

  @Test
  void whereABudgetIsNearlyUsedTheRefusalSaysWhatToProve() throws IOException {
    try (var world =
        new HttpWorld(folder, "accounts.sms.per-address=4", "accounts.sms.proof.bits=8")) {
      for (int i = 0; i < 3; i++) {
        assertThat(ask(world, body("number", world.newNumber())).status()).isEqualTo(200);
      }
      String number = world.newNumber();
      Answer asked = ask(world, body("number", number));
      assertThat(asked.status()).isEqualTo(429);
      assertThat(asked.code()).isEqualTo(ErrorCode.RATE.number());
      assertThat(asked.field()).isEqualTo("proof");
      assertThat(asked.http().headers().firstValue("retry-after")).isPresent();
      JsonNode challenge = asked.body().at("/error/proof");
      assertThat(challenge.get("bits").intValue()).isEqualTo(8);
      assertThat(challenge.get("expires_ms").longValue()).isPositive();

      String proof = proof(challenge.get("challenge").textValue());
      Answer elsewhere = ask(world, body("number", world.newNumber(), "proof", proof));
      assertThat(elsewhere.status()).isEqualTo(429);
      assertThat(elsewhere.body().at("/error/proof/challenge")).isNotEqualTo(challenge);
      Answer sent = ask(world, body("number", number, "proof", proof));
      assertThat(sent.status()).as(sent.raw()).isEqualTo(200);
      assertThat(world.code(number)).hasSize(6);

      // Used up is used up, and there is nothing to prove.
      Answer end = ask(world, body("number", world.newNumber(), "proof", proof));
      assertThat(end.field()).isEqualTo("number");
      assertThat(end.body().at("/error/proof").isMissingNode()).isTrue();
      assertThat(count(world, Count.PROOFS_ASKED)).isEqualTo(1);
      assertThat(count(world, Count.PROOFS_WRONG)).isEqualTo(1);
      assertThat(count(world, Count.PROOFS_RIGHT)).isEqualTo(1);
      assertThat(count(world, Count.CODES_REFUSED_ADDRESS)).isEqualTo(1);
    }
  }

  private static Answer ask(HttpWorld world, ObjectNode body) {
    return world.ask("POST", CODE, null, body);
  }

  private static long count(HttpWorld world, Count count) {
    return world.server.counters().get(count);
  }

  private static String proof(String challenge) {
    try {
      MessageDigest sha = MessageDigest.getInstance("SHA-256");
      for (int nonce = 0; ; nonce++) {
        String proof = challenge + "." + nonce;
        byte[] hash = sha.digest(proof.getBytes(StandardCharsets.US_ASCII));
        if (new BigInteger(1, hash).bitLength() <= 256 - 8) {
          return proof;
        }
      }
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }
}
