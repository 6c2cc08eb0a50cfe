// What the JavaScript clients share: one line per claim, the emulator's control port, and the line of `upauth env`.

import { spawnSync } from 'node:child_process';

const claims = [];

/** Runs a check and prints what became of it. */
export async function shows(claim, check) {
  let outcome = 'ok';
  try {
    await check();
  } catch (error) {
    console.log(error);
    outcome = 'not ok';
  }
  console.log(`${outcome} - ${claim}`);
  claims.push(outcome);
}

/** The last line of a client that came to its end. */
export function done() {
  console.log(`1..${claims.length}`);
  process.exit(claims.includes('not ok') ? 1 : 0);
}

/** What the line of `upauth env` for a client makes. */
export function hint(client, names) {
  const start = `# ${client}: `;
  const lines = process.env.UPAUTH_ENV.split('\n').filter((line) => line.startsWith(start));
  if (lines.length !== 1) throw new Error(`\`upauth env\` printed ${lines.length} lines for ${client}`);
  return new Function(...Object.keys(names), `return ${lines[0].slice(start.length)}`)(...Object.values(names));
}

/** Ends the session that the proxy holds; what follows must have met a dead one. */
export async function sessionEnded(provider, calls) {
  const before = (await counters()).dead_sessions;
  endSession(provider);
  const result = await calls();
  if ((await counters()).dead_sessions <= before) throw new Error('nothing met the dead session');
  return result;
}

/** Ends it before the caller goes on: also between two calls of a library. */
export function endSession(provider) {
  // Sessions do not end as often as here, and the proxy would think of a path that rejects: an operator tells it that they do.
  const renewed = spawnSync(process.env.REAL_UPAUTH, ['token', 'renew', process.env.REAL_UPSTREAM], { timeout: 60_000 });
  if (renewed.status !== 0) throw new Error(`no new token: ${renewed.stderr}`);
  const script = `const answer = await fetch('${control}/end-session/${provider}', { method: 'POST' });
    process.exit((await answer.json()).ended > 0 ? 0 : 1)`;
  const { status } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { timeout: 60_000 });
  if (status !== 0) throw new Error('there was no session to end');
  console.log(`# ended ${provider}`);
}

export async function counters() {
  return (await fetch(`${control}/counters`)).json();
}

const control = process.env.DEMO_CONTROL_URL;

// A call that never ends shall not hold up the run. (The libraries set no time limits.)
setTimeout(() => process.exit(1), 600_000).unref();
