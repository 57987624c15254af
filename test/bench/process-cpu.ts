import { readFileSync } from 'node:fs';

/** Of /proc/PID/stat; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

function statFields(pid: number): string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The name, in brackets, may hold blanks; what follows begins with field 3.
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function children(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
}

/** Processor seconds that a process, the children it has waited for and those it has now have used. */
export function cpuSeconds(pid: number): number {
  const FIRST = 3;
  const fields = statFields(pid);
  // utime, stime, cutime, cstime
  const own = [14, 15, 16, 17].reduce((sum, field) => sum + Number(fields[field - FIRST]), 0) / TICKS_PER_SECOND;
  return children(pid).reduce((sum, child) => sum + cpuSeconds(child), own);
}
