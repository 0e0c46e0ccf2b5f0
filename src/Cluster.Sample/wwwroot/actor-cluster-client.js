// Browser client of an ActorCluster gateway: fails over in host-list order, resumes, and neither loses, repeats nor reorders a
// room's items. No dependencies; import it as a module:
//
//   const client = new ClusterClient({ hosts: [location.origin], user: 'ada' });
//   client.onItems = (room, items) => …;  await client.connect();  await client.join('raku');  await client.say('raku', 'hi');
//
// A command's promise is fulfilled when the server has it on stable storage, however many fail-overs that takes. A handler that throws
// ends the client ('HandlerFailed'), since an item that was half handled can be neither repeated nor skipped.

import { ClientSession } from './actor-cluster-session.js';

export { ClientSession };

/** The cluster or the connection to it refused something; `code` says what in one word ('ClientReset': the outcome is unknown). */
export class ClusterClientError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = 'ClusterClientError';
    this.code = code;
  }
}

export class ClusterClient {
  #session;
  #options;
  #socket = null;
  #ended = null;
  #connecting = null;
  #timers = new Set();
  #heardAt = 0;
  #asked = 0;

  /**
   * hosts: addresses ('http://h:8080') in fail-over order. user: sent as ?user=, where the server believes it. The rest has defaults.
   * WebSocket: the class to use, for where there is no global one.
   */
  constructor({ hosts, user = null, WebSocket = globalThis.WebSocket, connectTimeoutMs = 2000, silenceLimitMs = 45000, ...session }) {
    if (!Array.isArray(hosts) || hosts.length === 0) throw new TypeError('hosts is empty; name at least one node, such as http://127.0.0.1:8080.');
    if (!WebSocket) throw new TypeError('There is no WebSocket here; pass a class as the option WebSocket.');
    this.#session = new ClientSession({ hosts, ...session });
    this.#options = { user, WebSocket, connectTimeoutMs, silenceLimitMs };
    /** (room, items): in order, each item once. Items are {from, seq, kind, user, text, at, joined, left, members}. */
    this.onItems = () => {};
    /** (room, code, message): the room's stream ended without a leave() of this client. */
    this.onRoomEnded = () => {};
    /** ({state: 'connected' | 'lost' | 'attemptFailed' | 'goAway' | 'frameRefused', …}) */
    this.onConnection = () => {};
  }

