// Runs the scripts of docs/client-vectors/ against the browser client's session.
//   node vectors.mjs <folder of the vectors> <actor-cluster-session.js>
// Prints one line a script, "ok NAME" or "failed NAME: why", and exits 1 if any failed.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, module] = process.argv.slice(2);
const { ClientSession } = await import(pathToFileURL(resolve(module)).href);

function run(script) {
  const session = new ClientSession({ hosts: script.hosts });
  const state = { session, now: 0, timers: [], names: new Map() };
  script.steps.forEach((step, index) => {
    const found = perform(state, step);
    try {
      assert.deepEqual(found, step.expect);
    } catch {
      throw new Error(`step ${index + 1}\n  expected ${JSON.stringify(step.expect)}\n  found    ${JSON.stringify(found)}`);
    }
  });
}

function perform(state, step) {
  const { session } = state;
  const [effects, found] = [[], []];
  const dial = () => {
    const { host, pauseMs } = session.nextHost();
    found.push({ dial: host, pauseMs });
  };
  if (step.open) {
    dial();
    session.opened(effects);
  } else if (step.fail) {
    dial();
    session.lost(step.fail, state.now, effects);
  } else if (step.lost) session.lost(step.lost, state.now, effects);
  else if (step.frame) session.received(JSON.stringify(step.frame), state.now, effects);
  else if (step.raw) session.received(step.raw, state.now, effects);
  else if (step.command) {
    const { command: name, cmd: kind, room = '', expect: _, ...fields } = step;
    const command = { kind, room, fields };
    state.names.set(command, name);
    session.submit(command, effects);
  } else if (step.advance) advance(state, step.advance, effects);
  else throw new Error(`no rule for the step ${JSON.stringify(step)}`);
  for (const effect of effects) found.push(told(state, effect));
  return found;
}

function advance(state, ms, effects) {
  const until = state.now + ms;
  for (;;) {
    const due = state.timers.filter(t => t.at <= until).sort((a, b) => a.at - b.at)[0];
    if (!due) break;
    state.timers.splice(state.timers.indexOf(due), 1);
    state.now = due.at;
    state.session.due(due.timer, effects);
  }
  state.now = until;
}

function told(state, effect) {
  if (effect.send) return { send: effect.send };
  if (effect.reset) return { done: state.names.get(effect.reset), reset: true };
  if (effect.deliver) return { items: { room: effect.deliver.room, items: effect.deliver.items.map(plain) } };
  if (effect.endRoom) return { ended: { room: effect.endRoom.room, code: effect.endRoom.code } };
  if (effect.disconnect) return { close: true };
  if (effect.giveUp) return { giveUp: effect.giveUp };
  if (effect.timer) {
    state.timers.push({ at: state.now + effect.afterMs, timer: effect.timer });
    return { timer: effect.afterMs };
  }
  if (effect.tell) return effect.tell.state === 'connected' ? effect.tell : { state: effect.tell.state };
  const { answer } = effect;
  const done = { done: state.names.get(effect.complete) };
  if (answer.code) return { ...done, err: answer.code };
  if (answer.items) return { ...done, ok: { ...answer, items: answer.items.map(plain) } };
  if (answer.online) return { ...done, ok: { online: [...answer.online].sort() } };
  return { ...done, ok: answer };
}

/** An item as the vectors write it: a digest has counts, everything else a user, messages a text. */
function plain({ from, seq, kind, user, text, at, joined, left, members }) {
  if (kind === 'digest') return { from, seq, kind, joined, left, members, at };
  if (kind === 'message') return { from, seq, kind, user, text, at };
  return { from, seq, kind: ['created', 'joined', 'left'].includes(kind) ? kind : 'unknown', user, at };
}

let failed = 0;
for (const file of readdirSync(folder).filter(f => f.endsWith('.json') && f !== 'server-frames.json').sort()) {
  for (const script of JSON.parse(readFileSync(join(folder, file), 'utf8')).scripts) {
    try {
      run(script);
      console.log(`ok ${file}: ${script.name}`);
    } catch (error) {
      failed++;
      console.log(`failed ${file}: ${script.name}: ${error.message}`);
    }
  }
}
process.exitCode = failed > 0 ? 1 : 0;
