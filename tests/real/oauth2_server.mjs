// A real OAuth 2.0 server that nobody here wrote (oidc-provider), and an API that takes its tokens. Prints what a
// configuration needs to reach both, as lines for a shell, and one with `#` when it listens.

import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';

import Provider from 'oidc-provider';

const work = process.env.REAL_WORK;

// Id and secret differ with and without their form encoding.
const BASIC = { client_id: 'bridge:basic+1', client_secret: 'p:ss w+rd% of a client that is long enough' };

/** A key in a file, and the client that has its public half. */
function signer(client_id, kind, options, alg) {
  const { privateKey, publicKey } = generateKeyPairSync(kind, options);
  writeFileSync(`${work}/${client_id}.pem`, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const key = { ...publicKey.export({ format: 'jwk' }), kid: `${client_id}-1`, alg, use: 'sig' };
  return {
    client_id,
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: alg,
    jwks: { keys: [key] },
  };
}

const own = { redirect_uris: [], response_types: [], grant_types: ['client_credentials'] };
const later = { redirect_uris: ['https://app.example/done'], response_types: ['code'] };
const clients = [
  { ...own, ...BASIC, token_endpoint_auth_method: 'client_secret_basic' },
  { ...own, ...signer('signed-rsa', 'rsa', { modulusLength: 2048 }, 'RS256') },
  { ...own, ...signer('signed-ec', 'ec', { namedCurve: 'P-256' }, 'ES256') },
  ...['refreshing', 'rotating'].map((client_id) => ({
    ...later,
    client_id,
    client_secret: `secret-of-${client_id}`,
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: ['authorization_code', 'refresh_token'],
  })),
];

const server = createServer((request, response) => provider.callback()(request, response));
const api = createServer(answer);
for (const one of [server, api]) await new Promise((listens) => one.listen(0, '127.0.0.1', listens));
const at = (one) => `http://127.0.0.1:${one.address().port}`;

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const provider = new Provider(at(server), {
  clients,
  jwks: { keys: [createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })).export({ format: 'jwk' })] },
  features: { clientCredentials: { enabled: true }, devInteractions: { enabled: false } },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  scopes: ['openid', 'offline_access', 'read'],
  rotateRefreshToken: (ctx) => ctx.oidc.client.clientId === 'rotating',
  ttl: { ClientCredentials: 600, AccessToken: 600, RefreshToken: 3600, Grant: 3600 },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
});

const seen = { granted: {}, refused: [] };
provider.on('grant.success', (ctx) => {
  const { clientId } = ctx.oidc.client;
  seen.granted[clientId] = (seen.granted[clientId] ?? 0) + 1;
});
provider.on('grant.error', (_, error) => seen.refused.push(`${error.error}: ${error.error_description} ${error.error_detail ?? ''}`));

/** The token that a request carries, if it lives. */
async function tokenOf(request) {
  const text = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const token = (await provider.ClientCredentials.find(text)) ?? (await provider.AccessToken.find(text));
  return token?.isValid ? token : undefined;
}

async function answer(request, response) {
  const send = (status, value, headers = {}) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(value));
  };
  request.resume();
  if (request.url === '/seen') return send(200, seen);
  const token = await tokenOf(request);
  if (!token) {
    const challenge = 'Bearer realm="api", error="invalid_token", error_description="expired or revoked"';
    return send(401, { error: 'invalid_token' }, { 'www-authenticate': challenge });
  }
  // The token that asked for it is the one that ends.
  if (request.url === '/v1/end') await token.destroy();
  return send(200, { client: token.clientId, account: token.accountId ?? null });
}

/** The first refresh token of a client, as a consent in a browser would have brought it. */
async function firstRefreshToken(clientId) {
  const client = await provider.Client.find(clientId);
  const grant = new provider.Grant({ accountId: 'clerk', clientId });
  grant.addOIDCScope('openid offline_access read');
  const token = new provider.RefreshToken({
    accountId: 'clerk',
    client,
    grantId: await grant.save(),
    scope: 'openid offline_access read',
    gty: 'authorization_code',
    expiresWithSession: false,
  });
  return token.save();
}

const lines = {
  REAL_TOKEN_URL: `${at(server)}/token`,
  REAL_API_URL: `${at(api)}/v1`,
  REAL_SEEN_URL: `${at(api)}/seen`,
  REAL_BASIC_ID: BASIC.client_id,
  REAL_BASIC_SECRET: BASIC.client_secret,
  REAL_REFRESH_TOKEN: await firstRefreshToken('refreshing'),
  REAL_ROTATING_TOKEN: await firstRefreshToken('rotating'),
};
for (const [name, value] of Object.entries(lines)) console.log(`export ${name}='${value}'`);
console.log('# listening');
