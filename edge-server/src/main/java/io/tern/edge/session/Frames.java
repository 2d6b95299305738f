package io.tern.edge.session;

import io.netty.buffer.ByteBuf;
import io.tern.edge.metrics.Count;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.FrameHeader;
import io.tern.protocol.FrameType;
import io.tern.protocol.v1.Bye;

/// Which frame of a client goes to which part of its session, and which frames may not come: before
/// HELLO any other, those of a server, those with flags their type does not have, unknown ones that
/// may not be ignored. Has no state; each call is on its session's event loop.
final class Frames {

  private Frames() {}

  /// Handles one frame; `in` stands at its body. False: not now, offer it again.
  static boolean take(SessionLogic session, FrameHeader header, ByteBuf in, long now) {
    FrameType type = FrameType.of(header.type());
    if (session.awaitsHello() && type != FrameType.HELLO) {
      session.close(CloseReason.UNEXPECTED, "frame before HELLO", now);
      return true;
    }
    if (type == null) {
      onUnknown(session, header, now);
      return true;
    }
    if (!type.isFromClient() || (type == FrameType.HELLO && !session.awaitsHello())) {
      session.close(CloseReason.UNEXPECTED, type + " from a client", now);
      return true;
    }
    if (!type.acceptsFlags(header.flags())) {
      session.close(CloseReason.MALFORMED, type + " with flags " + header.flags(), now);
      return true;
    }
    return switch (type) {
      case SEND -> session.inbound().onSend(header, in, now);
      case ACK -> session.inbound().onAck(header, now);
      case NACK -> session.inbound().onNack(header, in, now);
      case READ -> session.inbound().onRead(header, now);
      case PING -> session.attendance().onPing(header, in, now);
      case HISTORY -> session.requests().onHistory(header, in, now);
      case CHATS -> session.requests().onChats(header, in, now);
      case CHAT_INFO -> session.requests().onChatInfo(header, in, now);
      case CATCH_UP -> session.outbound().onCatchUp(header, in, now);
      case ENTRY_INFO -> session.requests().onEntryInfo(header, in, now);
      case DEVICES -> session.requests().onDevices(header, in, now);
      case SETTINGS -> session.requests().onSettings(header, in, now);
      case GROUP_CREATE -> session.changes().onGroupCreate(header, in, now);
      case GROUP_EDIT -> session.changes().onGroupEdit(header, in, now);
      case DEVICE_REMOVE -> session.changes().onDeviceRemove(header, in, now);
      case PRESENCE_SUB -> session.watching().onPresenceSub(header, in, now);
      case HELLO -> {
        session.beginHandshake().onHello(header, in, now);
        yield true;
      }
      case TYPING -> {
        session.watching().onTyping(header, in, now);
        yield true;
      }
      case CLIENT_STATE -> {
        session.attendance().onClientState(header, in, now);
        yield true;
      }
      case REAUTH -> {
        new Handshake(session).onReauth(header, in, now);
        yield true;
      }
      case BYE -> {
        onBye(session, header, in, now);
        yield true;
      }
      case PONG -> {
        // A sign of life, which any frame is.
        session.inbound().chargeCheap(now);
        yield true;
      }
      case PUSH_REGISTER -> {
        session.inbound().chargeCheap(now);
        session.refuse(header.rid(), ErrorCode.UNSUPPORTED, 0, "not in this version", "");
        yield true;
      }
      case HELLO_ACK,
          GOAWAY,
          ERROR,
          SENT,
          CATCH_UP_PAGE,
          HISTORY_PAGE,
          CHATS_PAGE,
          CHAT_INFO_PAGE,
          GROUP_CREATED,
          GROUP_EDITED,
          ENTRY_INFO_PAGE,
          PRESENCE_PAGE,
          SETTINGS_SET,
          PUSH_REGISTERED,
          DEVICES_PAGE,
          DEVICE_REMOVED,
          DELIVER,
          RECEIPT,
          TYPING_PUSH,
          PRESENCE,
          RESET,
          BEHIND ->
          throw new IllegalStateException(type + " is for clients");
    };
  }

  private static void onUnknown(SessionLogic session, FrameHeader header, long now) {
    if (FrameType.isIgnorable(header.type())) {
      session.edge().counters().add(Count.FRAMES_IGNORED);
      session.inbound().chargeCheap(now);
    } else if (FrameType.isRequest(header.type()) && header.has(FrameHeader.RID)) {
      session.inbound().chargeCheap(now);
      session.refuse(header.rid(), ErrorCode.UNSUPPORTED, 0, "unknown type", "");
    } else {
      session.close(CloseReason.UNEXPECTED, "unknown type " + header.type(), now);
    }
  }

  private static void onBye(SessionLogic session, FrameHeader header, ByteBuf in, long now) {
    Bye bye = Bodies.parse(session, FrameType.BYE, Bye.parser(), header, in, now);
    if (bye != null) {
      session.close(CloseReason.SAID_GOODBYE, bye.getLogout() ? "logout" : "", now);
    }
  }
}
