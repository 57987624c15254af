import type { Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import { GIB, MIB } from '../../base/units.ts';
import { badImage } from '../../domain/qcow2-header.ts';
import { quoteForeign } from '../../domain/vmdk-descriptor.ts';
import { findProgram, runTool, type ToolLimits, type ToolResult } from './run-tool.ts';

/** What qemu-img is told to look at or to make; always named by us. */
export const SOURCE = 'source';
export const RESULT = 'result';

export interface Bench {
  readonly cwd: string;
  readonly virtualSizeBytes: number;
  /** Largest file that may come out. */
  readonly maxBytes: number;
  /** For which there is room. */
  readonly roomBytes: number;
  readonly signal: AbortSignal;
  readonly clock: Pick<Clock, 'after'>;
}

/** Tables of the largest disk fit; a header that asks for more does not. */
const MEMORY_BYTES = GIB;
const SECONDS = { least: 600, most: 43_200 };
/** The slowest that a disk may come out. */
const BYTES_A_SECOND = 16 * MIB;
/** `qemu-img check`: clusters that nothing uses are no harm to anybody. */
const LEAKS_ONLY = 3;

const limitsOf = ({ virtualSizeBytes, maxBytes, roomBytes }: Bench): ToolLimits => ({
  memoryBytes: MEMORY_BYTES,
  fileBytes: Math.min(maxBytes, roomBytes),
  seconds: Math.min(SECONDS.most, SECONDS.least + Math.ceil(virtualSizeBytes / BYTES_A_SECOND)),
});

async function qemuImg(bench: Bench, args: readonly string[], onOutput?: (text: string) => void): Promise<ToolResult> {
  const path = await findProgram('qemu-img');
  if (path === undefined) {
    throw new CloudError(
      'Unavailable',
      'qemu-img is missing on the controller, and VMDK images are converted by it: install the package qemu-utils, or give the image as qcow2',
    );
  }
  const run = { cwd: bench.cwd, argv: [path, ...args], limits: limitsOf(bench), signal: bench.signal };
  return runTool({ ...run, ...(onOutput === undefined ? {} : { onOutput }) }, bench.clock);
}

export const hasQemuImg = async (): Promise<boolean> => (await findProgram('qemu-img')) !== undefined;

/** The last line that it said, without the names of our files. */
function whyOf({ code, stdout, stderr, timedOut }: ToolResult): string {
  if (timedOut) return 'it took too long';
  const lines = `${stderr}\n${stdout}`.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  const line = lines.find((text) => /error|corrupt|invalid|could not/i.test(text)) ?? lines.at(0);
  if (line === undefined) return code === undefined ? 'it was killed at its limits' : `it ended with code ${code}`;
  return quoteForeign(line.trim().replace(/^qemu-img: /, ''));
}

/** Past the limit of a file. */
const TOO_LARGE = /File too large/;

/** What is ours to mend is no fault of the image. */
function failed(what: string, result: ToolResult, { maxBytes, roomBytes }: Bench): CloudError {
  const isFull = /No space left on device|Disk quota exceeded/.test(result.stderr);
  if (isFull || (roomBytes < maxBytes && TOO_LARGE.test(result.stderr))) {
    return new CloudError(
      'Unavailable',
      'no space is left to build the image: delete images or give the controller more room',
    );
  }
  if (result.code !== undefined && /^(unshare|setpriv|prlimit):/m.test(result.stderr)) {
    const why = quoteForeign(result.stderr.trim());
    return new CloudError('Unavailable', `qemu-img can't be run without rights on the controller: ${why}`);
  }
  return badImage(`the image is refused by ${what}: ${whyOf(result)}`);
}

interface Info {
  readonly format?: unknown;
  readonly encrypted?: unknown;
  readonly snapshots?: readonly unknown[];
  readonly 'virtual-size'?: unknown;
  readonly 'backing-filename'?: unknown;
  readonly 'full-backing-filename'?: unknown;
  readonly 'format-specific'?: { readonly data?: Readonly<Record<string, unknown>> };
}

function infoIn(text: string): Info {
  try {
    return JSON.parse(text) as Info;
  } catch {
    throw badImage('the image makes qemu-img info say more than can be read');
  }
}

function refuseInfo(info: Info, { virtualSizeBytes }: Bench): void {
  const outside =
    info['backing-filename'] ?? info['full-backing-filename'] ?? info['format-specific']?.data?.['data-file'];
  if (outside !== undefined) throw badImage(`the image has its data in another file: ${quoteForeign(String(outside))}`);
  if (info.encrypted === true) throw badImage('the image is encrypted; decrypt it first');
  if ((info.snapshots ?? []).length > 0) throw badImage('the image carries internal snapshots');
  if (info.format !== 'qcow2' || info['virtual-size'] !== virtualSizeBytes) {
    throw badImage('the image is not what its header says it is');
  }
}

/** QEMU's own opinion of a qcow2 whose header was found sound: that it opens, that nothing is outside of it, that its tables lead to bytes that are there. */
export async function checkQcow2(bench: Bench): Promise<readonly string[]> {
  const info = await qemuImg(bench, ['info', '-f', 'qcow2', '--output=json', SOURCE]);
  if (info.code !== 0) throw failed('qemu-img info', info, bench);
  refuseInfo(infoIn(info.stdout), bench);
  const checked = await qemuImg(bench, ['check', '-q', '-f', 'qcow2', SOURCE]);
  if (checked.code === LEAKS_ONLY) return ['has clusters that nothing uses'];
  if (checked.code !== 0) throw failed('qemu-img check (cut off or damaged)', checked, bench);
  return [];
}

/** Makes RESULT, a qcow2, of a VMDK that parseVmdk has let through. `onProgress` gets the part that is done, 0 to 1. */
export async function convertVmdk(bench: Bench, onProgress: (part: number) => void): Promise<void> {
  const checked = await qemuImg(bench, ['check', '-q', '-f', 'vmdk', SOURCE]);
  if (checked.code !== 0) throw failed('qemu-img check (cut off or damaged)', checked, bench);
  const onOutput = (text: string): void => {
    const percent = [...text.matchAll(/\((\d+\.\d+)\/100%\)/g)].at(-1)?.[1];
    if (percent !== undefined) onProgress(Number(percent) / 100);
  };
  const made = await qemuImg(bench, ['convert', '-p', '-f', 'vmdk', '-O', 'qcow2', SOURCE, RESULT], onOutput);
  if (made.code !== 0) throw failed('qemu-img convert', made, bench);
}
