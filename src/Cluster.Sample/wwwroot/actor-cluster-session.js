// What a client of an ActorCluster gateway decides (docs/client-protocol.md): which frames go out, which items are delivered, how
// commands end. Knows no clock, no socket and no page; `actor-cluster-client.js` does what it wants. The .NET client has the same
// two halves under the same names, and both are checked against docs/client-vectors/.

const isRead = command => command.kind === 'history' || command.kind === 'presence' || command.kind === 'fill';
const opensRoom = command => command.kind === 'create' || command.kind === 'join';

/** What op, id and prev add to a command's frame at most. */
const HEAD_BYTES_MAX = 80;

/** How long to wait before sending again what was refused for the moment; the server's afterMs goes first. */
const retryPauseMs = (refusals, askedMs) =>
  Number.isInteger(askedMs) && askedMs >= 0 ? Math.min(Math.max(askedMs, 1), 60000) : Math.min(2000, 25 * 2 ** Math.min(refusals - 1, 10));

/** Decides which host is tried next and after which pause. */
class HostList {
  constructor(given) {
    this.given = given;
    this.hosts = HostList.distinct(given);
    this.nextIndex = 0;
    this.tried = 0;
    this.current = null;
  }

  get rounds() { return Math.floor(this.tried / this.hosts.length); }

  next() {
    const pauseMs = this.tried > 0 && this.tried % this.hosts.length === 0 ? HostList.pauseAfter(this.rounds) : 0;
    this.current = this.hosts[this.nextIndex];
    this.tried++;
    this.nextIndex = (this.nextIndex + 1) % this.hosts.length;
    return { host: this.current, pauseMs };
  }

  stay() {
    this.nextIndex = Math.max(0, this.indexOf(this.current));
    this.tried = Math.max(0, this.tried - 1);
  }

  settled() { this.tried = 0; }

  replace(hosts) {
    if (hosts.length === 0) return; // A node that knows no other is no reason to forget the rest.
    this.tried = Math.min(this.tried, 1);
    this.hosts = HostList.distinct([...hosts, ...this.given]);
    this.nextIndex = (this.indexOf(this.current) + 1) % this.hosts.length; // Not in the list: -1 + 1 is its first.
  }

  indexOf(host) { return host === null ? -1 : this.hosts.findIndex(h => HostList.key(h) === HostList.key(host)); }

  static key(host) { return new URL(host).origin; }

  static distinct(hosts) {
    const seen = new Map();
    for (const host of hosts) if (!seen.has(HostList.key(host))) seen.set(HostList.key(host), host);
    return [...seen.values()];
  }

  static pauseAfter(rounds) { return rounds <= 1 ? 0 : Math.min(2000, 100 * 2 ** Math.min(rounds - 2, 10)); }
}

/** The stream of one room: what was delivered, what is held behind a gap. Says which items come next; asks nobody. */
class FollowedRoom {
  constructor(name, heldMax) {
    Object.assign(this, { name, heldMax, cursor: 0, head: 0, following: false, held: [], fill: null, fillWaiting: false, fillRefusals: 0 });
  }

  get hasGap() { return this.following && this.head > this.cursor; }

  follow(seq) {
    this.following = true;
    this.cursor = Math.max(this.cursor, seq);
  }

  interrupt() { Object.assign(this, { held: [], head: this.cursor, fill: null, fillWaiting: false, fillRefusals: 0 }); }

  /** Takes items of the stream; returns those to deliver now. */
  take(items) {
    if (items.length === 0) return [];
    this.head = Math.max(this.head, items.at(-1).seq);
    if (!this.following) return [];
    const ready = [];
    for (const item of items)
      if (!this.append(item, ready) && item.seq > this.cursor && this.held.length < this.heldMax) this.held.push(item);
    this.release(ready);
    return ready;
  }

