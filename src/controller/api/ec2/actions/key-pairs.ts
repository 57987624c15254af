import { isoTime } from '../../../../base/clock.ts';
import { CloudError, isCode } from '../../../../base/errors.ts';
import type { OperationOutput } from '../../../../messages/operations/index.ts';
import { pageParams, tagSet } from '../common-params.ts';
import type { Ec2Action, Ec2Actions } from '../ec2-action.ts';
import { given } from '../group-trees.ts';
import { onlyDefaults, tagsOfOnly } from '../only-defaults.ts';
import type { Params } from '../params.ts';

type KeyPair = OperationOutput<'DescribeKeyPairs'>['keyPairs'][number];

const keyTree = ({ keyPairId, keyName, keyFingerprint, tags = {} }: KeyPair) => ({
  keyName,
  keyFingerprint,
  keyPairId,
  tagSet: tagSet(tags),
});

const tagsOf = (params: Params) => given({ Tags: tagsOfOnly(params, 'key-pair') });

const createKeyPair: Ec2Action = async (call) => {
  const { params } = call;
  onlyDefaults(params, { KeyFormat: ['pem'] });
  const type = params.text('KeyType') ?? 'rsa';
  if (type !== 'rsa' && type !== 'ed25519') {
    throw params.bad('KeyType', `must be rsa or ed25519, not ${JSON.stringify(type.slice(0, 64))}`);
  }
  const asked = { KeyName: params.need('KeyName'), KeyType: type, ...tagsOf(params) } as const;
  const { keyPair, keyMaterial } = await call.run('CreateKeyPair', asked);
  return { ...keyTree(keyPair), keyMaterial };
};

/** The key's line, which comes in base64; clients of long ago sent it as it is. */
function publicKey(params: Params): string {
  const text = params.need('PublicKeyMaterial');
  return text.startsWith('ssh-') ? text : Buffer.from(text, 'base64').toString();
}

const importKeyPair: Ec2Action = async (call) => {
  const { params } = call;
  const asked = { KeyName: params.need('KeyName'), PublicKeyMaterial: publicKey(params), ...tagsOf(params) };
  const { keyPair } = await call.run('ImportKeyPair', asked);
  return keyTree(keyPair);
};

const describeKeyPairs: Ec2Action = async (call) => {
  const { params } = call;
  const withKey = params.bool('IncludePublicKey') === true;
  const asked = given({
    KeyNames: params.list('KeyName'),
    KeyPairIds: params.list('KeyPairId'),
    Filters: pageParams(params).Filters,
  });
  const { keyPairs } = await call.run('DescribeKeyPairs', asked);
  return {
    keySet: keyPairs.map((one) => ({
      ...keyTree(one),
      keyType: one.keyType,
      createTime: isoTime(one.createdAtMs),
      ...(withKey ? { publicKey: one.publicKey } : {}),
    })),
  };
};

/** A key pair that is not there is deleted: so EC2 has it. */
const deleteKeyPair: Ec2Action = async (call) => {
  const { params } = call;
  const which = given({ KeyName: params.text('KeyName'), KeyPairId: params.text('KeyPairId') });
  if (which.KeyName === undefined && which.KeyPairId === undefined) {
    throw new CloudError('MissingParameter', 'KeyName: it or KeyPairId is needed', {
      details: { parameter: 'KeyName' },
    });
  }
  const done = await call.run('DeleteKeyPair', which).catch((error: unknown) => {
    if (isCode(error, 'InvalidKeyPair.NotFound')) return undefined;
    throw error;
  });
  return { return: true, keyPairId: done?.keyPairId };
};

export const keyPairsActions: Ec2Actions = {
  CreateKeyPair: createKeyPair,
  DeleteKeyPair: deleteKeyPair,
  DescribeKeyPairs: describeKeyPairs,
  ImportKeyPair: importKeyPair,
};
