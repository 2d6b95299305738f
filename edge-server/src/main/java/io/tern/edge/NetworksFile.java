package io.tern.edge;

import io.tern.accounts.network.Networks;
import io.tern.edge.config.ConfigProblem;
import io.tern.edge.config.NetworksConfig;
import io.tern.edge.metrics.Count;
import io.tern.edge.metrics.Counters;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The networks that the configured file knows, and those it knows after it has changed. Any thread
/// may ask; a thread of its own, where there is a file, looks whether it is another one.
///
/// A file that will not do, or is gone, is left aside until it changes again, with one line in the
/// log; what was known before still counts. While a file is read there are both.
final class NetworksFile implements Supplier<Networks>, AutoCloseable {

  private static final String KEY = "accounts.networks.file";

  private static final Logger log = LoggerFactory.getLogger(NetworksFile.class);

  /// What tells a file from the one before: it is read again only when it is another one.
  private record Seen(FileTime changed, long bytes, @Nullable Object key) {}

  /// Reads a file of networks.
  interface Reader {
    Networks read(Path file) throws IOException, Networks.Unusable;
  }

  private final @Nullable ScheduledExecutorService watcher;
  private final Counters counters;
  private final Reader reader;

  private volatile Networks current;

  /// Of the file that was last looked at, good or not; null when it was not there. Confined to the
  /// watcher after the start.
  private @Nullable Seen seen;

  /// Reads the file, and starts to look at it; without a file nothing is known.
  ///
  /// @throws ConfigProblem when the file will not do
  static NetworksFile open(NetworksConfig config, Counters counters) {
    return new NetworksFile(config, counters, Networks::read);
  }

  NetworksFile(NetworksConfig config, Counters counters, Reader reader) {
    this.counters = counters;
    this.reader = reader;
    Path file = config.file();
    if (file == null) {
      current = Networks.NONE;
      watcher = null;
      return;
    }
    try {
      seen = seen(file);
      current = reader.read(file);
    } catch (Networks.Unusable e) {
      throw ConfigProblem.of(KEY, where(file, e), e.wanted());
    } catch (IOException e) {
      throw ConfigProblem.of(KEY, file, "a readable file");
    }
    log.info("{}: {} ranges", file, current.ranges());
    watcher =
        Executors.newSingleThreadScheduledExecutor(
            Thread.ofPlatform().daemon().name("tern-networks").factory());
    watcher.scheduleWithFixedDelay(
        () -> look(file),
        config.reload().toMillis(),
        config.reload().toMillis(),
        TimeUnit.MILLISECONDS);
  }

  @Override
  public Networks get() {
    return current;
  }

  /// On the watcher's thread.
  private void look(Path file) {
    try {
      Seen is = seen(file);
      if (!is.equals(seen)) {
        seen = is;
        current = reader.read(file);
        counters.add(Count.NETWORKS_RELOADS);
        log.info("{}: {} ranges from here on", file, current.ranges());
      }
    } catch (Networks.Unusable e) {
      counters.add(Count.NETWORKS_RELOADS_REFUSED);
      log.warn("the changed file is left aside: {} must be {}", where(file, e), e.wanted());
    } catch (IOException e) {
      if (seen != null) {
        seen = null;
        counters.add(Count.NETWORKS_RELOADS_REFUSED);
        log.warn("{} cannot be read: what it said before still counts", file);
      }
    } catch (RuntimeException | Error e) {
      // Also one that is no exception, such as of memory: thrown on, it would end the watcher, and
      // nobody would hear of it.
      counters.add(Count.NETWORKS_RELOADS_REFUSED);
      log.error("the changed {} is left aside: it could not be read", file, e);
    }
  }

  private static Seen seen(Path file) throws IOException {
    BasicFileAttributes is = Files.readAttributes(file, BasicFileAttributes.class);
    return new Seen(is.lastModifiedTime(), is.size(), is.fileKey());
  }

  private static String where(Path file, Networks.Unusable e) {
    return e.line() == 0 ? file.toString() : file + ", line " + e.line();
  }

  @Override
  public void close() {
    if (watcher != null) {
      watcher.shutdownNow();
    }
  }
}
