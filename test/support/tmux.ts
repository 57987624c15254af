import { execFileSync } from 'node:child_process';
import { until } from './until.ts';

/** One terminal of tmux with a shell in it: keys in, screen out. A server of its own, so that nobody else's is touched. */
export class Tmux {
  readonly #socket: string;
  readonly #env: NodeJS.ProcessEnv;

  /** `name`: of a second terminal of one test. */
  constructor(options: { env: NodeJS.ProcessEnv; columns: number; rows: number; cwd: string; name?: string }) {
    const { env, columns, rows, cwd } = options;
    this.#socket = `novactl-test-${process.pid}${options.name === undefined ? '' : `-${options.name}`}`;
    this.#env = { ...env, PS1: '$ ', TERM: 'xterm-256color', LANG: 'C.UTF-8' };
    const size = ['-x', String(columns), '-y', String(rows)];
    this.#run(
      '-f',
      '/dev/null',
      'new-session',
      '-d',
      ...size,
      '-c',
      cwd,
      'env',
      'PS1=$ ',
      'bash',
      '--norc',
      '--noprofile',
    );
  }

  #run(...words: string[]): string {
    return this.#fed('', ...words);
  }

  #fed(input: string, ...words: string[]): string {
    return execFileSync('tmux', ['-L', this.#socket, ...words], { env: this.#env, encoding: 'utf8', input });
  }

  /** What a user sees. */
  screen(): string {
    return this.#run('capture-pane', '-p');
  }

  /** Names as tmux has them: a word is typed, Enter, Escape, C-c are keys. */
  keys(...names: string[]): void {
    for (const name of names) this.#run('send-keys', name);
  }

  /** Types text as it is, then Enter. */
  command(text: string): void {
    this.#run('send-keys', '-l', '--', text);
    this.#run('send-keys', 'Enter');
  }

  /** Types what may not stand in an argument list, then Enter. */
  secret(text: string): void {
    this.#fed(text, 'load-buffer', '-');
    this.#run('paste-buffer', '-d');
    this.#run('send-keys', 'Enter');
  }

  resize(columns: number, rows: number): void {
    this.#run('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** Whether the cursor is shown, and whether the alternate screen is. */
  modes(): { cursor: boolean; alternate: boolean } {
    const [cursor, alternate] = this.#run('display', '-p', '#{cursor_flag} #{alternate_on}').trim().split(' ');
    return { cursor: cursor === '1', alternate: alternate === '1' };
  }

  /** The process of the shell. */
  shellPid(): number {
    return Number(this.#run('display', '-p', '#{pane_pid}'));
  }

  /** Waits for a screen; answers it. */
  async see(pattern: RegExp | string, timeoutMs = 15_000): Promise<string> {
    let screen = '';
    const there = (): boolean => {
      screen = this.screen();
      return typeof pattern === 'string' ? screen.includes(pattern) : pattern.test(screen);
    };
    await until(there, { what: `the screen shows ${String(pattern)}`, timeoutMs, everyMs: 50 }).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}:\n${screen}`);
      },
    );
    return screen;
  }

  close(): void {
    this.#run('kill-server');
  }
}
