// A client that is generated from openapi.yaml works with the API.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import openapi, { astToString } from 'openapi-typescript';
import { createDatabase, root, startApi } from './support.mjs';

const run = promisify(execFile);
const kHere = path.join(root, 'spec/web');

describe('a generated client', () => {
  let database;
  let api;
  let directory;

  before(async () => {
    database = createDatabase();
    api = await startApi(database.url);
    // In node_modules, because the client finds its library there.
    directory = mkdtempSync(path.join(kHere, 'node_modules/.client-'));
    cpSync(path.join(kHere, 'client/every_operation.ts'), path.join(directory, 'every_operation.ts'));
    writeFileSync(path.join(directory, 'package.json'), '{ "type": "module" }');
    const description = await (await fetch(`${api.url}/openapi.yaml`)).text();
    writeFileSync(path.join(directory, 'api.d.ts'), astToString(await openapi(description)));
  });
  after(async () => {
    await api?.stop();
    database?.drop();
    if (directory) rmSync(directory, { recursive: true });
  });

  test('compiles, and calls every operation', async () => {
    const tsc = path.join(kHere, 'node_modules/typescript/bin/tsc');
    await run(process.execPath, [tsc, '--strict', '--skipLibCheck', '--exactOptionalPropertyTypes', '--target', 'es2022', '--module', 'nodenext',
      '--lib', 'es2022,dom,dom.iterable', 'every_operation.ts'], { cwd: directory }).catch(({ stdout }) => assert.fail(stdout));
    const { stdout } = await run(process.execPath, ['every_operation.js', api.url], { cwd: directory });
    const lines = stdout.trim().split('\n');
    assert.equal(lines.pop(), 'refused idempotency_key_invalid, charged true');
    const declared = [...readFileSync(path.join(directory, 'api.d.ts'), 'utf8').split('export interface operations {')[1].matchAll(/^ {4}(\w+): \{$/gm)];
    assert.deepEqual(lines.map((line) => line.split(' ')[0]).sort(), declared.map(([, name]) => name).sort());
    for (const line of lines) assert.match(line, /^\w+ 20[014]$/);
  });
});
