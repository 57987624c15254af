import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export interface ProcessSamples {
  /** Every command line that was seen, words apart by NUL. */
  readonly argv: readonly string[];
  /** Every environment that was seen. */
  readonly environ: readonly string[];
  readonly rounds: number;
}

const EVERY_MS = 50;

/** Writes down what every process of this machine, those in namespaces too, has in its argv and environment. A process of its own: a busy test is no gap. */
export class ProcessSampler {
  readonly #child: ChildProcess;
  readonly #answer: Promise<ProcessSamples>;

  constructor() {
    const child = spawn(process.execPath, [import.meta.filename, 'sample'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child = child;
    this.#answer = new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
      child.once('error', reject);
      child.once('close', (code) => {
        if (code === 0) resolve(JSON.parse(Buffer.concat(chunks).toString('utf8')) as ProcessSamples);
        else reject(new Error(`the sampler ended with ${code}`));
      });
    });
  }

  stop(): Promise<ProcessSamples> {
    this.#child.stdin?.end();
    return this.#answer;
  }
}

function textOf(pid: string, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}

/** Samples until its stdin ends, and prints what it saw. */
function sample(): void {
  const argv = new Set<string>();
  const environ = new Set<string>();
  const known = new Map<string, string>();
  let rounds = 0;
  const look = (): void => {
    rounds += 1;
    for (const pid of readdirSync('/proc')) {
      if (!/^\d+$/.test(pid)) continue;
      const words = textOf(pid, 'cmdline');
      if (words === undefined || words === '' || known.get(pid) === words) continue;
      known.set(pid, words);
      argv.add(words);
      environ.add(textOf(pid, 'environ') ?? '');
    }
  };
  const timer = setInterval(look, EVERY_MS);
  process.stdin.resume().once('end', () => {
    clearInterval(timer);
    look();
    process.stdout.write(JSON.stringify({ argv: [...argv], environ: [...environ], rounds } satisfies ProcessSamples));
  });
}

if (process.argv[1] === import.meta.filename && process.argv[2] === 'sample') sample();
