import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { canary, heard, heardOfCli, searchRemains, watchFor, watchForPem } from '../../support/canaries.ts';
import { CANARY_DIR_VARIABLE, canaryFindings, CanaryWatch } from '../../support/canary-watch.ts';
import { until } from '../../support/until.ts';

const HERE = 'test/unit/support/canary-watch.test.ts';

/** A watch of this test, so that what is planted is no finding of the run around it. */
let watch: CanaryWatch;
beforeEach(() => {
  watch = new CanaryWatch();
  vi.stubEnv(CANARY_DIR_VARIABLE, watch.dir);
});
afterEach(() => {
  vi.unstubAllEnvs();
  watch.close();
});

/** A folder as a cloud leaves it. */
function remains(files: Readonly<Record<string, string>>): string {
  const dir = join(watch.dir, 'remains');
  mkdirSync(join(dir, 'state'), { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return dir;
}

describe('the watch for secrets of the tests', () => {
  it('says nothing where nothing was said', () => {
    const word = canary('quiet');
    heard('stderr of novactl status', 'all is well');
    searchRemains(remains({ 'daemon.log': '{"level":"info"}\n', 'state/seal.key': word }));
    expect(canaryFindings(watch.dir)).toEqual([]);
  });

  it('finds what a control plants in logs and records, in each spelling', () => {
    const word = canary('planted');
    const dir = remains({
      'daemon.log': `{"error":"wrong password ${word}"}\n`,
      'state/journal.1': Buffer.from(`ab${word}c`).toString('base64'),
      'state/replica.json': Buffer.from(word).toString('hex'),
    });
    searchRemains(dir);
    expect(canaryFindings(watch.dir)).toEqual(
      ['daemon.log', 'state/journal.1', 'state/replica.json'].map((place) => `planted of ${HERE} in ${place}`),
    );
  });

  it('finds what a command printed, and hides it in what it says of that', () => {
    const word = canary('printed');
    heardOfCli(['user', 'create', `--password=${word}`], { stdout: '', stderr: `error: no such word: ${word}` });
    const [finding = '', ...others] = canaryFindings(watch.dir);
    expect(finding).toBe(`printed of ${HERE} in stderr of novactl user create --password=*** (${HERE})`);
    expect(others).toEqual([]);
  });

  it('takes what a command shows once for a secret from then on', () => {
    const secret = randomBytes(30).toString('base64');
    const shown = secret.replaceAll(/[^A-Za-z0-9]/g, 'x');
    heardOfCli(['key', 'create'], { stdout: `secret access key ${shown}\n`, stderr: '' });
    expect(canaryFindings(watch.dir)).toEqual([]);
    heardOfCli(['op', 'show', 'op-1'], { stdout: `{"answer":"${shown}"}`, stderr: '' });
    expect(canaryFindings(watch.dir)).toEqual([
      `secret access key of ${HERE} in stdout of novactl op show op-1 (${HERE})`,
    ]);
  });

  it('knows a private key by each line that is the key', () => {
    const lines = [0, 1, 2].map(() => randomBytes(48).toString('base64').replaceAll(/[+/]/g, 'x'));
    const [first = '', second = '', third = ''] = lines;
    watchForPem('key', `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`);
    for (const line of [first, second, third]) heard('a log', `x${line}y`);
    expect(canaryFindings(watch.dir)).toEqual([`key of ${HERE} in a log (${HERE})`]);
    expect(readFileSync(join(watch.dir, 'heard'), 'utf8').split('\n')).toHaveLength(4);
  });

  it('finds what a control plants in the argument list of a process, and in a log beside it [real]', async () => {
    const word = watchFor('in an argument', `Canary${randomBytes(12).toString('hex')}`);
    appendFileSync(join(remains({}), 'daemon.log'), `the word is ${word}\n`);
    searchRemains(join(watch.dir, 'remains'));
    await until(() => watch.rounds() > 0, { what: 'the watch looks' });
    const child = spawn('sh', ['-c', 'sleep 30; :', 'sh', `--password=${word}`], { stdio: 'ignore' });
    try {
      const found = await until(() => canaryFindings(watch.dir)[1], { what: 'the watch has seen it' });
      expect(found).toBe(`in an argument of ${HERE} in daemon.log`);
      expect(canaryFindings(watch.dir)[0]).toBe(
        `in an argument of ${HERE} in an argument list: sh -c sleep 30; : sh --password=***`,
      );
    } finally {
      child.kill('SIGKILL');
    }
  });
});
