package io.tern.router;

import io.tern.protocol.UserId;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/// A directory that does not answer now and then; sessions still come and go in it.
final class FailingDirectory extends ForwardingDirectory {

  private final BooleanSupplier isAway;

  FailingDirectory(Directory over, BooleanSupplier isAway) {
    super(over);
    this.isAway = isAway;
  }

  @Override
  public List<Routes> lookup(List<UserId> users) {
    mayFail();
    return super.lookup(users);
  }

  @Override
  public Map<UserId, Routes> addNews(Collection<News> news) {
    mayFail();
    return super.addNews(news);
  }

  private void mayFail() {
    if (isAway.getAsBoolean()) {
      throw new IllegalStateException("the directory is away");
    }
  }
}
