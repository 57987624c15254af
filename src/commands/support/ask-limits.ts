import type { OperationInput, OperationOutput } from '../../messages/operations/index.ts';
import { LIMIT_ALLOWED, limitIn, limitText, type LimitWish, type QuotaRow } from '../../views/quotas.ts';
import { dialogue } from './dialogue.ts';
import type { Session } from './session.ts';

type Limits = OperationInput<'SetQuota'>['Limits'];
type Quotas = OperationOutput<'DescribeQuotas'>;

/**
 * Asks the person at the terminal for each limit in turn; answers those that were typed, and nothing of what they left. Whoever leaves in the middle (ctrl-c,
 * the end of the input) has changed nothing.
 */
export async function askLimits(session: Session, { projectId, userName, quotas }: Quotas): Promise<Limits> {
  const { io } = session;
  const whose = userName === undefined ? projectId : `${userName} in ${projectId}`;
  session.output.message(`the limits of ${whose}: Enter keeps one; a number, "unlimited" or "default" sets it`);
  return dialogue(io, async (talk) => {
    const limits: Limits = {};
    for (const row of quotas) {
      const wish = await wishFor(row, talk.ask, (line) => io.stderr.write(`${line}\n`));
      if (wish !== undefined) limits[row.kind] = wish;
      if (typeof wish === 'number' && wish < row.used)
        io.stderr.write(
          `  that is less than the ${row.used} in use: they stay, and no more are made until there is room\n`,
        );
    }
    return limits;
  });
}

/** Asked again until it is one; undefined: the limit is kept. */
async function wishFor(
  row: QuotaRow,
  ask: (question: string) => Promise<string>,
  say: (line: string) => void,
): Promise<LimitWish | undefined> {
  for (;;) {
    const text = await ask(`${row.kind} (${row.used} in use, limit ${limitText(row)}): `);
    if (text === '') return undefined;
    const wish = limitIn(text);
    if (wish !== undefined) return wish;
    const shown = text.replaceAll(/\p{Cc}/gu, '?').slice(0, 80);
    say(`  ${row.kind} must be ${LIMIT_ALLOWED}, not "${shown}"; Enter keeps ${limitText(row)}`);
  }
}
