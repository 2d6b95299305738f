package io.tern.client;

import io.tern.protocol.ChatId;
import io.tern.protocol.UserId;
import io.tern.protocol.v1.Content;
import io.tern.protocol.v1.Setting;

/// Passes everything on to another listener: a base for one that wants to see a part of it first.
public abstract class ForwardingListener implements ClientListener {

  private final ClientListener to;

  protected ForwardingListener(ClientListener to) {
    this.to = to;
  }

  @Override
  public void onMessage(Message message) {
    to.onMessage(message);
  }

  @Override
  public void onSetting(Setting setting) {
    to.onSetting(setting);
  }

  @Override
  public void onSent(TernClient.Receipted sent) {
    to.onSent(sent);
  }

  @Override
  public void onSendRefused(ChatId chat, long csn, Content content, TernException refusal) {
    to.onSendRefused(chat, csn, content, refusal);
  }

  @Override
  public void onReceipt(ChatId chat, UserId member, long delivered, long read) {
    to.onReceipt(chat, member, delivered, read);
  }

  @Override
  public void onGroupReceipt(ChatId group, long allDelivered, long allRead) {
    to.onGroupReceipt(group, allDelivered, allRead);
  }

  @Override
  public void onReceiptCount(ReceiptCount count) {
    to.onReceiptCount(count);
  }

  @Override
  public void onCaughtUp() {
    to.onCaughtUp();
  }

  @Override
  public void onReset(ChatId chat, long seq) {
    to.onReset(chat, seq);
  }

  @Override
  public void onTyping(ChatId chat, UserId member, Typing typing) {
    to.onTyping(chat, member, typing);
  }

  @Override
  public void onPresence(Presence presence) {
    to.onPresence(presence);
  }

  @Override
  public void onConnection(ConnectionState state) {
    to.onConnection(state);
  }
}
