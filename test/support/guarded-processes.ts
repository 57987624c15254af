import { readdirSync, readFileSync } from 'node:fs';

/** The processes of a guarded command below a terminal's shell: the guard, and the node that it watches. */
export function guardedProcesses(shellPid: number): { guard: number; node: number } {
  const below = (parent: number): number => {
    for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
      try {
        const [, rest = ''] = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ');
        if (rest.split(' ')[1] === String(parent)) return Number(name);
      } catch {
        // It ended meanwhile.
      }
    }
    throw new Error(`nothing runs below ${parent}`);
  };
  const guard = below(shellPid);
  return { guard, node: below(guard) };
}
