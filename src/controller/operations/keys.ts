import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { generateSshKeyPair, parseSshPublicKey } from '../../base/openssh-key.ts';
import type { NewKeyPair } from '../../base/openssh-key.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { KeyPairRecord } from '../../domain/records.ts';
import { keyPairAmounts } from '../../domain/usage.ts';
import type { OperationOutput, OperationParsed } from '../../messages/operations/index.ts';
import type { Replica } from '../../ports/store.ts';
import type { Draft } from '../state/draft.ts';
import { claimQuota, quotaOwner, releaseQuota } from '../users/quota.ts';
import { dropTags, newTags, type Tags, tagsOf } from '../tags/resource-tags.ts';
import { type FilterFields, matchesFilters, requireFilters } from './filters.ts';
import type { ChangeContext, ChangeHandler, ReadHandler } from './handler.ts';
import { badParameter } from './handler.ts';

type View = OperationOutput<'DescribeKeyPairs'>['keyPairs'][number];

export const createKeyPair: ChangeHandler<'CreateKeyPair', NewKeyPair> = {
  prepare: (_context, input) => Promise.resolve(generateSshKeyPair(input.KeyType, input.KeyName)),
  decide(draft, input, context, made) {
    const record = addKeyPair(draft, context, input, made);
    return {
      output: { keyPair: view(record, input.Tags), keyMaterial: made.privateKey, operationId: context.operationId },
      targets: [record.id],
    };
  },
};

export const importKeyPair: ChangeHandler<'ImportKeyPair'> = {
  decide(draft, input, context) {
    const key = parseSshPublicKey(input.PublicKeyMaterial);
    if (key === undefined) {
      throw new CloudError(
        'InvalidKey.Format',
        'PublicKeyMaterial: must be one OpenSSH public key line, ssh-ed25519 or ssh-rsa of at least 2048 bits',
        { details: { parameter: 'PublicKeyMaterial' } },
      );
    }
    const record = addKeyPair(draft, context, input, { ...key, publicKey: key.line });
    return { output: { keyPair: view(record, input.Tags), operationId: context.operationId }, targets: [record.id] };
  },
};

function addKeyPair(
  draft: Draft,
  context: ChangeContext,
  { KeyName: name, Tags }: Pick<OperationParsed<'ImportKeyPair'>, 'KeyName' | 'Tags'>,
  key: Pick<NewKeyPair, 'keyType' | 'publicKey' | 'fingerprint'>,
): KeyPairRecord {
  const at = KEYS.keyPair(context.principal.projectId, name);
  if (draft.get(at) !== undefined) {
    throw new CloudError(
      'InvalidKeyPair.Duplicate',
      `KeyName: a key pair ${name} exists already; delete it first or choose another name`,
      {
        details: { parameter: 'KeyName' },
      },
    );
  }
  const owner = quotaOwner(context.principal);
  claimQuota(draft, owner, keyPairAmounts);
  const record: KeyPairRecord = {
    v: 1,
    id: newId('keyPair', context.cloud.random),
    name,
    ...owner,
    keyType: key.keyType,
    fingerprint: key.fingerprint,
    publicKey: key.publicKey,
    createdAtMs: context.nowMs,
  };
  draft.put(at, record);
  newTags(draft, { projectId: record.projectId, resourceId: record.id, kind: 'key-pair' }, Tags);
  return record;
}

export const deleteKeyPair: ChangeHandler<'DeleteKeyPair'> = {
  decide(draft, input, context) {
    const name = nameOf(draft, context, input);
    const at = KEYS.keyPair(context.principal.projectId, name);
    const record = draft.get<KeyPairRecord>(at);
    if (record === undefined) throw notFound('KeyName', name);
    draft.del(at);
    releaseQuota(draft, record, keyPairAmounts);
    dropTags(draft, record.id);
    const { operationId } = context;
    return { output: { keyName: record.name, keyPairId: record.id, operationId }, targets: [record.id] };
  },
};

function nameOf(
  draft: Draft,
  { principal }: ChangeContext,
  { KeyName: name, KeyPairId: id }: OperationParsed<'DeleteKeyPair'>,
): string {
  if ((name === undefined) === (id === undefined)) {
    throw new CloudError('MissingParameter', 'KeyName: it or KeyPairId is needed, and not both', {
      details: { parameter: 'KeyName' },
    });
  }
  if (name !== undefined) return name;
  const found = keyPairsOf(draft.replica, principal.projectId).find((row) => row.id === id);
  if (found === undefined) throw notFound('KeyPairId', id ?? '');
  return found.name;
}

/** All key pairs of a project, by name. */
export function keyPairsOf(replica: Pick<Replica, 'range'>, projectId: string): KeyPairRecord[] {
  return replica.range<KeyPairRecord>(`${PREFIX.keyPair}${projectId}/`).map((entry) => entry.value);
}

const FIELDS: FilterFields<KeyPairRecord> = {
  fingerprint: (row) => row.fingerprint,
  'key-name': (row) => row.name,
  'key-pair-id': (row) => row.id,
};

export const describeKeyPairs: ReadHandler<'DescribeKeyPairs'> = ({ cloud, principal }, input) => {
  const { store } = cloud;
  const { KeyNames: names, KeyPairIds: ids, Filters = [] } = input;
  const rows = keyPairsOf(store, principal.projectId);
  requireFilters(Filters, FIELDS, true);
  for (const name of names ?? []) if (!rows.some((row) => row.name === name)) throw notFound('KeyNames', name);
  for (const id of ids ?? []) if (!rows.some((row) => row.id === id)) throw notFound('KeyPairIds', id);
  const isNamed = (row: KeyPairRecord): boolean =>
    (names === undefined && ids === undefined) || names?.includes(row.name) === true || ids?.includes(row.id) === true;
  const keyPairs = rows
    .filter((row) => isNamed(row) && matchesFilters(row, Filters, FIELDS, ({ id }) => tagsOf(store, id)))
    .map((row) => view(row, tagsOf(store, row.id)));
  return { keyPairs, rev: store.rev };
};

function notFound(parameter: string, name: string): CloudError {
  const { message, details } = badParameter(parameter, `there is no key pair ${name}; see "novactl keypair list"`);
  return new CloudError('InvalidKeyPair.NotFound', message, { details: details ?? {} });
}

function view(record: KeyPairRecord, tags: Tags = {}): View {
  return {
    keyPairId: record.id,
    keyName: record.name,
    keyType: record.keyType,
    keyFingerprint: record.fingerprint,
    publicKey: record.publicKey,
    ...(Object.keys(tags).length === 0 ? {} : { tags }),
    createdAtMs: record.createdAtMs,
  };
}
