import { Flags } from '@oclif/core';
import { plainText } from '../../views/text.ts';
import { BaseCommand } from '../support/base-command.ts';
import { idArg } from '../support/flags.ts';
import { readConsole } from '../support/console.ts';

const PAUSE_MS = 1000;

export class InstanceLog extends BaseCommand {
  static override summary = "print an instance's serial console log";
  static override description =
    'Prints the last 64 KiB. On a terminal control characters of the guest are left out, so that it can not steer the terminal; elsewhere the bytes are printed as they are.';
  static override aliases = ['log-instance'];
  static override examples = [
    '<%= config.bin %> instance log i-0123456789abcdef0',
    '<%= config.bin %> instance log i-0123456789abcdef0 --follow',
    '<%= config.bin %> instance log i-0123456789abcdef0 --all --raw',
  ];
  static override args = idArg('instance whose log to print');
  static override flags = {
    follow: Flags.boolean({ char: 'f', description: 'go on printing what comes, until interrupted' }),
    all: Flags.boolean({ char: 'a', description: 'from the beginning' }),
    raw: Flags.boolean({ description: 'print the bytes as they are, on a terminal too' }),
  };
  static override parameters = { InstanceId: 'ID' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(InstanceLog);
    const session = this.open(flags);
    const { stdout, clock, signal } = this.io;
    const decoder = new TextDecoder();
    const clean = stdout.isTty && !flags.raw;
    let fromByte = flags.all ? 0 : undefined;
    for (;;) {
      const part = await readConsole(session, args.id, fromByte);
      if (clean) session.output.data(plainText(decoder.decode(part.bytes, { stream: true })));
      else session.output.bytes(part.bytes);
      fromByte = part.nextByte;
      if (part.bytes.length > 0 && (flags.all || flags.follow)) continue;
      if (!flags.follow) return;
      await clock.sleep(PAUSE_MS, signal);
    }
  }
}
