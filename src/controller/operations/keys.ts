import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { generateSshKeyPair, parseSshPublicKey } from '../../base/openssh-key.ts';
import type { NewKeyPair } from '../../base/openssh-key.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { KeyPairRecord } from '../../domain/records.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { Draft } from '../state/draft.ts';
import type { ChangeContext, ChangeHandler, ReadHandler } from './handler.ts';
import { badParameter } from './handler.ts';

type View = OperationOutput<'DescribeKeyPairs'>['keyPairs'][number];

export const createKeyPair: ChangeHandler<'CreateKeyPair', NewKeyPair> = {
  prepare: (_context, input) => Promise.resolve(generateSshKeyPair(input.KeyType, input.KeyName)),
  decide(draft, input, context, made) {
    const record = addKeyPair(draft, context, input.KeyName, made);
    return {
      output: { keyPair: view(record), keyMaterial: made.privateKey, operationId: context.operationId },
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
    const record = addKeyPair(draft, context, input.KeyName, { ...key, publicKey: key.line });
    return { output: { keyPair: view(record), operationId: context.operationId }, targets: [record.id] };
  },
};

function addKeyPair(
  draft: Draft,
  context: ChangeContext,
  name: string,
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
  const record: KeyPairRecord = {
    v: 1,
    id: newId('keyPair', context.cloud.random),
    name,
    projectId: context.principal.projectId,
    keyType: key.keyType,
    fingerprint: key.fingerprint,
    publicKey: key.publicKey,
    createdAtMs: context.nowMs,
  };
  draft.put(at, record);
  return record;
}

export const deleteKeyPair: ChangeHandler<'DeleteKeyPair'> = {
  decide(draft, input, context) {
    const at = KEYS.keyPair(context.principal.projectId, input.KeyName);
    const record = draft.get<KeyPairRecord>(at);
    if (record === undefined) throw notFound('KeyName', input.KeyName);
    draft.del(at);
    return { output: { keyName: record.name, operationId: context.operationId }, targets: [record.id] };
  },
};

export const describeKeyPairs: ReadHandler<'DescribeKeyPairs'> = ({ cloud, principal }, input) => {
  const rows = cloud.store.range<KeyPairRecord>(`${PREFIX.keyPair}${principal.projectId}/`).map((entry) => entry.value);
  const { KeyNames: names } = input;
  for (const name of names ?? []) if (!rows.some((row) => row.name === name)) throw notFound('KeyNames', name);
  const keyPairs = rows.filter((row) => names === undefined || names.includes(row.name)).map(view);
  return { keyPairs, rev: cloud.store.rev };
};

function notFound(parameter: string, name: string): CloudError {
  const { message, details } = badParameter(parameter, `there is no key pair ${name}; see "novactl keypair list"`);
  return new CloudError('InvalidKeyPair.NotFound', message, { details: details ?? {} });
}

function view(record: KeyPairRecord): View {
  return {
    keyPairId: record.id,
    keyName: record.name,
    keyType: record.keyType,
    keyFingerprint: record.fingerprint,
    publicKey: record.publicKey,
    createdAtMs: record.createdAtMs,
  };
}
