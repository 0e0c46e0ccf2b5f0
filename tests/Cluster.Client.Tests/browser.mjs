// Plays the browser client against sockets and a clock of its own.
//   node browser.mjs <actor-cluster-client.js>
// Prints one line a case, "ok NAME" or "failed NAME: why", and exits 1 if any failed.

import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

let now = 0;
let timers = [];
Object.defineProperty(globalThis, 'performance', { value: { now: () => now } });
globalThis.setTimeout = (action, ms) => {
  timers.push({ at: now + ms, action });
  return timers.at(-1);
};
globalThis.clearTimeout = timer => { timers = timers.filter(t => t !== timer); };
console.error = () => {}; // What handlers throw is told there.

const { ClusterClient } = await import(pathToFileURL(resolve(process.argv[2])).href);

/** What a page hands out as WebSocket; the case is its server. */
class Socket {
  static opened = [];
  static refuses = () => false;

  constructor(url) {
    if (Socket.refuses(url)) throw new Error('An insecure connection may not be made from a page of https.');
    Object.assign(this, { url, sent: [], closed: false });
    Socket.opened.push(this);
  }

  send(text) { this.sent.push(JSON.parse(text)); }
  close() { this.closed = true; }
  tell(frame) { this.onmessage({ data: JSON.stringify(frame) }); }
  welcome(limits = {}) {
    this.onopen();
    this.tell({ op: 'welcome', v: 1, client: 'c1', token: 't', resumed: false, node: 'n', hosts: [], limits });
  }
  /** The newest command, answered. */
  answer(fields) { this.tell({ op: 'ok', id: this.sent.at(-1).id, ...fields }); }
}

const settled = () => new Promise(done => setImmediate(done));

/** Timers fire when they are due. */
function pass(ms) {
  for (const until = now + ms; ;) {
    const due = timers.filter(t => t.at <= until).sort((a, b) => a.at - b.at)[0];
    if (!due) {
      now = until;
      return;
    }
    now = Math.max(now, due.at);
    fire(due);
  }
}

/** Time passes, and the timers that were due fire only then, as on a hidden page. */
function passHidden(ms) {
  now += ms;
  for (const due of timers.filter(t => t.at <= now)) fire(due);
}

function fire(timer) {
  timers = timers.filter(t => t !== timer);
  timer.action();
}

async function connected(options = {}, limits) {
  const client = new ClusterClient({ hosts: ['http://a'], user: 'ada', WebSocket: Socket, ...options });
  const connecting = client.connect();
  pass(0);
  const socket = Socket.opened.at(-1);
  socket.welcome(limits);
  await connecting;
  return { client, socket };
}

const failsWith = (promise, code, says) => assert.rejects(promise, error => error.code === code && error.message.includes(says));

