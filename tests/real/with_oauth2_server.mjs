// A caller without a credential, in front of a real OAuth 2.0 server: `oauth2_server.mjs`. With `restarted`: of a proxy
// that was started again meanwhile.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { done, shows } from './support.mjs';

const proxy = `http://localhost:${process.env.REAL_PORT}`;
const seen = async () => (await fetch(process.env.REAL_SEEN_URL)).json();

async function call(upstream, path) {
  const answer = await fetch(`${proxy}/${upstream}${path}`, { headers: { authorization: 'Bearer junk-of-the-caller' } });
  const text = await answer.text();
  assert.equal(answer.status, 200, `${text} ${JSON.stringify((await seen()).refused)}`);
  return { told: JSON.parse(text), replayed: answer.headers.get('x-upauth-replayed') };
}

if (process.argv[2] === 'restarted') {
  await shows('oidc-provider: a restart costs no login', async () => {
    const before = (await seen()).granted;
    for (const upstream of ['basic', 'signed-rsa', 'signed-ec', 'refreshing', 'rotating']) await call(upstream, '/me');
    assert.deepEqual((await seen()).granted, before);
  });
  await shows('oidc-provider: the successor of a refresh token is known after a restart', async () => {
    const before = (await seen()).granted.rotating;
    await call('rotating', '/end');
    assert.equal((await call('rotating', '/me')).replayed, '1');
    assert.equal((await seen()).granted.rotating, before + 1);
  });
  await shows('oidc-provider: no refresh token was used twice', async () => {
    assert.deepEqual((await seen()).refused, []);
  });
  done();
}

const clients = {
  basic: process.env.REAL_BASIC_ID,
  'signed-rsa': 'signed-rsa',
  'signed-ec': 'signed-ec',
  refreshing: 'refreshing',
  rotating: 'rotating',
};
for (const [upstream, client] of Object.entries(clients)) {
  await shows(`oidc-provider, ${upstream}: twenty callers cost one login`, async () => {
    const calls = Array.from({ length: 20 }, () => call(upstream, '/me'));
    for (const { told } of await Promise.all(calls)) assert.equal(told.client, client);
    assert.equal((await seen()).granted[client], 1);
  });

  await shows(`oidc-provider, ${upstream}: a token that is revoked is replaced, and the call sent once more`, async () => {
    for (let logins = 2; logins <= 4; logins += 1) {
      await call(upstream, '/end');
      assert.equal((await call(upstream, '/me')).replayed, '1');
      assert.equal((await seen()).granted[client], logins);
    }
  });
}

await shows('oidc-provider: an assertion is never refused as one that was used before', async () => {
  assert.deepEqual((await seen()).refused, []);
});

await shows('oidc-provider: neither secrets nor keys are in what the proxy wrote', async () => {
  const work = process.env.REAL_WORK;
  const written = ['oauth2.out', 'oauth2.err'].map((name) => readFileSync(`${work}/${name}`, 'utf8')).join('');
  assert.ok(written.includes('GET'));
  const key = readFileSync(`${work}/signed-rsa.pem`, 'utf8').split('\n')[1];
  for (const secret of [process.env.REAL_BASIC_SECRET, process.env.REAL_REFRESH_TOKEN, process.env.REAL_ROTATING_TOKEN, 'secret-of-', key, 'junk-of-the-caller']) {
    assert.ok(!written.includes(secret));
  }
});

done();
