package io.tern.bench.scenario;

import com.fasterxml.jackson.databind.JsonNode;
import io.tern.bench.measure.Folders;
import io.tern.bench.measure.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// 15,000 devices that come back over TLS at once, each to what it missed, beside people who go on
/// writing: what a restart of a full server is to its clients. The goal is for two cores: the
/// server has both, and shares one with the generators.
final class Reconnect {

  private static final int DEVICES = 15_000;

  /// As many messages as 15,000 people write who write one in 75 seconds. A thousand a second would
  /// take half of the two cores, with those who write them.
  private static final CatchUps.People PEOPLE = new CatchUps.People(50, 200);

  private final Bench bench;

  Reconnect(Bench bench) {
    this.bench = bench.with("net.tls.listen=127.0.0.1:0").onAllCores();
  }

  /// @param seconds until the last of them had everything
  /// @param felt by those who write meanwhile
  record Result(int devices, double seconds, Felt felt, double faults) {}

  Result run() throws IOException, InterruptedException {
    var back = new ArrayList<JsonNode>();
    var alone = new ArrayList<Double>();
    var beside = new ArrayList<Double>();
    Path data = bench.newData();
    try (Child server =
        Subject.TERN.server(bench, bench.serverOptions(), data, bench.log("reconnect"))) {
      Child.Addresses addresses = server.ready();
      List<String> connect = addresses.connect(true);
      var crowd = new CatchUps(bench);
      for (int round = 1; round <= bench.rounds(); round++) {
        String name = "reconnect-" + round;
        try (Child devices =
            crowd.returning(server, connect, name, DEVICES, 1, CatchUps.CROWD_ENTRIES)) {
          alone.add(crowd.p99(connect, name + "-alone", PEOPLE, null));
          beside.add(crowd.p99(connect, name + "-beside", PEOPLE, devices));
          back.add(Json.read(bench.out().resolve(name + ".json")));
        }
      }
    } finally {
      Folders.delete(data);
    }
    return new Result(
        DEVICES, Medians.of(back, "seconds"), new Felt(alone, beside), CatchUps.faults(back));
  }
}
