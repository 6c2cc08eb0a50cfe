// jsforce through an upstream's own plain listener, as `upauth env` says. It sends no credential, or an empty one.

import assert from 'node:assert/strict';

import jsforce from 'jsforce';

import { counters, done, endSession, hint, sessionEnded, shows } from './support.mjs';

const crm = hint('jsforce', { Connection: jsforce.Connection });
crm.bulk.pollInterval = crm.bulk2.pollInterval = 50;

const QUERY = "SELECT Id, Name FROM Account WHERE Name LIKE '100%+ü'";
const NAMES = ['Account 1', 'Account 2', 'Account 3', 'Account 4'];
const RECORDS = Array.from({ length: 25 }, (_, n) => ({ Name: `Bulk ${n}` }));

await shows('jsforce: a query fetches its pages', async () => {
  const found = await crm.query(QUERY, { autoFetch: true });
  assert.deepEqual(found.records.map((one) => one.Name), NAMES);
});

await shows('jsforce: the session ends between two pages', async () => {
  const before = (await counters()).dead_sessions;
  const names = [];
  const query = crm.query(QUERY).on('record', (record) => {
    names.push(record.Name);
    if (names.length === 2) endSession('salesforce');
  });
  await query.run({ autoFetch: true });
  assert.deepEqual(names, NAMES);
  assert.ok((await counters()).dead_sessions > before);
});

await shows('jsforce: create, retrieve, update and delete', async () => {
  const made = await crm.sobject('Account').create({ Name: 'Größe & Söhne' });
  assert.ok(made.success && made.id.startsWith('001'));
  assert.equal((await crm.sobject('Account').retrieve(made.id)).Name, 'Account 1');
  assert.ok((await crm.sobject('Account').update({ Id: made.id, Name: 'Other' })).success);
  assert.ok((await crm.sobject('Account').destroy(made.id)).success);
});

await shows('jsforce: the session ends before a create, whose body is sent again', async () => {
  const made = await sessionEnded('salesforce', () => crm.sobject('Account').create({ Name: 'Once' }));
  assert.ok(made.success);
});

await shows('jsforce: the session ends before an update in one call of several', async () => {
  const records = RECORDS.map((record, n) => ({ Id: `001xx00000000${n + 10}AAA`, ...record }));
  const results = await sessionEnded('salesforce', () => crm.sobject('Account').update(records));
  assert.equal(results.filter((one) => one.success).length, RECORDS.length);
});

await shows('jsforce: Bulk 1.0 inserts', async () => {
  const results = await crm.bulk.load('Account', 'insert', RECORDS);
  assert.equal(results.filter((one) => one.success).length, RECORDS.length);
});

await shows('jsforce: the session ends between a Bulk 1.0 job and its batch', async () => {
  const job = crm.bulk.createJob('Account', 'insert');
  await job.open();
  const batch = job.createBatch();
  const results = await sessionEnded('salesforce', async () => {
    const loading = batch.execute(RECORDS);
    await new Promise((queued, failed) => batch.on('queue', queued).on('error', failed));
    endSession('salesforce');
    batch.poll(50, 10_000);
    return loading;
  });
  await job.close();
  assert.equal(results.filter((one) => one.success).length, RECORDS.length);
});

await shows('jsforce: Bulk 2.0 inserts', async () => {
  const input = RECORDS;
  const { successfulResults, failedResults } = await crm.bulk2.loadAndWaitForResults({
    object: 'Account', operation: 'insert', input, pollInterval: 50,
  });
  assert.equal(successfulResults.length, RECORDS.length);
  assert.equal(failedResults.length, 0);
});

await shows('jsforce: the session ends between the steps of a Bulk 2.0 job', async () => {
  const job = crm.bulk2.createJob({ object: 'Account', operation: 'insert' });
  await sessionEnded('salesforce', () => job.open());
  // jsforce uploads in chunks: the session may be told to be dead before the last of them came.
  await sessionEnded('salesforce', () => job.uploadData(RECORDS));
  await sessionEnded('salesforce', () => job.close());
  await sessionEnded('salesforce', () => job.poll(50, 10_000));
  const results = await sessionEnded('salesforce', () => job.getSuccessfulResults());
  assert.equal(results.length, RECORDS.length);
});

await shows('jsforce: Bulk 2.0 queries, and the session ends in between', async () => {
  const records = await sessionEnded('salesforce', async () => {
    const found = [];
    for await (const record of await crm.bulk2.query('SELECT Id FROM Account', { pollInterval: 50, pollTimeout: 10_000 })) {
      found.push(record.Id);
    }
    return found;
  });
  assert.equal(records.length, 3);
});

await shows('jsforce: REST works behind the prefix of the shared listener, too', async () => {
  const prefixed = new jsforce.Connection({ instanceUrl: `http://localhost:${process.env.REAL_PORT}/crm` });
  const found = await sessionEnded('salesforce', () => prefixed.query(QUERY, { autoFetch: true }));
  assert.equal(found.records.length, 4);
  assert.ok((await prefixed.sobject('Account').create({ Name: 'Prefixed' })).success);
});

done();
