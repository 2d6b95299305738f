// Frames as SPEC.md, section 3, has them, with the numbers of registry.json. Nothing of Tern's own code is used.
import { readFileSync } from "node:fs";

export function readRegistry(file) {
  const registry = JSON.parse(readFileSync(file, "utf8"));
  const byName = (list, key) => Object.fromEntries(list.map((e) => [e.name, parseInt(e[key], 16)]));
  return {
    type: byName(registry.types, "code"),
    body: Object.fromEntries(registry.types.map((t) => [parseInt(t.code, 16), t.body])),
    name: Object.fromEntries(registry.types.map((t) => [parseInt(t.code, 16), t.name])),
    flag: byName(registry.flags, "bit"),
    error: Object.fromEntries(registry.errors.map((e) => [e.name, e.code])),
  };
}

function varint(value) {
  const bytes = [];
  let rest = BigInt(value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 0x80 : low);
  } while (rest > 0n);
  return bytes;
}

export function encode(registry, frame) {
  const f = registry.flag;
  const flags =
    (frame.rid !== undefined ? f.RID : 0) |
    (frame.chat !== undefined ? f.CHAT : 0) |
    (frame.seq !== undefined ? f.SEQ : 0) |
    (frame.group ? f.GROUP : 0);
  const rest = [
    registry.type[frame.type],
    flags,
    ...(frame.rid !== undefined ? varint(frame.rid) : []),
    ...(frame.chat !== undefined ? varint(frame.chat) : []),
    ...(frame.seq !== undefined ? varint(frame.seq) : []),
  ];
  const body = frame.body ?? new Uint8Array(0);
  return Buffer.concat([Buffer.from(varint(rest.length + body.length)), Buffer.from(rest), body]);
}

// All frames of one message; throws when it does not end with one.
export function decodeAll(registry, message) {
  const frames = [];
  let at = 0;
  const number = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (at >= message.length) throw new Error("a number is cut");
      const byte = message[at++];
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const length = Number(number());
    const end = at + length;
    if (end > message.length) throw new Error("a message ends within a frame");
    const code = message[at++];
    const flags = message[at++];
    const frame = { type: registry.name[code] ?? code, group: (flags & registry.flag.GROUP) !== 0 };
    frame.own = (flags & registry.flag.OWN) !== 0;
    if (flags & registry.flag.RID) frame.rid = Number(number());
    if (flags & registry.flag.CHAT) frame.chat = number();
    if (flags & registry.flag.SEQ) frame.seq = number();
    frame.body = message.subarray(at, end);
    at = end;
    frames.push(frame);
  }
  return frames;
}