const cases = {
  async 'a text that is none fails its own call only'() {
    const { client, socket } = await connected();
    await failsWith(client.say('raku', 'half \ud83d'), 'BadCommand', 'surrogate');
    await failsWith(client.join('\udc00'), 'BadCommand', 'surrogate');
    await failsWith(client.presence(['ada', '\ud800x']), 'BadCommand', 'surrogate');
    const saying = client.say('raku', 'whole \ud83d\ude00 \\ud83d');
    assert.deepEqual(socket.sent.slice(1).map(f => [f.id, f.text]), [[1, 'whole \ud83d\ude00 \\ud83d']]);
    socket.answer({ seq: 5 });
    assert.deepEqual(await saying, { seq: 5 });
  },

  async 'a command that is too long fails its own call only'() {
    const { client, socket } = await connected({}, { frameBytes: 1000 });
    await failsWith(client.say('raku', 'x'.repeat(1000)), 'FrameTooLong', 'frames of 1000');
    await failsWith(client.say('raku', '\u20ac'.repeat(330)), 'FrameTooLong', 'frames of 1000');
    client.say('raku', 'x'.repeat(800));
    assert.equal(socket.sent.length, 2);
    assert.equal(socket.closed, false);
  },

  async 'no more commands wait than may'() {
    const { client, socket } = await connected({ waitingMax: 2 });
    socket.onclose({ reason: '' });
    const waiting = [client.say('raku', '1'), client.say('raku', '2')];
    await failsWith(client.say('raku', '3'), 'TooManyWaiting', '2 commands wait');
    pass(0);
    Socket.opened.at(-1).welcome();
    waiting.forEach(w => w.catch(() => {}));
    assert.deepEqual(Socket.opened.at(-1).sent.slice(1).map(f => f.text), ['1', '2']);
    client.say('raku', '4').catch(() => {});
    assert.equal(Socket.opened.at(-1).sent.at(-1).text, '4');
    client.close();
  },

  async 'a handler that throws ends the client, and everybody who waits is told'() {
    for (const break_ of [
      (client, socket) => {
        client.onConnection = () => { throw new Error('no such element'); };
        socket.onclose({ reason: '' });
      },
      (client, socket) => {
        client.onItems = () => { throw new Error('no such element'); };
        socket.tell({ op: 'items', room: 'raku', items: [{ seq: 2, kind: 'message', user: 'bob', text: 'hi', at: 1 }] });
      },
    ]) {
      const { client, socket } = await connected();
      const joining = client.join('raku');
      socket.answer({ seq: 1, members: 1 });
      await joining;
      const saying = client.say('raku', 'hi');
      break_(client, socket);
      await failsWith(saying, 'HandlerFailed', 'no such element');
      await failsWith(client.say('raku', 'again'), 'HandlerFailed', 'no such element');
      assert.equal(socket.closed, true);
    }
  },

  async 'a command whose fate is unknown is rejected although the handler before it threw'() {
    const { client, socket } = await connected();
    const saying = client.say('raku', 'hi');
    socket.onclose({ reason: '' });
    pass(0);
    client.onConnection = () => { throw new Error('no such element'); };
    Socket.opened.at(-1).welcome();
    await assert.rejects(saying);
  },

  async 'a host that the page may not connect to is a failed attempt'() {
    Socket.refuses = url => url.startsWith('ws://a/');
    try {
      const client = new ClusterClient({ hosts: ['http://a', 'http://b'], WebSocket: Socket });
      const changes = [];
      client.onConnection = change => changes.push([change.state, change.host]);
      const connecting = client.connect();
      pass(0);
      Socket.opened.at(-1).welcome();
      await connecting;
      assert.equal(Socket.opened.at(-1).url, 'ws://b/ws');
      assert.deepEqual(changes, [['attemptFailed', 'http://a'], ['connected', undefined]]);
    } finally {
      Socket.refuses = () => false;
    }
  },

  async 'where no host may be connected to, connecting fails'() {
    Socket.refuses = () => true;
    try {
      const client = new ClusterClient({ hosts: ['http://a', 'http://b'], WebSocket: Socket });
      const connecting = client.connect();
      pass(60000);
      await failsWith(connecting, 'Unreachable', 'insecure');
    } finally {
      Socket.refuses = () => false;
    }
  },

  async 'a hidden page whose timers come late keeps a connection that answers'() {
    const { socket } = await connected();
    for (let minute = 1; minute <= 5; minute++) {
      passHidden(60000);
      assert.equal(socket.sent.at(-1).cmd, 'presence');
      socket.answer({ online: [] });
    }
    passHidden(8 * 3600 * 1000);
    socket.answer({ online: [] });
    await settled();
    assert.equal(socket.closed, false);
  },

  async 'a silent server is asked twice and given up after 45 seconds'() {
    const { socket } = await connected();
    pass(44999);
    assert.deepEqual([socket.sent.filter(f => f.cmd === 'presence').length, socket.closed], [2, false]);
    pass(1);
    assert.equal(socket.closed, true);
  },
};

let [failed, playing] = [0, ''];
process.on('exit', code => { if (code === 13) console.log(`failed ${playing}: something that it waits for never happens`); });
for (const [name, play] of Object.entries(cases)) {
  [timers, playing] = [[], name];
  try {
    await play();
    console.log(`ok ${name}`);
  } catch (error) {
    failed++;
    console.log(`failed ${name}: ${error.message.replaceAll('\n', ' ')}`);
  }
}
process.exit(failed > 0 ? 1 : 0);