  /** Takes the answer about what follows the cursor; null if the server does not know yet what was seen already. */
  takeHistory(items, head) {
    const ready = [];
    for (const item of items) {
      if (this.append(item, ready) || item.seq <= this.cursor) continue;
      if (head < this.head) return null;
      this.cursor = item.seq; // What lies between the server has not kept.
      ready.push(item);
    }
    if (items.length === 0 && this.hasGap) {
      if (head < this.head) return null;
      const first = this.held.reduce((least, item) => (least && least.seq <= item.seq ? least : item), null);
      this.cursor = first ? Math.max(this.cursor, first.from - 1) : this.head;
    }
    this.release(ready);
    return ready;
  }

  append(item, ready) {
    if (item.seq <= this.cursor || item.from > this.cursor + 1) return false;
    ready.push({ ...item, from: this.cursor + 1 }); // A digest may begin before the cursor.
    this.cursor = item.seq;
    return true;
  }

  release(ready) {
    if (this.held.length === 0) return;
    this.held.sort((a, b) => a.seq - b.seq);
    let done = 0;
    while (done < this.held.length && this.held[done].from <= this.cursor + 1) this.append(this.held[done++], ready);
    this.held.splice(0, done);
  }
}

/** Fields that a frame lacks get a value, so that nobody downstream sees `undefined`. */
const itemOf = raw => ({
  from: raw.from || raw.seq, seq: raw.seq, kind: raw.kind ?? 'unknown', user: raw.user ?? '', text: raw.text ?? '', at: raw.at ?? 0,
  joined: raw.joined ?? 0, left: raw.left ?? 0, members: raw.members ?? 0,
});

/**
 * One client's side of the protocol. Every input takes `effects`, an array, and appends what is to be done, in order:
 * {send}, {complete, answer}, {reset}, {deliver: {room, items}}, {endRoom}, {tell}, {timer, afterMs}, {disconnect}, {giveUp}.
 * A command is an object {kind, room, fields}; the session puts id, sent and refusals on it.
 */
export class ClientSession {
  constructor({ hosts, unansweredMax = 128, waitingMax = 1000, heldItemsMax = 1024, connectRoundsMax = 8 }) {
    Object.assign(this, { unansweredMax, waitingMax, heldItemsMax, connectRoundsMax, hosts: new HostList(hosts) });
    Object.assign(this, { unanswered: [], waiting: [], fills: [], rooms: new Map(), lanes: new Map() });
    Object.assign(this, { phase: 'down', token: null, fatalCode: '', welcomedNow: false, welcomedAt: 0, lastId: 0, connection: 0 });
    Object.assign(this, { serverWindow: Infinity, frameBytesMax: 65536, clientId: '', node: '', failOvers: 0 });
  }

  nextHost() { return this.hosts.next(); }

  opened(effects) {
    this.phase = 'hello';
    const names = [...this.rooms.values()].filter(r => r.following).map(r => r.name).sort();
    const hello = { op: 'hello', v: 1 };
    if (this.token !== null) hello.token = this.token;
    hello.rooms = names.map(room => ({ room, after: this.rooms.get(room).cursor }));
    effects.push({ send: hello });
  }

  lost(reason, nowMs, effects) {
    if (this.phase === 'ended') return;
    this.phase = 'down';
    this.connection++;
    if (this.welcomedNow && nowMs - this.welcomedAt >= 1000) this.hosts.settled(); // Sooner: a node in trouble is not hammered.
    effects.push({ tell: this.welcomedNow ? { state: 'lost', reason } : { state: 'attemptFailed', host: this.hosts.current, reason } });
    this.welcomedNow = false;
    this.node = '';
    this.lanes.clear();
    this.fills = [];
    this.unanswered = this.unanswered.filter(c => c.kind !== 'fill');
    for (const room of this.rooms.values()) room.interrupt();
    if (this.clientId !== '') return;
    if (this.fatalCode) effects.push({ giveUp: this.fatalCode, message: `${this.hosts.current} refused this client: ${reason}` });
    else if (this.hosts.rounds >= this.connectRoundsMax)
      effects.push({ giveUp: 'Unreachable', message: `No host welcomed this client in ${this.connectRoundsMax} rounds; the last, ${this.hosts.current}, failed with: ${reason}` });
  }

