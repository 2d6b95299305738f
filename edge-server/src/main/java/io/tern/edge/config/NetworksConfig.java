package io.tern.edge.config;

import java.nio.file.Path;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// `accounts.networks.*`: which autonomous system addresses belong to.
///
/// @param file ranges and their systems; null = nothing is known
/// @param reload how often the file is looked at
public record NetworksConfig(@Nullable Path file, Duration reload) {}
