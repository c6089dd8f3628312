// Checks the description of the API with the linters @redocly/cli and @stoplight/spectral-cli of npm.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import redocly from '@redocly/openapi-core';
import spectralCore from '@stoplight/spectral-core';
import parsers from '@stoplight/spectral-parsers';
import rulesets from '@stoplight/spectral-rulesets';
import { root } from './support.mjs';

const source = readFileSync(path.join(root, 'api/web/openapi.yaml'), 'utf8');

async function redoclyFinds(text) {
  const config = await redocly.createConfig({ extends: ['recommended'] });
  const problems = await redocly.lintFromString({ source: text, config });
  return problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} at ${location[0].pointer}`);
}

async function spectralFinds(text) {
  const spectral = new spectralCore.Spectral();
  spectral.setRuleset({ extends: [rulesets.oas], rules: {} });
  const problems = await spectral.run(new spectralCore.Document(text, parsers.Yaml, 'openapi.yaml'));
  return problems.map(({ code, message, range }) => `${code}: ${message} in line ${range.start.line + 1}`);
}

// The file without one operationId. Both linters must complain about it, which shows that they read the file.
const withoutIds = source.replace(/^ +operationId: .*\n/m, '');

describe('openapi.yaml', () => {
  for (const [name, finds] of [['redocly', redoclyFinds], ['spectral', spectralFinds]]) {
    test(`has nothing that ${name} warns of`, async () => {
      assert.deepEqual(await finds(source), []);
      assert.match((await finds(withoutIds)).join('\n'), /operation-operationId/);
    });
  }
});
