package io.tern.edge;

import io.tern.edge.config.ServerConfig;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/// A server for one test, on any free ports of loopback.
final class TestServer implements AutoCloseable {

  final TernServer server;

  private TestServer(TernServer server) {
    this.server = server;
  }

  static TestServer start(Path data, String... settings) {
    try {
      return new TestServer(TernServer.start(config(data, settings)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static ServerConfig config(Path data, String... settings) {
    var set = new HashMap<String, String>();
    set.put("data", '"' + data.toString() + '"');
    set.put("net.listen", "127.0.0.1:0");
    set.put("admin.listen", "127.0.0.1:0");
    set.put("http.listen", "off");
    set.put("store.shards", "2");
    set.put("store.block-cache", "8 MiB");
    set.put("store.write-buffer", "8 MiB");
    set.put("store.disk-reserve", "0");
    set.put("shutdown.spread-min", "100 ms");
    set.put("shutdown.spread-max", "200 ms");
    for (String setting : settings) {
      int equals = setting.indexOf('=');
      set.put(setting.substring(0, equals), setting.substring(equals + 1));
    }
    return ServerConfig.load(null, Map.copyOf(set));
  }

  InetSocketAddress address() {
    return server.listen();
  }

  RawClient connect() {
    return RawClient.connect(address());
  }

  RawClient login(String user) {
    return login(user, 1);
  }

  RawClient login(String user, int device) {
    return RawClient.login(address(), user, device);
  }

  @Override
  public void close() {
    server.close();
  }
}
