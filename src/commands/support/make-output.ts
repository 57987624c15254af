import { Output } from '../../views/output.ts';
import { wantsColor } from '../../views/paint.ts';
import type { Io } from './io.ts';

/** The output of this process as the flags want it. */
export function makeOutput(
  io: Io,
  flags: { readonly quiet: boolean; readonly verbose: boolean; readonly 'no-color': boolean },
): Output {
  const { stdout, stderr, env } = io;
  const { quiet, verbose } = flags;
  const color = wantsColor({ isTty: stderr.isTty, env, noColor: flags['no-color'] });
  return new Output({ stdout, stderr, quiet, verbose, color, animated: stderr.isTty && env['TERM'] !== 'dumb' });
}