  submit(command, effects) {
    Object.assign(command, { id: 0, sent: false, refusals: 0 });
    const fault = this.faultOf(command);
    if (fault) {
      effects.push({ complete: command, answer: fault });
      return;
    }
    this.waiting.push(command);
    this.advance(effects);
  }

  /** Why a command cannot be sent, or null. Sent all the same, it would end the connection, or never be answered, on every node in turn. */
  faultOf(command) {
    const frame = frameOf(command);
    if (Object.values(frame).flat().some(value => /\p{Surrogate}/u.test(value)))
      return { code: 'BadCommand', message: `The command '${command.kind}' holds half of a surrogate pair, which is no text; repair it with toWellFormed(), or cut texts between characters.` };
    const bytes = new TextEncoder().encode(JSON.stringify(frame)).length;
    if (bytes + HEAD_BYTES_MAX > this.frameBytesMax)
      return { code: 'FrameTooLong', message: `The command '${command.kind}' takes ${bytes} bytes; the server accepts frames of ${this.frameBytesMax}. Send less at a time.` };
    if (this.phase !== 'up' && this.waiting.length >= this.waitingMax)
      return { code: 'TooManyWaiting', message: `${this.waitingMax} commands wait for a connection; wait for answers first, or raise waitingMax. Nothing was sent.` };
    return null;
  }

  end() {
    this.phase = 'ended';
    this.connection++;
    this.node = '';
    const left = [...this.unanswered, ...this.waiting];
    Object.assign(this, { unanswered: [], waiting: [], fills: [] });
    return left;
  }

  due(timer, effects) {
    if (timer.connection !== this.connection || this.phase !== 'up') return; // A welcome sends everything again.
    const { lane, read, room } = timer;
    if (lane) {
      lane.waiting = false;
      for (const command of this.unanswered)
        if (!isRead(command) && command.id >= lane.resendFrom && command.room === lane.room) this.sendNow(command, effects);
    } else if (read) {
      if (this.unanswered.includes(read)) this.sendNow(read, effects);
    } else if (this.rooms.get(room.name) === room) {
      room.fillWaiting = false;
      this.fillGap(room);
      this.advance(effects);
    }
  }

  received(text, nowMs, effects) {
    if (this.phase !== 'hello' && this.phase !== 'up') return;
    let frame;
    try {
      frame = JSON.parse(text);
    } catch (error) {
      this.disconnect(`The server sent a frame that is not understood: ${error.message}`, effects);
      return;
    }
    if (frame === null || typeof frame !== 'object') {
      this.disconnect('The server sent a frame that is no JSON object.', effects);
      return;
    }
    const up = this.phase === 'up';
    if (frame.op === 'welcome' && !up) this.welcome(frame, nowMs, effects);
    else if (frame.op === 'bye') this.bye(frame, effects);
    else if (frame.op === 'goaway') this.goAway(frame, effects);
    else if (frame.op === 'token') this.token = frame.token ?? this.token;
    else if (frame.op === 'items' && up) this.items(frame, effects);
    else if (frame.op === 'ok' && up) this.accepted(frame, effects);
    else if (frame.op === 'err' && up) this.refused(frame, effects);
    else if (frame.op === 'left' && up) this.endRoom(frame.room, frame.code, frame.message, effects);
  }

  welcome(frame, nowMs, effects) {
    const reset = this.clientId !== '' && (!frame.resumed || frame.client !== this.clientId);
    if (this.clientId !== '') this.failOvers++;
    Object.assign(this, { phase: 'up', welcomedNow: true, welcomedAt: nowMs, clientId: frame.client, node: frame.node ?? '' });
    this.token = frame.token ?? this.token;
    this.serverWindow = frame.limits?.unanswered || Infinity;
    this.frameBytesMax = frame.limits?.frameBytes || this.frameBytesMax;
    this.takeHosts(frame);
    effects.push({ tell: { state: 'connected', node: this.node, resumed: Boolean(frame.resumed) } });
    if (reset) this.startAnew(effects);
    for (const command of this.unanswered) this.sendNow(command, effects);
    this.advance(effects);
  }

