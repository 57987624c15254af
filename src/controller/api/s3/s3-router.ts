import { CloudError } from '../../../base/errors.ts';
import type { S3Action } from './s3-action.ts';

/** Parameters that make a request another action; a request with one that no row has is not done as if it were not there. */
const SUBRESOURCES = new Set([
  ...[
    'abac',
    'accelerate',
    'acl',
    'analytics',
    'annotation',
    'attributes',
    'cors',
    'delete',
    'encryption',
    'intelligent-tiering',
    'inventory',
  ],
  ...[
    'legal-hold',
    'lifecycle',
    'location',
    'logging',
    'metadataAnnotationTable',
    'metadataConfiguration',
    'metadataInventoryTable',
    'metadataJournalTable',
    'metadataTable',
    'metrics',
  ],
  ...[
    'notification',
    'object-lock',
    'ownershipControls',
    'policy',
    'policyStatus',
    'publicAccessBlock',
    'renameObject',
  ],
  ...['replication', 'requestPayment', 'restore', 'retention', 'select', 'session', 'tagging', 'torrent', 'uploadId'],
  ...['uploads', 'versioning', 'versions', 'website'],
  // Of this cloud alone.
  ...['x-novactl-presign', 'x-novactl-quota'],
]);

/** Whether a parameter of the query makes the request another action than its method and path are. */
export const isSubresource = (name: string): boolean => SUBRESOURCES.has(name);

export interface Routed {
  readonly method: string;
  readonly bucketName: string;
  readonly key: string;
  readonly query: ReadonlyMap<string, string>;
  readonly hasHeader: (name: string) => boolean;
}

type Level = S3Action['level'];

function levelsOf({ bucketName, key }: Routed): readonly Level[] {
  if (bucketName === '') return ['service'];
  return key === '' ? ['bucket', 'new-bucket'] : ['object'];
}

/** Name and value of a row's mark: `list-type=2`, or `acl` with any value. */
function markOf({ query }: S3Action): { readonly name: string; readonly value: string | undefined } | undefined {
  if (query === undefined) return undefined;
  const at = query.indexOf('=');
  return at < 0 ? { name: query, value: undefined } : { name: query.slice(0, at), value: query.slice(at + 1) };
}

/** Subresources that the row answers for; a part is named by its number and its upload. */
function answersFor(action: S3Action): readonly string[] {
  const name = markOf(action)?.name;
  return name === undefined ? [] : name === 'partNumber' ? [name, 'uploadId'] : [name];
}

/** How much of the request the row asks for; undefined when the request lacks some of it. */
function weight(action: S3Action, { query, hasHeader }: Routed): number | undefined {
  const mark = markOf(action);
  if (mark !== undefined) {
    const value = query.get(mark.name);
    if (value === undefined || (mark.value !== undefined && mark.value !== value)) return undefined;
  }
  if (action.header !== undefined && !hasHeader(action.header)) return undefined;
  return (mark === undefined ? 0 : mark.value === undefined ? 2 : 3) + (action.header === undefined ? 0 : 1);
}

const notImplemented = (name: string): CloudError =>
  new CloudError('NotImplemented', `the parameter ${name} asks for what is not done here`);

function notAllowed(method: string, known: readonly S3Action[]): CloudError {
  const allow = [...new Set(known.map((action) => action.method))].toSorted().join(', ');
  return new CloudError(
    'MethodNotAllowed',
    `the method ${method.slice(0, 16)} is not allowed here: ${allow || 'none'}`,
    {
      details: { headers: { allow } },
    },
  );
}

/** The row for the request. Errors: 'NotImplemented' for a subresource that no row has, 'MethodNotAllowed'. */
export function routeS3(actions: readonly S3Action[], asked: Routed): S3Action {
  const levels = levelsOf(asked);
  const here = actions.filter(({ level }) => levels.includes(level));
  const subresources = [...asked.query.keys()].filter(isSubresource);
  const known = here.filter(
    (action) => subresources.length === 0 || answersFor(action).some((name) => subresources.includes(name)),
  );
  if (known.length === 0 && subresources[0] !== undefined) throw notImplemented(subresources[0]);
  let best: { action: S3Action; weight: number } | undefined;
  for (const action of known) {
    const found = action.method === asked.method ? weight(action, asked) : undefined;
    if (found !== undefined && found > (best?.weight ?? -1)) best = { action, weight: found };
  }
  if (best === undefined) throw notAllowed(asked.method, known);
  const met = answersFor(best.action);
  if (subresources.every((name) => met.includes(name))) return best.action;
  throw new CloudError('InvalidRequest', `the parameters ${subresources.join(' and ')} do not go together`);
}
