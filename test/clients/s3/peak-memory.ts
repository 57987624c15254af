import { readFileSync, writeFileSync } from 'node:fs';

/** The kernel's own mark of the most memory that a process had resident, counted anew from now on (`clear_refs`, proc(5)). */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** MiB since `resetPeak`. */
export function peakMib(pid: number): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  if (kib === undefined) throw new Error(`the kernel does not tell the peak of process ${pid}`);
  return Number(kib) / 1024;
}