  /** Name of the node connected to; empty while there is none. */
  get node() { return this.#session.node; }
  get clientId() { return this.#session.clientId; }
  get failOvers() { return this.#session.failOvers; }

  /** Fulfilled at the first welcome; from then on the client keeps itself connected until close(). */
  connect() {
    if (this.#connecting === null) {
      this.#connecting = Promise.withResolvers?.() ?? withResolvers();
      this.#dial();
    }
    return this.#connecting.promise;
  }

  /** {seq}: makes a room, the user its first member. */
  create(room) { return this.#run('create', room); }

  /** {seq, members}: the user becomes a member; items after seq follow, some maybe before this is fulfilled. */
  join(room) { return this.#run('join', room); }

  /** {seq}: ends the membership and forgets the room. */
  leave(room) { return this.#run('leave', room); }

  /** {seq} of the message, which comes in the stream as well. */
  say(room, text) { return this.#run('say', room, { text }); }

  /** {items, head}: what was said after `after`; moves no cursor. */
  history(room, after, limit) { return this.#run('history', room, { after, limit }); }

  /** {online}: the set of those users who are connected to any node. */
  presence(users) { return this.#run('presence', '', { users }); }

  /** Ends the client; commands without an answer are rejected, their effect is unknown. */
  close() {
    const socket = this.#socket;
    this.#finish('Disposed', 'The client was closed before the answer came; the command may have taken effect.');
    socket?.close(1000);
  }

  #run(kind, room, fields = {}) {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const effects = [];
      this.#session.submit({ kind, room, fields, resolve, reject }, effects);
      this.#perform(effects);
    });
  }

  #dial() {
    const { host, pauseMs } = this.#session.nextHost();
    this.#after(pauseMs, () => this.#open(host));
  }

  #open(host) {
    const { user, WebSocket, connectTimeoutMs } = this.#options;
    const address = new URL('ws', host.endsWith('/') ? host : host + '/');
    address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:';
    if (user !== null) address.searchParams.set('user', user);
    let socket;
    try {
      socket = new WebSocket(address.href);
    } catch (error) {
      this.#lost(null, `${host} cannot be connected to from here: ${error.message}`); // Such as http from a page of https; another host may do.
      return;
    }
    this.#socket = socket;
    this.#heard();
    this.#after(connectTimeoutMs, () => {
      if (this.#socket === socket && this.node === '') this.#lost(socket, `${host} did not answer within ${connectTimeoutMs} ms.`);
    });
    this.#watch(socket);
    socket.onopen = () => this.#feed(socket, effects => this.#session.opened(effects));
    socket.onmessage = event => {
      this.#heard();
      this.#feed(socket, effects => this.#session.received(event.data, this.#heardAt, effects));
    };
    socket.onclose = event => this.#lost(socket, event.reason || `The connection to ${host} broke.`);
    socket.onerror = () => {}; // A close follows and says it.
  }

  #feed(socket, input) {
    if (this.#socket !== socket || this.#ended) return;
    const effects = [];
    try {
      input(effects);
    } catch (error) {
      this.#lost(socket, `The server sent a frame that is not understood: ${error.message}`);
      return;
    }
    this.#perform(effects);
  }

  #lost(socket, reason) {
    if (this.#socket !== socket || this.#ended) return;
    this.#socket = null;
    if (socket) {
      socket.onclose = null;
      socket.close();
    }
    const effects = [];
    this.#session.lost(reason, performance.now(), effects);
    this.#perform(effects);
    if (!this.#ended) this.#dial();
  }

  #heard() {
    this.#heardAt = performance.now();
    this.#asked = 0;
  }

  /**
   * A page cannot ping, so a silent server is asked a question; one that answers neither of two is given up. Silence alone proves
   * nothing: the timers of a hidden page come minutes late, and before what arrived meanwhile.
   */
  #watch(socket) {
    const { silenceLimitMs, user } = this.#options;
    this.#after(silenceLimitMs / 3, () => {
      if (this.#socket !== socket) return;
      const silent = performance.now() - this.#heardAt;
      if (silent >= silenceLimitMs && this.#asked >= 2) {
        this.#lost(socket, `The server has been silent for ${Math.round(silent)} ms.`);
        return;
      }
      if (silent >= silenceLimitMs / 3 - 50 && this.node !== '') {
        this.#asked++;
        this.presence([user ?? '?']).catch(() => {});
      }
      this.#watch(socket);
    });
  }

  #perform(effects) {
    const socket = this.#socket;
    for (const effect of effects) {
      if (effect.send) socket?.send(JSON.stringify(effect.send));
      else if (effect.complete) this.#complete(effect.complete, effect.answer);
      else if (effect.reset) effect.reset.reject(new ClusterClientError('ClientReset', `Whether '${effect.reset.kind}' took effect is unknown: the session was lost.`));
      else if (effect.deliver) this.#raise(() => this.onItems(effect.deliver.room, effect.deliver.items));
      else if (effect.endRoom) this.#raise(() => this.onRoomEnded(effect.endRoom.room, effect.endRoom.code, effect.endRoom.message));
      else if (effect.timer) this.#after(effect.afterMs, () => this.#feed(this.#socket, due => this.#session.due(effect.timer, due)));
      else if (effect.disconnect) this.#lost(socket, effect.disconnect);
      else if (effect.giveUp) this.#finish(effect.giveUp, effect.message);
      else if (effect.tell) {
        if (effect.tell.state === 'connected') this.#connecting.resolve();
        this.#raise(() => this.onConnection(effect.tell));
      }
    }
  }

  #raise(handler) {
    if (this.#ended) return;
    try {
      handler();
    } catch (error) {
      const socket = this.#socket;
      console.error(error);
      this.#finish('HandlerFailed', `A handler of the client's events failed, which ended the client: ${error?.message ?? error}`, { cause: error });
      socket?.close(1000);
    }
  }

  #complete(command, answer) {
    if (answer.code) command.reject(new ClusterClientError(answer.code, answer.message));
    else command.resolve(answer);
  }

  #finish(code, message, options) {
    if (this.#ended) return;
    this.#ended = new ClusterClientError(code, message, options);
    this.#socket = null;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const command of this.#session.end()) command.reject(this.#ended);
    this.#connecting?.promise.catch(() => {}); // Observed, should nobody be waiting.
    this.#connecting?.reject(this.#ended);
  }

  #after(ms, action) {
    if (this.#ended) return;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      action();
    }, ms);
    this.#timers.add(timer);
  }
}

function withResolvers() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}
