package io.tern.edge.metrics;

/// Hears how long requests over HTTP took. Any thread; never blocks.
@FunctionalInterface
public interface RequestWatch {

  /// A request has been answered.
  ///
  /// @param door `http` or `admin`
  /// @param operation its id in the OpenAPI document
  /// @param nanos from the request, complete, to its answer, made
  void answered(String door, String operation, long nanos);
}
