package io.tern.accounts;

import io.tern.accounts.Answer.Done;
import io.tern.accounts.Answer.Refusal;
import io.tern.accounts.Cells.Step;
import io.tern.accounts.v1.Account;
import io.tern.accounts.v1.AccountDevice;
import io.tern.protocol.DeviceId;
import io.tern.protocol.ErrorCode;
import io.tern.protocol.UserId;
import java.util.List;

/// The devices of an account; at most [io.tern.protocol.Limits#DEVICES_PER_USER_MAX]. Any thread;
/// blocks.
public final class Devices {

  /// A device, for its owner to see.
  ///
  /// @param lastUsedMillis when it last fetched a token
  /// @param current whether it is the one that asks
  public record DeviceItem(
      int index, String name, long createdMillis, long lastUsedMillis, boolean current) {
    @Override
    public String toString() {
      return "DeviceItem[" + index + "]";
    }
  }

  private final Context context;

  Devices(Context context) {
    this.context = context;
  }

  public Answer<List<DeviceItem>> list(DeviceId by) {
    return Answer.of(() ->
        context.require(by).getDevicesList().stream()
            .map(device ->
                new DeviceItem(
                    device.getIndex(),
                    device.getName(),
                    device.getCreatedMs(),
                    device.getUsedMs(),
                    device.getIndex() == by.index()))
            .toList());
  }

  public Answer<Done> rename(DeviceId by, int index, String name) {
    return Answer.done(() -> {
      String text = Context.text(name, "name", Context.DEVICE_NAME_BYTES_MAX, false);
      context.change(
          by,
          account -> {
            var after = account.toBuilder();
            after.setDevices(
                position(account, index),
                after.getDevices(position(account, index)).toBuilder().setName(text));
            return Step.put(after.build(), true);
          });
    });
  }

  /// Puts a device out, the asking one too: its sessions end, its secret is void.
  public Answer<Done> revoke(DeviceId by, int index) {
    return Answer.done(() -> {
      context.begin(by.user());
      context.change(
          by,
          account ->
              Step.put(
                  account.toBuilder()
                      .removeDevices(position(account, index))
                      .addDoomed(index)
                      .build(),
                  true));
      context.revokeDoomed(by.user());
      context.finished(by.user());
    });
  }

  private static int position(Account account, int index) {
    List<AccountDevice> devices = account.getDevicesList();
    for (int i = 0; i < devices.size(); i++) {
      if (devices.get(i).getIndex() == index) {
        return i;
      }
    }
    throw new Refusal(ErrorCode.NOT_FOUND, "device");
  }

  /// Puts a device out that its user did not ask to be: somebody else has its secret, or an
  /// operator wants it. False when the account, if there is one, has no such device.
  boolean putOut(UserId user, int index) {
    context.begin(user);
    Boolean found =
        context.change(
            user,
            account -> {
              int at = -1;
              for (int i = 0; i < account.getDevicesCount(); i++) {
                at = account.getDevices(i).getIndex() == index ? i : at;
              }
              return at < 0
                  ? Step.keep(false)
                  : Step.put(account.toBuilder().removeDevices(at).addDoomed(index).build(), true);
            });
    context.revokeDoomed(user);
    context.finished(user);
    return Boolean.TRUE.equals(found);
  }
}
