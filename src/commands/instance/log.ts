import { Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { plainText } from '../../views/text.ts';
import { BaseCommand } from '../support/base-command.ts';
import { idArg } from '../support/flags.ts';
import { followConsoleLog } from '../support/follow-console-log.ts';

const TAIL_BYTES = 64 * 1024;
/** All that virtlogd keeps of a log, and more. */
const ALL_BYTES = 64 * 1024 * 1024;
/** A console has lines of 80 characters; control characters come on top. */
const LINE_BYTES = 200;
const LINES_MAX = 100_000;

export class InstanceLog extends BaseCommand {
  static override summary = "print an instance's serial console log";
  static override description =
    'Prints the last 64 KiB, --tail so many lines, or --all that its host has kept, older files of the log included. --follow goes on with what the guest prints, through restarts of the guest and of the cloud, until it is interrupted or the instance is terminated (then it ends with 11). On a terminal control characters of the guest are left out, so that it can not steer the terminal; elsewhere the bytes are printed as they are.';
  static override aliases = ['log-instance'];
  static override examples = [
    '<%= config.bin %> instance log i-0123456789abcdef0',
    '<%= config.bin %> instance log i-0123456789abcdef0 --tail 20 --follow',
    '<%= config.bin %> instance log i-0123456789abcdef0 --all --raw',
  ];
  static override args = idArg('instance whose log to print');
  static override flags = {
    follow: Flags.boolean({ char: 'f', description: 'go on printing what comes, until interrupted', default: false }),
    tail: Flags.custom<number>({
      description: 'so many lines of the end',
      helpValue: 'LINES',
      exclusive: ['all'],
      parse: (text) => Promise.resolve(lineCount(text)),
    })(),
    all: Flags.boolean({ char: 'a', description: 'from the beginning of what is kept' }),
    raw: Flags.boolean({ description: 'print the bytes as they are, on a terminal too' }),
  };
  static override parameters = { InstanceId: 'ID' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(InstanceLog);
    const session = this.open(flags);
    const { output } = session;
    const decoder = new TextDecoder();
    const clean = this.io.stdout.isTty && !flags.raw;
    const print = (bytes: Uint8Array): void => {
      if (clean) output.data(plainText(decoder.decode(bytes, { stream: true })));
      else output.bytes(bytes);
    };
    // The lines of the end are known when all of it is there.
    let held: Buffer[] | undefined = flags.tail === undefined ? undefined : [];
    const ask = { tailBytes: tailBytes(flags.all, flags.tail), follow: flags.follow };
    for await (const event of followConsoleLog(session, args.id, ask)) {
      if (event.kind === 'caught-up') {
        if (held !== undefined) print(lastLines(Buffer.concat(held), flags.tail ?? 0));
        held = undefined;
        continue;
      }
      if (event.skipped) output.warn('part of the log is gone: it was written faster than the host keeps it');
      if (held === undefined) print(event.bytes);
      else held.push(event.bytes);
    }
  }
}

function lineCount(text: string): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (count <= LINES_MAX) return count;
  const line = `--tail must be a whole number, 0 to ${LINES_MAX}, not "${text}"`;
  throw new CloudError('InvalidParameterValue', line, { details: { line } });
}

function tailBytes(all: boolean, lines: number | undefined): number {
  if (all) return ALL_BYTES;
  return lines === undefined ? TAIL_BYTES : Math.min(ALL_BYTES, Math.max(TAIL_BYTES, lines * LINE_BYTES));
}

/** The last lines of a text; a last one without an end counts too. */
export function lastLines(bytes: Buffer, count: number): Buffer {
  if (count === 0) return Buffer.alloc(0);
  let at = bytes.at(-1) === 10 ? bytes.length - 1 : bytes.length;
  for (let found = 0; found < count; found += 1) {
    if (at <= 0) return bytes;
    at = bytes.lastIndexOf(10, at - 1);
    if (at < 0) return bytes;
  }
  return bytes.subarray(at + 1);
}
