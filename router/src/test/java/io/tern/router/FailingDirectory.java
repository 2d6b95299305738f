package io.tern.router;

import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// A directory that does not answer now and then; sessions still come and go in it.
final class FailingDirectory implements Directory {

  private final Directory over;
  private final BooleanSupplier isAway;

  FailingDirectory(Directory over, BooleanSupplier isAway) {
    this.over = over;
    this.isAway = isAway;
  }

  @Override
  public CompletableFuture<Attached> attach(
      DeviceId device, EdgeId edge, long session, boolean active) {
    return over.attach(device, edge, session, active);
  }

  @Override
  public void setActive(Attachment attachment, boolean active) {
    over.setActive(attachment, active);
  }

  @Override
  public void detach(Attachment attachment, @Nullable Set<io.tern.protocol.ChatId> due) {
    over.detach(attachment, due);
  }

  @Override
  public List<Routes> lookup(List<UserId> users) {
    mayFail();
    return over.lookup(users);
  }

  @Override
  public Map<UserId, Routes> addNews(Collection<News> news) {
    mayFail();
    return over.addNews(news);
  }

  private void mayFail() {
    if (isAway.getAsBoolean()) {
      throw new IllegalStateException("the directory is away");
    }
  }
}
