import { z } from 'zod';
import { CloudError } from '../../../base/errors.ts';
import { KeyedLock } from '../../../base/keyed-lock.ts';
import type { LedgerEntry } from '../../../ports/host-claim.ts';
import type { HostShell } from '../../../ports/host-shell.ts';
import { recordArgv, recordInput, type ClaimPlaces } from './claim-script.ts';

/** A file that is larger than this, and than twice what counts in it, is written anew. */
const COMPACT_BYTES = 512 * 1024;

const Line = z.union([
  z.object({ v: z.literal(1), forget: z.string() }),
  z.object({
    v: z.literal(1),
    instanceId: z.string(),
    commandId: z.string(),
    generation: z.int(),
    verb: z.string(),
    state: z.enum(['begun', 'done']),
    step: z.string().optional(),
    atMs: z.number(),
    outcome: z.record(z.string(), z.unknown()).optional(),
  }),
]);

/** A line that was cut short by a crash was never confirmed to anybody. */
function parseLine(text: string): z.output<typeof Line> | undefined {
  try {
    return Line.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** The host's ledger: added to, since one sync then serves many entries, and written anew when most of it is of the past. */
export class LedgerFile {
  readonly #shell: HostShell;
  readonly #places: ClaimPlaces;
  readonly #entries = new Map<string, LedgerEntry>();
  readonly #turns = new KeyedLock();

  /** `shell`: guarded by the claim. */
  constructor(shell: HostShell, places: ClaimPlaces, lines: readonly string[]) {
    this.#shell = shell;
    this.#places = places;
    for (const text of lines) {
      const line = parseLine(text);
      if (line === undefined) continue;
      if ('forget' in line) this.#entries.delete(line.forget);
      else this.#entries.set(line.instanceId, line as LedgerEntry);
    }
  }

  entries(): LedgerEntry[] {
    return [...this.#entries.values()];
  }

  record(entries: readonly LedgerEntry[], forget: readonly string[]): Promise<void> {
    return this.#turns.run('file', async () => {
      const bytes = await this.#add(recordInput(entries, forget));
      for (const entry of entries) this.#entries.set(entry.instanceId, entry);
      for (const instanceId of forget) this.#entries.delete(instanceId);
      if (bytes > COMPACT_BYTES) await this.#compact(bytes);
    });
  }

  async #add(lines: string): Promise<number> {
    const { exitCode, stdout, stderr } = await this.#shell.exec(recordArgv(this.#places), { stdin: lines });
    if (exitCode === 0) return Number(stdout);
    const words = stderr.trim() || `exit code ${exitCode}`;
    throw new CloudError('HostError', `${this.#shell.name}: the ledger can not be written: ${words}`);
  }

  async #compact(bytes: number): Promise<void> {
    const whole = recordInput(this.entries(), []);
    if (Buffer.byteLength(whole) * 2 < bytes) await this.#shell.writeFile(this.#places.ledger, whole);
  }
}
