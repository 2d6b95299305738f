package io.tern.accounts.sms.smpp;

import java.io.IOException;
import java.lang.reflect.Proxy;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jsmpp.bean.OptionalParameter;
import org.jsmpp.bean.SubmitSm;
import org.jsmpp.extra.ProcessRequestException;
import org.jsmpp.session.BindRequest;
import org.jsmpp.session.SMPPServerSession;
import org.jsmpp.session.SMPPServerSessionListener;
import org.jsmpp.session.ServerMessageReceiverListener;
import org.jsmpp.session.SubmitSmResult;
import org.jsmpp.session.connection.ServerConnection;
import org.jsmpp.session.connection.ServerConnectionFactory;
import org.jsmpp.session.connection.socket.ServerSocketConnection;
import org.jsmpp.util.MessageId;

/// The SMSC that comes with the library: `tern` with the password `pass` may bind. Ends with its
/// test.
final class Smsc implements AutoCloseable {

  private static final int BIND_FAILED = 0x0D;

  final List<String> texts = new CopyOnWriteArrayList<>();
  final List<SMPPServerSession> sessions = new CopyOnWriteArrayList<>();

  /// What texts are refused with; 0 = they are taken.
  volatile int status;

  final int port;
  private final SMPPServerSessionListener listener;
  private volatile boolean open = true;

  /// @param socket on loopback: left to itself the library listens everywhere
  Smsc(ServerSocket socket) throws IOException {
    port = socket.getLocalPort();
    listener =
        new SMPPServerSessionListener(
            port,
            new ServerConnectionFactory() {
              @Override
              public ServerConnection listen(int p) {
                return new ServerSocketConnection(socket);
              }

              @Override
              public ServerConnection listen(int p, int timeout) {
                return listen(p);
              }

              @Override
              public ServerConnection listen(int p, int timeout, int backlog) {
                return listen(p);
              }
            });
    listener.setMessageReceiverListener(
        (ServerMessageReceiverListener)
            Proxy.newProxyInstance(
                getClass().getClassLoader(),
                new Class<?>[] {ServerMessageReceiverListener.class},
                (proxy, method, arguments) ->
                    method.getName().equals("onAcceptSubmitSm")
                        ? onText((SubmitSm) arguments[0])
                        : null));
    Thread.ofVirtual()
        .start(() -> {
          while (open) {
            accept();
          }
        });
  }

  private SubmitSmResult onText(SubmitSm text) throws Exception {
    if (status != 0) {
      throw new ProcessRequestException("refused", status);
    }
    texts.add(
        text.getSourceAddr()
            + " > "
            + text.getDestAddress()
            + ": "
            + new String(text.getShortMessage(), StandardCharsets.US_ASCII));
    return new SubmitSmResult(new MessageId("m" + texts.size()), new OptionalParameter[0]);
  }

  private void accept() {
    try {
      SMPPServerSession session = listener.accept();
      BindRequest bind = session.waitForBind(5_000);
      if (bind.getSystemId().equals("tern") && bind.getPassword().equals("pass")) {
        bind.accept("smsc");
        sessions.add(session);
      } else {
        bind.reject(BIND_FAILED);
      }
    } catch (Exception e) {
      // The listener is closed, or a client has gone: the next one, if there is one.
      open &= !texts.isEmpty() || !sessions.isEmpty();
    }
  }

  @Override
  public void close() throws IOException {
    open = false;
    sessions.forEach(SMPPServerSession::unbindAndClose);
    listener.close();
  }
}
