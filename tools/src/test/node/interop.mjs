// A conversation of two people over the WebSocket door, from a client that knows SPEC.md, tern.proto and
// registry.json and nothing else of Tern.
//
//   node interop.mjs SETTINGS.json
//
// SETTINGS: url, ca (PEM file), registry (file), generated (folder of protoc-gen-es), people: [{id, token}].
// Prints a line for each thing it has seen to be so; ends with 0 when all are.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import WebSocket from "ws";
import { decodeAll, encode, readRegistry } from "./frames.mjs";

const settings = JSON.parse(readFileSync(process.argv[2], "utf8"));
const registry = readRegistry(settings.registry);
const tern = await import(pathToFileURL(`${settings.generated}/tern/v1/tern_pb.js`));
const ca = readFileSync(settings.ca);
const text = (string) => new TextEncoder().encode(string);
const seen = (what) => console.log(`seen: ${what}`);

const PATIENCE_MS = 20_000;

class Client {
  constructor(person) {
    this.person = person;
    this.frames = [];
    this.waiting = [];
    this.rid = 0;
    this.resume = undefined;
    this.count = 0n;
  }

  async connect() {
    this.frames = [];
    this.socket = new WebSocket(settings.url, "tern.v1", { ca, perMessageDeflate: true });
    this.socket.binaryType = "nodebuffer";
    this.closed = new Promise((resolve) => this.socket.on("close", (code) => resolve(code)));
    this.socket.on("message", (data, isBinary) => {
      assert.ok(isBinary, "frames come in binary messages");
      for (const frame of decodeAll(registry, data)) this.take(frame);
    });
    await new Promise((resolve, reject) => {
      this.socket.on("open", resolve);
      this.socket.on("error", reject);
    });
    assert.equal(this.socket.protocol, "tern.v1");
    assert.equal(this.socket.extensions, "");
  }

  async login() {
    await this.connect();
    const hello = { verMin: 1, verMax: 1, device: 1, app: "interop", pingS: 30, count: this.count };
    if (this.resume) {
      hello.resume = this.resume;
      hello.count = ++this.count;
    } else {
      hello.token = Buffer.from(this.person.token, "base64");
    }
    this.write({ type: "HELLO", message: hello });
    const ack = await this.next((f) => f.type === "HELLO_ACK" || f.type === "ERROR");
    assert.equal(ack.type, "HELLO_ACK");
    this.ack = ack.message;
    this.resume = ack.message.resume;
    return ack.message;
  }

  take(frame) {
    const name = registry.body[registry.type[frame.type]];
    const schema = tern[`${name}Schema`];
    frame.message = schema ? fromBinary(schema, frame.body) : frame.body;
    this.frames.push(frame);
    this.waiting = this.waiting.filter((waits) => !waits());
  }

  // The first frame that fits, which is taken out; those before it stay.
  next(fits) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`waited in vain; there is ${this.frames.map((f) => f.type)}`)),
        PATIENCE_MS,
      );
      const look = () => {
        const at = this.frames.findIndex(fits);
        if (at < 0) return false;
        clearTimeout(timer);
        resolve(this.frames.splice(at, 1)[0]);
        return true;
      };
      if (!look()) this.waiting.push(look);
    });
  }

  write(...frames) {
    const all = frames.map((frame) => {
      const schema = tern[`${registry.body[registry.type[frame.type]]}Schema`];
      const body = frame.message ? toBinary(schema, create(schema, frame.message)) : frame.raw;
      return encode(registry, { ...frame, body });
    });
    this.socket.send(Buffer.concat(all), { binary: true });
  }

  async ask(frame) {
    const rid = ++this.rid;
    this.write({ ...frame, rid });
    return this.next((f) => f.rid === rid);
  }

  send(chat, csn, string, group = false) {
    const content = { kind: tern.Kind.TEXT, body: text(string) };
    return this.ask({ type: "SEND", chat, group, message: { csn: BigInt(csn), content } });
  }

  async delivered(chat, seq) {
    const frame = await this.next((f) => f.type === "DELIVER" && f.chat === chat && f.seq === seq);
    this.write({ type: "ACK", chat, seq, group: frame.group });
    return frame;
  }
}

