type Env = Readonly<Record<string, string | undefined>>;

export type Paint = 'good' | 'busy' | 'bad' | 'dim' | 'bold';

const SGR: Readonly<Record<Paint, string>> = { good: '32', busy: '33', bad: '31', dim: '2', bold: '1' };

export function paint(text: string, kind: Paint | undefined, color: boolean): string {
  return color && kind !== undefined && text !== '' ? `\x1b[${SGR[kind]}m${text}\x1b[0m` : text;
}

/** Colour goes to a terminal that has not said no (no-color.org; TERM=dumb; --no-color). */
export function wantsColor(options: { isTty: boolean; env: Env; noColor: boolean }): boolean {
  const { isTty, env, noColor } = options;
  return isTty && !noColor && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

/** What stands for something that was cut: an ellipsis where the locale can show one. */
export function cutMark(env: Env): string {
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find((value) => value !== undefined && value !== '');
  return /utf-?8/i.test(locale ?? '') ? '…' : '~';
}

const STATE_PAINT: Readonly<Record<string, Paint>> = {
  running: 'good',
  up: 'good',
  available: 'good',
  succeeded: 'good',
  pending: 'busy',
  stopping: 'busy',
  'shutting-down': 'busy',
  draining: 'busy',
  maintenance: 'busy',
  stopped: 'dim',
  terminated: 'dim',
  deregistered: 'dim',
  down: 'bad',
  failed: 'bad',
};

/** The colour of a state's word; never the only sign of it. */
export function statePaint(state: string): Paint | undefined {
  return STATE_PAINT[state];
}
