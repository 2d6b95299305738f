package io.tern.router;

import io.tern.protocol.ChatId;
import io.tern.protocol.DeviceId;
import io.tern.protocol.UserId;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// A directory that passes everything on to another, to be changed in parts.
class ForwardingDirectory implements Directory {

  private final Directory over;

  ForwardingDirectory(Directory over) {
    this.over = over;
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
  public void detach(Attachment attachment, @Nullable Set<ChatId> due) {
    over.detach(attachment, due);
  }

  @Override
  public List<Routes> lookup(List<UserId> users) {
    return over.lookup(users);
  }

  @Override
  public Map<UserId, Routes> addNews(Collection<News> news) {
    return over.addNews(news);
  }
}
