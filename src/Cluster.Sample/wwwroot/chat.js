// The sample's chat page: what the client library tells, put on the page. Text from others only ever goes into textContent.

import { ClusterClient } from './actor-cluster-client.js';

const LINES_MAX = 500;
const RECENT = 50;
const PRESENCE_EVERY_MS = 5000;
const PRESENCE_USERS_MAX = 500;
const PRESENCE_USERS_A_FRAME = 250; // Of 64 characters with 3 bytes each: what surely fits.
const $ = id => document.getElementById(id);

/** Rooms by name: {lines: [li], users: Set of names seen, members: how many there are, null before the join is answered, early: items shown before that}. */
const rooms = new Map();
let client = null;
let current = null;

$('sign-in').addEventListener('submit', event => {
  event.preventDefault();
  start($('user').value.trim());
});

$('join').addEventListener('submit', event => {
  event.preventDefault();
  const name = $('room').value.trim();
  $('room').value = '';
  if (name) attempt(() => join(name));
});

$('leave').addEventListener('click', () => attempt(async () => {
  const name = current;
  await client.leave(name);
  forget(name);
}));

$('say').addEventListener('submit', event => {
  event.preventDefault();
  const [text, room] = [$('text').value, current];
  if (!text || !room) return;
  $('text').value = '';
  attempt(() => client.say(room, text), () => { if (!$('text').value) $('text').value = text; }); // A refused text is not lost.
});

async function start(user) {
  if (!user || client) return;
  client = new ClusterClient({ hosts: [location.origin], user });
  client.onItems = show;
  client.onRoomEnded = (room, code, message) => {
    forget(room);
    notice(`${room}: ${message || code}`);
  };
  client.onConnection = showConnection;
  $('connection').textContent = 'Connecting…';
  try {
    await client.connect();
  } catch (error) {
    client = null;
    $('connection').textContent = `Not connected: ${error.message}`;
    return;
  }
  $('sign-in').hidden = true;
  $('chat').hidden = false;
  $('room').focus();
  setInterval(countPresent, PRESENCE_EVERY_MS);
}

async function join(name) {
  if (rooms.has(name)) {
    select(name); // Its lines are here already.
    return;
  }
  const room = { lines: [], users: new Set([$('user').value.trim()]), members: null, early: [] };
  rooms.set(name, room);
  try {
    const { seq, members } = await client.join(name);
    room.members = members; // As of the join: what came before it is counted in, what the stream shows after it is not.
    for (const item of room.early.splice(0)) count(room, item);
    const past = await client.history(name, Math.max(0, seq - RECENT), RECENT);
    const earlier = past.items.filter(item => item.seq <= seq);
    room.lines.unshift(...earlier.map(lineOf));
    for (const item of earlier) if (item.user) room.users.add(item.user);
  } catch (error) {
    if (room.members === null) rooms.delete(name);
    throw error;
  }
  select(name);
  countPresent();
}

function show(name, items) {
  const room = rooms.get(name);
  if (!room) return; // Left on this page; the answer is on its way.
  for (const item of items) {
    count(room, item);
    room.lines.push(lineOf(item));
    if (name === current) append(room.lines.at(-1));
  }
  for (const line of room.lines.splice(0, Math.max(0, room.lines.length - LINES_MAX))) line.remove();
}

function count(room, item) {
  if (item.kind === 'left') room.users.delete(item.user);
  else if (item.user) room.users.add(item.user);
  if (room.members === null) room.early.push(item);
  else if (item.kind === 'digest') room.members = item.members;
  else if (item.kind === 'joined') room.members++;
  else if (item.kind === 'left') room.members--;
}

function lineOf(item) {
  const line = document.createElement('li');
  const time = document.createElement('time');
  const at = new Date(item.at);
  time.dateTime = at.toISOString();
  time.textContent = at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }) + ' ';
  line.append(time);
  if (item.kind === 'message') {
    const user = document.createElement('b');
    user.textContent = item.user + ' ';
    line.append(user, item.text);
    return line;
  }
  const note = document.createElement('span');
  note.className = 'note';
  note.textContent = noteOf(item);
  line.append(note);
  return line;
}

function noteOf(item) {
  switch (item.kind) {
    case 'created': return `${item.user} made the room`;
    case 'joined': return `${item.user} joined`;
    case 'left': return `${item.user} left`;
    case 'digest': return `${item.joined} joined, ${item.left} left; ${item.members} members`;
    default: return item.kind;
  }
}

function select(name) {
  current = name;
  const room = rooms.get(name);
  $('room-name').textContent = name ?? 'Join a room to begin';
  $('leave').hidden = $('text').disabled = $('say').lastElementChild.disabled = name === null;
  $('present').textContent = '';
  $('messages').replaceChildren(...(room?.lines ?? []));
  $('messages').scrollTop = $('messages').scrollHeight;
  $('rooms').replaceChildren(...[...rooms.keys()].sort().map(roomButton));
  if (name !== null) {
    $('text').focus();
    countPresent();
  }
}

function roomButton(name) {
  const [entry, button] = [document.createElement('li'), document.createElement('button')];
  button.type = 'button';
  button.textContent = name;
  button.setAttribute('aria-current', String(name === current));
  button.addEventListener('click', () => select(name));
  entry.append(button);
  return entry;
}

function forget(name) {
  rooms.delete(name);
  if (current === name) select(rooms.keys().next().value ?? null);
  else select(current);
}

function append(line) {
  const list = $('messages');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(line);
  if (atEnd) list.scrollTop = list.scrollHeight; // Somebody reading further up is left there.
}

async function countPresent() {
  const name = current;
  if (name === null || client.node === '') return;
  const room = rooms.get(name);
  const known = [...room.users].slice(-PRESENCE_USERS_MAX);
  if (known.length === 0) return;
  try {
    let online = 0;
    for (let from = 0; from < known.length; from += PRESENCE_USERS_A_FRAME)
      online += (await client.presence(known.slice(from, from + PRESENCE_USERS_A_FRAME))).online.size;
    if (name === current) $('present').textContent = (room.members === null ? '' : `${room.members} members, `) + `${online} present`;
  } catch {
    // The next count says it.
  }
}

function showConnection(change) {
  const status = $('connection');
  status.dataset.state = change.state;
  if (change.state === 'connected') status.textContent = `${$('user').value.trim()} on ${client.node}`;
  else if (change.state === 'attemptFailed') status.textContent = `Trying the next node… (${change.host})`;
  else if (change.state === 'frameRefused') notice(`${change.code}: ${change.message}`);
  else status.textContent = `Reconnecting… (${change.reason})`;
}

async function attempt(action, onRefusal = () => {}) {
  notice('');
  try {
    await action();
  } catch (error) {
    notice(error.message);
    onRefusal();
  }
}

function notice(text) { $('notice').textContent = text; }

const user = new URLSearchParams(location.search).get('user');
if (user) {
  $('user').value = user;
  start(user);
}
