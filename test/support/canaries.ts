import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { namesIn, wordSecret, type Secret } from './secret-spellings.ts';
import { CANARY_DIR_VARIABLE, FINDINGS, HEARD, SECRETS, type Heard, type KnownSecret } from './canary-watch.ts';

/** What the tests of this process have for secrets. */
const known: Secret[] = [];

/** What is larger is no log of a test. */
const LOG_MAX_BYTES = 32 * 1024 * 1024;

/** What a cloud or a daemon writes that may hold no secret: logs and records. Not the files that secrets are kept in. */
const WRITTEN = /(^|\/)(log|[^/]*\.log|journal[^/]*|replica[^/]*)$/;

/** Commands that show a secret once, on stdout. */
const SHOWS_ONCE =
  /^(key (create|rotate)|keypair create|create-key|rotate-key|create-keypair|context export|sandbox)\b/;

function testPath(): string {
  // Not by vitest's `expect`: benchmarks and chaos use the same support without vitest.
  const worker = (globalThis as { __vitest_worker__?: { filepath?: string } }).__vitest_worker__;
  return worker?.filepath === undefined ? 'no test' : relative(process.cwd(), worker.filepath);
}

function note(file: string, line: object): void {
  const dir = process.env[CANARY_DIR_VARIABLE];
  if (dir !== undefined && existsSync(dir)) appendFileSync(join(dir, file), `${JSON.stringify(line)}\n`);
}

/** From now on to the end of the run nobody but its owner may have this word. Answers the word. */
export function watchFor(name: string, word: string): string {
  if (known.some((secret) => secret.spellings[0] === word)) return word;
  known.push(wordSecret(name, word));
  note(SECRETS, { name, word, test: testPath() } satisfies KnownSecret);
  return word;
}

/** A secret of a test's own choice, which is looked for until the run ends in all that is printed and written and in every argument list. */
export function canary(name: string): string {
  return watchFor(name, `Canary${randomBytes(12).toString('hex')}Zq`);
}

/** The middle of a private key in PEM: first and last lines say what it is. */
export function watchForPem(name: string, pem: string): void {
  const lines = pem.split('\n').filter((line) => /^[A-Za-z0-9+/=]{40,}$/.test(line));
  for (const line of pem.includes('OPENSSH') ? lines.slice(1) : lines) watchFor(name, line);
}

/** What somebody was told, and is not meant to have a secret in. */
export function heard(where: string, text: string): void {
  if (text !== '') note(HEARD, { where, test: testPath(), text } satisfies Heard);
}

/** What a command printed. What it shows once by intent is a secret from now on. */
export function heardOfCli(words: readonly string[], { stdout, stderr }: { stdout: string; stderr: string }): void {
  const line = words.join(' ');
  heard(`stderr of novactl ${line.slice(0, 200)}`, stderr);
  if (!SHOWS_ONCE.test(line)) {
    heard(`stdout of novactl ${line.slice(0, 200)}`, stdout);
    return;
  }
  for (const [, word = ''] of stdout.matchAll(/(?<![\w+/])([A-Za-z0-9+/]{40})(?![\w+/=])/g))
    if (!stdout.includes('PRIVATE KEY')) watchFor('secret access key', word);
  if (stdout.includes('PRIVATE KEY')) watchForPem('private key of a key pair', stdout.replaceAll(String.raw`\n`, '\n'));
}

/** A text that somebody has written: a finding if a secret of this process is in it. */
export function searchText(where: string, text: string): void {
  for (const name of namesIn(text, known)) note(FINDINGS, { where, test: testPath(), name });
}

/** Before the folder of a cloud or a daemon goes: its logs and records. */
export function searchRemains(dir: string): void {
  if (known.length === 0 || !existsSync(dir)) return;
  for (const path of readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
    const whole = join(dir, path);
    if (!WRITTEN.test(path)) continue;
    const facts = statSync(whole, { throwIfNoEntry: false });
    if (facts?.isFile() === true && facts.size <= LOG_MAX_BYTES) searchText(path, readFileSync(whole, 'latin1'));
  }
}
