import { REFUSED_SETTINGS } from '../../src/controller/api/s3/actions/absent-settings.ts';
import { S3_ACTIONS } from '../../src/controller/api/s3/actions/index.ts';
import { S3_NAMES } from './names.ts';
import { ALIASES, OWN, PARTLY, WHY_NOT } from './notes.ts';

export interface ActionRow {
  readonly action: string;
  readonly done: 'yes' | 'partly' | 'no';
  /** What not, or why not. */
  readonly note: string;
}

const refusals = new Map(REFUSED_SETTINGS.map(({ name, why }) => [name, why]));
const known = new Set(S3_ACTIONS.map(({ name }) => name));

function rowOf(action: string): ActionRow {
  const alias = ALIASES[action];
  if (alias !== undefined) return { ...rowOf(alias), action, note: `as ${alias}` };
  const why = refusals.get(action);
  if (why !== undefined) return { action, done: 'no', note: why };
  if (!known.has(action)) return { action, done: 'no', note: WHY_NOT[action] ?? '' };
  const own = OWN[action];
  if (own !== undefined) return { action, done: 'yes', note: own };
  const note = PARTLY[action] ?? '';
  return { action, done: note === '' ? 'yes' : 'partly', note };
}

/** Every action of S3 by name: those of its reference, and all that this cloud knows. */
export function s3Table(): ActionRow[] {
  return [...new Set([...S3_NAMES, ...known])].toSorted().map(rowOf);
}

export function s3Page(rows: readonly ActionRow[]): string {
  const count = (done: ActionRow['done']): number => rows.filter((row) => row.done === done).length;
  return [
    '# The S3 API, action by action',
    '',
    'Written by `node scripts/s3-table.ts`; a test fails when it is not what the sources say.',
    '',
    `Of ${rows.length} actions ${count('yes')} are carried out, ${count('partly')} partly. What is not carried out answers \`NotImplemented\`; so does a header that asks for what there is not: nothing is passed over in silence. Keys are any UTF-8 of up to 1,024 bytes. Addresses are path-style and virtual-host; preflight requests of browsers (OPTIONS) are answered by the bucket's CORS rules. Checksums are CRC32, CRC32C, CRC64NVME, SHA1 and SHA256, in headers and trailers; uploads have them as COMPOSITE or FULL_OBJECT by S3's rules. In an address that is signed in its query, parameters that begin with \`x-amz-\` count as headers, but for checksums, as S3 has it. \`x-amz-expected-bucket-owner\` is the id of the project or of its account.`,
    '',
    '| action | done | what not, or why not |',
    '|---|---|---|',
    ...rows.map(({ action, done, note }) => `| ${action} | ${done} | ${note} |`),
    '',
  ].join('\n');
}