  takeHosts(frame) {
    this.hosts.replace((frame.hosts ?? []).map(h => h.url).filter(url => /^https?:\/\//.test(url)));
  }

  /** A new client id: what may have reached a server ends; reads and what never went out take new ids. */
  startAnew(effects) {
    const kept = [];
    for (const command of this.unanswered) {
      if (command.sent && !isRead(command)) effects.push({ reset: command });
      else kept.push(command);
    }
    this.waiting = [...kept, ...this.waiting];
    this.unanswered = [];
    this.lastId = 0;
    for (const room of [...this.rooms.values()]) if (!room.following) this.rooms.delete(room.name);
  }

  bye(frame, effects) {
    if (frame.code === 'BadToken' && this.token !== null) {
      this.token = null; // The next hello, to the same host, asks for a new client id.
      this.hosts.stay();
    } else if (['NoUser', 'BadVersion', 'BadFrame', 'FrameTooLong'].includes(frame.code)) {
      this.fatalCode = frame.code;
    }
    this.disconnect(`${frame.code}: ${frame.message}`, effects);
  }

  goAway(frame, effects) {
    this.takeHosts(frame);
    effects.push({ tell: { state: 'goAway', reason: frame.reason ?? '' } });
    this.disconnect(`The node asked its clients to go: ${frame.reason ?? ''}`, effects);
  }

  disconnect(reason, effects) {
    this.phase = 'closing';
    effects.push({ disconnect: reason });
  }

  accepted(frame, effects) {
    const command = this.unanswered.find(c => c.id === frame.id);
    if (!command) return; // A repeat's answer: the first one counted.
    this.settle(command);
    if (opensRoom(command)) {
      const room = this.roomOf(command.room);
      room.follow(frame.seq ?? 0);
      this.fillGap(room);
    } else if (command.kind === 'leave' && this.rooms.has(command.room)) {
      // A join sent after the leave may have run already, before a fail-over: its stream was delivered, the cursor must stay.
      if (this.isOpening(command.room)) this.rooms.get(command.room).following = false;
      else this.rooms.delete(command.room);
    }
    if (command.kind === 'fill') this.filled(command, frame, effects);
    else effects.push({ complete: command, answer: answerOf(command, frame) });
    this.advance(effects);
  }

  refused(frame, effects) {
    if (frame.id === 0) effects.push({ tell: { state: 'frameRefused', code: frame.code, message: frame.message } });
    const command = this.unanswered.find(c => c.id === frame.id);
    if (!command) return;
    if (frame.retry) {
      this.retryLater(command, frame.afterMs, effects);
      return;
    }
    this.settle(command); // A final refusal ends the wait of those behind it as well.
    const room = this.rooms.get(command.room);
    if (opensRoom(command) && room && !room.following && !this.isOpening(command.room)) this.rooms.delete(command.room);
    if (command.kind !== 'fill') effects.push({ complete: command, answer: { code: frame.code, message: frame.message ?? '' } });
    else if (room && room.fill === command) this.endRoom(command.room, frame.code, frame.message, effects);
    this.advance(effects);
  }

  settle(command) {
    this.unanswered.splice(this.unanswered.indexOf(command), 1);
    const lane = isRead(command) ? undefined : this.lanes.get(command.room);
    if (!lane) return;
    lane.refusals = 0;
    if (!lane.waiting) this.lanes.delete(command.room);
  }

  /** Go-back-N: after a refusal nothing is sent to the room until the pause is over, then this and all later ones. */
  retryLater(command, afterMs, effects) {
    if (isRead(command)) {
      this.setTimer(retryPauseMs(++command.refusals, afterMs), { read: command }, effects);
      return;
    }
    if (!this.lanes.has(command.room)) this.lanes.set(command.room, { room: command.room, waiting: false, resendFrom: 0, refusals: 0 });
    const lane = this.lanes.get(command.room);
    if (lane.waiting) {
      lane.resendFrom = Math.min(lane.resendFrom, command.id);
      return;
    }
    Object.assign(lane, { waiting: true, resendFrom: command.id });
    this.setTimer(retryPauseMs(++lane.refusals, afterMs), { lane }, effects);
  }

  setTimer(afterMs, target, effects) { effects.push({ timer: { ...target, connection: this.connection }, afterMs }); }

  items(frame, effects) {
    if (!this.rooms.has(frame.room) && !this.isOpening(frame.room)) return; // The tail of a stream that was left.
    const room = this.roomOf(frame.room); // Before the join's answer it remembers the head, and asks after it.
    this.deliver(room, room.take((frame.items ?? []).map(itemOf)), effects);
    this.fillGap(room);
    this.advance(effects);
  }

  deliver(room, items, effects) { if (items.length > 0) effects.push({ deliver: { room: room.name, items } }); }

  fillGap(room) {
    if (!room.hasGap || room.fill || room.fillWaiting) return;
    room.fill = { kind: 'fill', room: room.name, fields: { after: room.cursor, limit: 500 }, id: 0, sent: false, refusals: 0 };
    this.fills.push(room.fill);
  }

  filled(command, frame, effects) {
    const room = this.rooms.get(command.room);
    if (!room || room.fill !== command) return;
    room.fill = null;
    const ready = room.takeHistory((frame.items ?? []).map(itemOf), frame.head ?? 0);
    if (ready === null) {
      room.fillWaiting = true; // The answer is older than what the stream showed.
      this.setTimer(retryPauseMs(++room.fillRefusals), { room }, effects);
      return;
    }
    room.fillRefusals = 0;
    this.deliver(room, ready, effects);
    this.fillGap(room);
  }

  endRoom(name, code, message, effects) {
    const room = this.rooms.get(name);
    this.rooms.delete(name);
    if (!room || !room.following) return;
    if (!this.unanswered.some(c => c.kind === 'leave' && c.room === name)) effects.push({ endRoom: { room: name, code, message: message ?? '' } });
  }

  isOpening(name) { return this.unanswered.some(c => opensRoom(c) && c.room === name); }

  roomOf(name) {
    if (!this.rooms.has(name)) this.rooms.set(name, new FollowedRoom(name, this.heldItemsMax));
    return this.rooms.get(name);
  }

  /** Moves commands into the window of unanswered ones while there is a place, and sends them. */
  advance(effects) {
    while (this.phase === 'up' && this.unanswered.length < Math.min(this.unansweredMax, this.serverWindow)) {
      const command = this.fills.shift() ?? this.waiting.shift();
      if (!command) return;
      if (command.abandoned) continue;
      command.id = ++this.lastId;
      this.unanswered.push(command);
      if (isRead(command) || !this.lanes.get(command.room)?.waiting) this.sendNow(command, effects);
    }
  }

  /** `prev` is the newest id before this one that is unanswered and acts on the same room. */
  sendNow(command, effects) {
    command.sent = true;
    const frame = { op: 'cmd', id: command.id };
    const prev = isRead(command) ? undefined : this.unanswered.findLast(c => c.id < command.id && !isRead(c) && c.room === command.room);
    if (prev) frame.prev = prev.id;
    effects.push({ send: Object.assign(frame, frameOf(command)) });
  }
}

/** A command's frame but for what is put before it at each sending: op, id and prev. */
function frameOf(command) {
  const frame = { cmd: command.kind === 'fill' ? 'history' : command.kind };
  if (command.kind !== 'presence') frame.room = command.room;
  return Object.assign(frame, command.fields);
}

function answerOf(command, frame) {
  if (command.kind === 'history') return { items: (frame.items ?? []).map(itemOf), head: frame.head ?? 0, stale: frame.stale === true };
  if (command.kind === 'presence') return { online: new Set(frame.online ?? []) };
  if (command.kind === 'join') return { seq: frame.seq ?? 0, members: frame.members ?? 0 };
  return { seq: frame.seq ?? 0 };
}
