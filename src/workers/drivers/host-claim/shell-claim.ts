import { z } from 'zod';
import type { Clock } from '../../../base/clock.ts';
import { CloudError, isCode } from '../../../base/errors.ts';
import { unreachable } from '../../../base/assert.ts';
import { humanDuration } from '../../../base/units.ts';
import type { ClaimRecord, ClaimTaken, ClaimWish, HostClaim, LedgerEntry } from '../../../ports/host-claim.ts';
import type { HostShell, ShellGuard } from '../../../ports/host-shell.ts';
import {
  claimPlaces,
  enrolArgv,
  guardOf,
  parseTakeAnswer,
  takeArgv,
  type ClaimPlaces,
  type TakeAnswer,
} from './claim-script.ts';
import { guardedShell } from './guarded-shell.ts';
import { LedgerFile } from './ledger-file.ts';

/** The script itself waits at most 20 s for another claim and 10 s for commands to die. */
const TAKE_TIMEOUT_MS = 45_000;

const ClaimSchema = z.object({
  v: z.literal(1),
  epoch: z.int(),
  session: z.string(),
  cloudId: z.string(),
  hostId: z.string(),
  workerId: z.string(),
  atMs: z.number(),
});
function parseJson<T>(schema: z.ZodType<T>, text: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The claim in folder `claim` of the host's own folder, by scripts over its shell; and the shell that is guarded by it. */
export class ShellClaim implements HostClaim {
  /** For the drivers. */
  readonly shell: HostShell;
  readonly #raw: HostShell;
  readonly #clock: Clock;
  readonly #places: ClaimPlaces;
  readonly #overSsh: boolean;
  readonly #onTaken: () => void;
  #guard: ShellGuard | undefined;
  #ledger: LedgerFile | undefined;

  /** `onTaken`: called each time that the host has become ours. */
  constructor(parts: { shell: HostShell; clock: Clock; baseDir: string; overSsh: boolean; onTaken?: () => void }) {
    this.#onTaken = parts.onTaken ?? (() => undefined);
    this.#raw = parts.shell;
    this.#clock = parts.clock;
    this.#places = claimPlaces(parts.baseDir);
    this.#overSsh = parts.overSsh;
    this.shell = guardedShell(parts.shell, {
      guard: () => this.#guard,
      enrol: (guard) => this.#enrol(guard),
    });
  }

  async read(): Promise<ClaimRecord | undefined> {
    let text: string;
    try {
      text = (await this.#raw.readFile(this.#places.claim, { maxBytes: 4096 })).toString('utf8');
    } catch (error) {
      if (isCode(error, 'NotFound')) return undefined;
      throw error;
    }
    const claim = parseJson<ClaimRecord>(ClaimSchema, text);
    if (claim === undefined) throw this.#damaged(text);
    return claim;
  }

  async take(wish: ClaimWish): Promise<ClaimTaken> {
    const { replaces, ...rest } = wish;
    const claim: ClaimRecord = { v: 1, ...rest, atMs: this.#clock.nowMs() };
    const argv = takeArgv({ places: this.#places, claim, replaces, overSsh: this.#overSsh });
    const { exitCode, stdout, stderr } = await this.#raw.exec(argv, { timeoutMs: TAKE_TIMEOUT_MS });
    const answer = exitCode === 0 ? parseTakeAnswer(stdout) : undefined;
    if (answer === undefined) {
      const words = stderr.trim().split('\n')[0] ?? '';
      throw new CloudError('HostError', `${this.#raw.name} could not be claimed: ${words || `exit code ${exitCode}`}`);
    }
    if (answer.kind !== 'claimed') throw this.#refusal(answer, wish);
    this.#guard = guardOf(this.#places, wish);
    this.#onTaken();
    const { endedCommands, endedConnections } = answer;
    const before = parseJson<ClaimRecord>(ClaimSchema, answer.before);
    this.#ledger = new LedgerFile(this.shell, this.#places, answer.ledger);
    const ledger = this.#ledger.entries();
    return { ...(before === undefined ? {} : { before }), endedCommands, endedConnections, ledger };
  }

  record(entries: readonly LedgerEntry[], forget: readonly string[]): Promise<void> {
    if (this.#ledger !== undefined) return this.#ledger.record(entries, forget);
    return Promise.reject(new CloudError('HostError', `${this.#raw.name} is not claimed by this worker`));
  }

  async release(): Promise<void> {
    if (this.#guard === undefined) return;
    await this.#mustRun(['rm', '-rf', '--', this.#places.dir], 'the claim can not be taken away');
  }

  async #enrol(guard: ShellGuard): Promise<void> {
    const argv = this.#overSsh ? enrolArgv(this.#places, guard.tag) : ['true'];
    await this.#mustRun(argv, 'the connection can not be noted');
  }

  async #mustRun(argv: string[], problem: string): Promise<void> {
    const { exitCode, stderr } = await this.shell.exec(argv);
    if (exitCode === 0) return;
    throw new CloudError('HostError', `${this.#raw.name}: ${problem}: ${stderr.trim() || `exit code ${exitCode}`}`);
  }

  #refusal(answer: Exclude<TakeAnswer, { kind: 'claimed' }>, wish: ClaimWish): CloudError {
    const { name } = this.#raw;
    const holder = parseJson<ClaimRecord>(ClaimSchema, answer.before);
    const details = { ...holder };
    switch (answer.kind) {
      case 'damaged':
        return this.#damaged(answer.before);
      case 'busy':
        return new CloudError('LockBusy', `${name} is being claimed by somebody else at this moment; try again`);
      case 'held':
        return new CloudError(
          'HostError',
          `${name} is claimed, but a command of the session before does not die: ${answer.more.split('\n')[0] ?? ''}`,
          { details: { commands: answer.more } },
        );
      case 'stale':
        return new CloudError(
          'StaleEpoch',
          `${name} has a later owner (epoch ${holder?.epoch ?? '?'}, session ${holder?.session ?? '?'}, worker ${holder?.workerId ?? '?'}) than epoch ${wish.epoch}`,
          { details },
        );
      case 'foreign':
        return new CloudError('InvalidHost.Duplicate', foreignText(name, this.#places, holder, wish, this.#clock), {
          details,
        });
      default:
        return unreachable(answer.kind);
    }
  }

  #damaged(text: string): CloudError {
    const { claim } = this.#places;
    return new CloudError(
      'CorruptState',
      `${claim} on ${this.#raw.name} can't be understood; if no other cloud uses this machine, remove it there`,
      { details: { text: text.slice(0, 200) } },
    );
  }
}

function foreignText(
  name: string,
  places: ClaimPlaces,
  holder: ClaimRecord | undefined,
  wish: ClaimWish,
  clock: Clock,
): string {
  const { cloudId = '?', hostId = '?', atMs = 0 } = holder ?? {};
  const ago = humanDuration(Math.max(0, clock.nowMs() - atMs));
  return cloudId === wish.cloudId
    ? `${name} is the same machine as host ${hostId} of this cloud; a machine is one host only`
    : `${name} belongs to cloud ${cloudId} (as host ${hostId}, claimed ${ago} ago); remove it there, or, if that cloud is no more, remove ${places.dir} on it`;
}
