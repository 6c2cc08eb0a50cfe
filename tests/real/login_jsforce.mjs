// jsforce logs in and out by its own calls. The proxy answers them; the key is the client secret or the password.

import assert from 'node:assert/strict';

import jsforce from 'jsforce';

import { counters, done, hint, sessionEnded, shows } from './support.mjs';

const url = process.env.UPAUTH_URL;
const key = process.env.UPAUTH_KEY;
const QUERY = 'SELECT Id, Name FROM Account';
const USER = 'somebody@acme.example';

const connection = (clientSecret, redirectUri) => new jsforce.Connection({
  oauth2: { loginUrl: url, clientId: 'any', clientSecret, redirectUri },
});

const works = async (crm) => {
  assert.equal(crm.instanceUrl, url);
  assert.equal((await crm.query(QUERY, { autoFetch: true })).records.length, 4);
};

await shows('jsforce: login() with the key as client secret', async () => {
  const crm = connection(key);
  const user = await crm.login(USER, 'old password');
  assert.equal(user.organizationId, '00Dxx0000000001EAA');
  await works(crm);
});

await shows('jsforce: the ids that it cuts from the answer to a login are those of the identity document', async () => {
  const crm = connection(key);
  const user = await crm.login(USER, 'old password');
  const identity = await sessionEnded('salesforce', () => crm.identity());
  assert.equal(identity.user_id, user.id);
  assert.equal(identity.organization_id, user.organizationId);
  assert.equal(user.url, `${url}/id/${user.organizationId}/${user.id}`);
  assert.equal(identity.id, user.url);
  assert.equal((await crm.request(user.url)).user_id, user.id);
  assert.equal((await crm.request('/services/oauth2/userinfo')).sub, user.url);
});

await shows('jsforce: login() with the key as password, a security token behind it', async () => {
  const crm = connection('old client secret');
  await crm.login(USER, `${key}AbCdEfGhIjKlMnOpQrStUvWx`);
  await works(crm);
});

await shows('jsforce: authorize() by client credentials; the session ends under it', async () => {
  const crm = connection(key);
  await crm.authorize({ grant_type: 'client_credentials' });
  await sessionEnded('salesforce', () => works(crm));
});

await shows('jsforce: authorize() by a code, and a refresh with what came with it', async () => {
  const crm = connection(key, 'http://localhost/callback');
  await crm.authorize('a code==');
  await works(crm);
  const refreshed = await connection('no secret').oauth2.refreshToken(crm.refreshToken);
  assert.equal(refreshed.instance_url, url);
  await works(new jsforce.Connection({ instanceUrl: url, accessToken: refreshed.access_token }));
});

await shows('jsforce: Bulk 1.0 carries the placeholder in its own field', async () => {
  const crm = connection(key);
  await crm.login(USER, 'old password');
  crm.bulk.pollInterval = 50;
  const results = await crm.bulk.load('Account', 'insert', [{ Name: 'Bulk' }]);
  assert.ok(results[0].success);
});

await shows('jsforce: logout() ends nothing but the connection', async () => {
  const [crm, other] = [connection(key), connection(key)];
  await crm.login(USER, 'old password');
  await other.login(USER, 'old password');
  await crm.logout();
  await works(other);
});

await shows('jsforce: authorize() by token exchange and below the path of a site', async () => {
  const crm = connection(key);
  const subject = { subject_token: 'a.b.c', subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' };
  await crm.authorize({ grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange', ...subject });
  await works(crm);
  const site = new jsforce.Connection({ oauth2: { loginUrl: `${url}/partners`, clientId: 'any', clientSecret: key } });
  await site.authorize({ grant_type: 'client_credentials' });
  await works(site);
});

await shows('jsforce: a device login is refused at once, in the words of Salesforce', async () => {
  const refused = { name: 'unsupported_grant_type', message: /UA-0224/ };
  await assert.rejects(connection(key).authorize({ grant_type: 'device', code: 'c' }), refused);
});

await shows('jsforce: without a login, the key as its access token', async () => {
  await works(hint('jsforce', { Connection: jsforce.Connection }));
});

await shows('jsforce: a wrong key is told as an invalid client, and costs no login', async () => {
  const before = (await counters()).token_requests;
  await assert.rejects(connection('wrong').login(USER, 'wrong'), { name: 'invalid_client', message: /UA-0221/ });
  const keyless = new jsforce.Connection({ instanceUrl: url });
  await assert.rejects(keyless.query(QUERY), /UA-0220/);
  assert.equal((await counters()).token_requests, before);
});

done();
