package io.tern.edge.session;

import io.tern.edge.config.LimitsConfig;
import io.tern.edge.metrics.Counters;
import io.tern.router.Commands;
import io.tern.router.Directory;
import io.tern.router.EdgeId;
import io.tern.router.Readers;
import io.tern.router.Trace;
import io.tern.router.catchup.CatchUpConfig;
import java.util.function.LongSupplier;
import java.util.random.RandomGenerator;

/// What all sessions of one edge share. Immutable; each part says itself which threads may use it.
///
/// @param secrets where what nobody may guess comes from (invite links); any thread
/// @param nanoTime the monotonic clock that also gives the `now` of each call
/// @param wallMillis the wall clock, for what clients are told and for tokens; deadlines use the
///   monotonic time that comes with each call
/// @param trace where the way of each entry is noted
public record EdgeContext(
    EdgeId edge,
    LimitsConfig limits,
    Commands commands,
    Readers readers,
    Directory directory,
    Relay relay,
    Authenticator authenticator,
    Disconnector disconnector,
    KnownUsers knownUsers,
    Counters counters,
    StageWatch stages,
    CatchUpConfig catchUpConfig,
    PresenceDesk presence,
    Turns turns,
    EdgeBudgets budgets,
    Shedding shedding,
    Drain drain,
    RandomGenerator secrets,
    LongSupplier nanoTime,
    LongSupplier wallMillis,
    Trace trace) {}