const [alice, bob] = settings.people.map((p) => new Client({ ...p, id: BigInt(p.id) }));

const stranger = new Client({ id: 1n, token: Buffer.from("nonsense").toString("base64") });
await stranger.connect();
stranger.write({
  type: "HELLO",
  message: { verMin: 1, verMax: 1, device: 1, token: Buffer.from("nonsense") },
});
const refusal = await stranger.next((f) => f.type === "ERROR");
assert.equal(refusal.message.code, registry.error.TOKEN_INVALID);
assert.equal(await stranger.closed, 4000 + registry.error.TOKEN_INVALID);
seen("a false token is refused, and the close code says so");

const hello = await alice.login();
await bob.login();
assert.equal(hello.user, alice.person.id);
assert.equal(hello.ver, 1);
seen("HELLO is answered");

const sent = await alice.send(bob.person.id, 1, "hello from a browser");
assert.equal(sent.type, "SENT");
assert.equal(sent.seq, 1n);
const got = await bob.delivered(alice.person.id, 1n);
assert.equal(Buffer.from(got.message.content.body).toString(), "hello from a browser");
await alice.next((f) => f.type === "RECEIPT" && f.chat === bob.person.id);
seen("a message is sent, delivered, acknowledged and told to be delivered");

bob.write({ type: "READ", chat: alice.person.id, seq: 1n });
const own = (await alice.send(bob.person.id, 1, "hello from a browser")).message;
assert.equal(own.repeat, true);
seen("the same csn has the same answer");

const made = await alice.ask({
  type: "GROUP_CREATE",
  message: { title: "gulls", members: [bob.person.id], opId: randomBytes(16) },
});
assert.equal(made.type, "GROUP_CREATED");
const group = made.chat;
const spoken = await alice.send(group, 1, "to all", true);
assert.equal(spoken.type, "SENT");
const heard = await bob.next(
  (f) => f.type === "DELIVER" && f.group && f.chat === group && f.seq === spoken.seq,
);
bob.write({ type: "ACK", chat: group, seq: heard.seq, group: true });
assert.equal(heard.message.sender, alice.person.id);
seen("a group is made and talks");

const nobody = await alice.send(123456789n, 1, "anyone?");
assert.equal(nobody.type, "ERROR");
assert.equal(nobody.message.code, registry.error.NOT_FOUND);
seen("a refused request leaves the session up");

bob.write({ type: "PING", raw: Buffer.from("knock") });
const pong = await bob.next((f) => f.type === "PONG");
assert.equal(Buffer.from(pong.body).toString(), "knock");
seen("PING is answered behind everything before it");

bob.socket.terminate();
await bob.closed;
for (let csn = 2; csn <= 4; csn++) await alice.send(bob.person.id, csn, `while away ${csn}`);
const back = await bob.login();
assert.equal(back.resumed, true);
assert.ok(back.epoch > 0n);
for (let seq = 2n; seq <= 4n; seq++) {
  const entry = await bob.delivered(alice.person.id, seq);
  assert.equal(Buffer.from(entry.message.content.body).toString(), `while away ${seq}`);
}
assert.equal(bob.frames.filter((f) => f.type === "DELIVER" && f.seq === 1n).length, 0);
seen("a client that comes back with its ticket gets what it missed, and only that");

const page = await bob.ask({
  type: "HISTORY",
  chat: alice.person.id,
  message: { before: 5n, limit: 10 },
});
assert.equal(page.type, "HISTORY_PAGE");
assert.deepEqual(page.message.entries.map((e) => e.seq), [1n, 2n, 3n, 4n]);
seen("history is read");

bob.write({ type: "BYE" });
assert.equal(await bob.closed, 1000);
seen("BYE ends with 1000");

alice.socket.send("text");
assert.equal(await alice.closed, 1003);
seen("a text message ends with 1003");
console.log("done");
