import { fstatSync } from 'node:fs';
import { Flags } from '@oclif/core';
import type { ErrorCode } from '../../base/error-codes.ts';
import { CloudError } from '../../base/errors.ts';
import type { ConsoleEnd } from '../../messages/console.ts';
import { plainText } from '../../views/text.ts';
import { BaseCommand } from '../support/base-command.ts';
import type { ConsoleOutcome, Terminal } from '../support/attach-console.ts';
import { controlKey, controlKeyName, type ConsoleKeys } from '../support/console-keys.ts';
import { readLogTail } from '../support/console.ts';
import { duration, idArg } from '../support/flags.ts';
import type { Session } from '../support/session.ts';

const TAIL_BYTES = 4096;
const TAIL_LINES = 12;

const END_CODE = {
  'guest-stopped': 'Unreachable',
  'taken-over': 'Conflict',
  'host-lost': 'Unavailable',
  denied: 'UnauthorizedOperation',
  closed: 'Unavailable',
} as const satisfies Record<ConsoleEnd['reason'], ErrorCode>;

export class InstanceConsole extends BaseCommand {
  static override summary = "connect this terminal to an instance's serial console";
  static override description =
    'Every key goes to the guest, ctrl-c too, but two: ctrl-] leaves (the guest goes on), and ctrl-^ types an stty command with the size of this terminal, which a serial line has no other way to tell. One session at a time has the console; --force takes it from the one that has, which is told so. The last lines of the log are shown first. When standard input is a pipe or a file it is sent as it is, and the command ends --linger after its end. Ends with 0 when it was left, 11 when the guest stopped, 5 when another session took the console over, 4 when its user may not have it any more, 7 when its host was lost.';
  static override aliases = ['console-instance'];
  static override examples = [
    '<%= config.bin %> instance console i-0123456789abcdef0',
    '<%= config.bin %> instance console i-0123456789abcdef0 --force --escape ^A',
    "printf 'uptime\\r' | <%= config.bin %> instance console i-0123456789abcdef0 --linger 2s",
  ];
  static override args = idArg('instance to connect to');
  static override flags = {
    force: Flags.boolean({ description: 'take the console over from the session that has it' }),
    escape: Flags.string({ description: 'key that leaves the console', helpValue: 'KEY', default: '^]' }),
    'size-key': Flags.string({
      description: 'key that types the size of this terminal into the guest, or none',
      helpValue: 'KEY',
      default: '^^',
    }),
    linger: duration('linger', {
      description: 'where input is no terminal: how long to go on printing after its end',
      default: 1000,
      defaultText: '1s',
    }),
  };
  static override parameters = { InstanceId: 'ID', Force: '--force' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(InstanceConsole);
    const keys = keysOf(flags.escape, flags['size-key']);
    const session = this.open(flags);
    const { stdin, stdout, stderr } = process;
    const terminal: Terminal = { stdin, stdout, stderr };
    const interactive = stdin.isTTY;
    if (!interactive) refuseNoInput();
    const tail = interactive ? await lastLines(session, args.id) : '';
    const channel = await session.duplex('OpenConsole', { InstanceId: args.id, Force: flags.force });
    const { attachPipe, attachTerminal } = await import('../support/attach-console.ts');
    const { clock, signal } = this.io;
    if (!interactive) {
      const outcome = await attachPipe(channel, terminal, { lingerMs: flags.linger, clock, signal });
      return finish(session, args.id, outcome);
    }
    const { endWithParent } = await import('../support/end-with-parent.ts');
    const parent = endWithParent(clock);
    session.output.message(greeting(args.id, keys));
    session.output.data(tail);
    try {
      const both = AbortSignal.any([signal, parent.signal]);
      finish(session, args.id, await attachTerminal(channel, terminal, { keys, clock, signal: both }));
    } finally {
      parent.stop();
    }
  }
}

function keysOf(escape: string, size: string): ConsoleKeys {
  const keys = {
    detach: controlKey('--escape', escape),
    size: size === 'none' ? undefined : controlKey('--size-key', size),
  };
  if (keys.detach === keys.size) {
    throw new CloudError('InvalidParameterCombination', `--escape and --size-key are both ${escape}`);
  }
  return keys;
}

function greeting(id: string, { detach, size }: ConsoleKeys): string {
  const tell = size === undefined ? '' : `, ${controlKeyName(size)} tells the guest this terminal's size`;
  return `connected to ${id}; ${controlKeyName(detach)} detaches${tell}`;
}

/** A terminal, a pipe and a file are somebody's input; /dev/null is nobody's. */
function refuseNoInput(): void {
  if (!fstatSync(0).isCharacterDevice()) return;
  throw new CloudError(
    'IncorrectState',
    'the console needs a terminal, or a pipe with what is to be typed; to read only, use: novactl instance log ID --follow',
  );
}

/** So that one sees where one is. A log that can't be read now does not keep anybody from the console. */
async function lastLines(session: Session, id: string): Promise<string> {
  const bytes = await readLogTail(session, id, TAIL_BYTES).catch(() => Buffer.alloc(0));
  const lines = plainText(bytes.toString('utf8')).split('\n').slice(-TAIL_LINES);
  return lines.join('\n');
}

function finish({ output }: Session, id: string, outcome: ConsoleOutcome): void {
  if (outcome.kind === 'detached') {
    output.message(`detached from ${id}`);
    return;
  }
  throw new CloudError(END_CODE[outcome.reason], `the console of ${id} ended: ${outcome.message}`, {
    details: { reason: outcome.reason },
  });
}
