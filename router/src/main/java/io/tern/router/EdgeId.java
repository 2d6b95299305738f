package io.tern.router;

/// One life of one edge process: `name` is the operator's, `incarnation` differs after each start,
/// so that what was meant for an earlier life is recognised. Dispatchers have one too: it is the
/// address of anyone who hears the outcome of commands.
public record EdgeId(String name, long incarnation) {
  @Override
  public String toString() {
    return name + "#" + Long.toString(incarnation, 36);
  }
}
