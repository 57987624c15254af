import * as sdk from '@aws-sdk/client-ec2';
import { errorText } from '../../src/base/errors.ts';
import { absentActions } from '../../src/controller/api/ec2/absent-actions.ts';
import { EC2_ACTIONS } from '../../src/controller/api/ec2/actions/index.ts';
import type { Ec2Call } from '../../src/controller/api/ec2/ec2-action.ts';
import { REFUSED_ACTIONS } from '../../src/controller/api/ec2/refused-actions.ts';
import { PARTLY } from './partly.ts';

export interface ActionRow {
  readonly action: string;
  readonly done: 'yes' | 'partly' | 'no';
  /** What not, or why not. */
  readonly note: string;
}

/** Every action of EC2 by name: those that Amazon's own SDK has, and all that this cloud knows. */
export async function ec2Table(): Promise<ActionRow[]> {
  const ofSdk = Object.keys(sdk).flatMap((name) => /^([A-Z]\w+)Command$/.exec(name)?.[1] ?? []);
  const names = new Set([...ofSdk, ...Object.keys(EC2_ACTIONS), ...Object.keys(REFUSED_ACTIONS)]);
  return Promise.all([...names].toSorted().map(rowOf));
}

async function rowOf(action: string): Promise<ActionRow> {
  if (Object.hasOwn(absentActions, action)) return { action, done: 'partly', note: 'there are none: an empty list' };
  const note = PARTLY[action];
  if (note !== undefined) return { action, done: 'partly', note };
  if (Object.hasOwn(EC2_ACTIONS, action)) return { action, done: 'yes', note: '' };
  return { action, done: 'no', note: await refusal(action) };
}

/** What it says itself. */
async function refusal(action: string): Promise<string> {
  const refuse = REFUSED_ACTIONS[action];
  if (refuse === undefined) return '';
  const said = await refuse({} as Ec2Call).then(
    () => '',
    (error: unknown) => errorText(error),
  );
  return said.replace(`${action}: `, '');
}

export function ec2Page(rows: readonly ActionRow[]): string {
  const count = (done: ActionRow['done']): number => rows.filter((row) => row.done === done).length;
  const lines = rows.map(({ action, done, note }) => `| ${action} | ${done} | ${note} |`);
  return [
    '# The EC2 API, action by action',
    '',
    'Written by `node scripts/ec2-table.ts`; a test fails when it is not what the sources say.',
    '',
    `Of ${rows.length} actions ${count('yes')} are carried out, ${count('partly')} partly. An action with a reason beside its "no" answers \`UnsupportedOperation\` and that reason; any other that is not carried out answers \`InvalidAction\`. A parameter that an action does not know is refused by name (\`UnknownParameter\`), one that asks for what this cloud does not have by \`UnsupportedOperation\`: nothing is passed over in silence. What is signed for the service \`sts\` is answered at the same address, \`GetCallerIdentity\` alone: Terraform and Ansible ask it before they begin.`,
    '',
    '| action | done | what not, or why not |',
    '|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}
