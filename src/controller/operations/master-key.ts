import { CloudError } from '../../base/errors.ts';
import type { OperationParsed } from '../../messages/operations/index.ts';
import type { MasterKeys, MasterKeyState } from '../../ports/sealer.ts';
import type { ControllerContext } from '../controller-context.ts';
import { refuseHeld } from '../hosts/held.ts';
import { countNotCurrent, resealAll } from '../users/reseal.ts';
import type { ChangeHandler } from './handler.ts';

interface Done {
  readonly resealed: number;
  readonly state: MasterKeyState;
}

type Step = OperationParsed<'RotateMasterKey'>['Step'];

interface Tools {
  readonly cloud: Pick<ControllerContext, 'store' | 'sealer'> & { readonly process: { readonly storeEngine: string } };
  readonly masterKeys: MasterKeys;
}

/**
 * No record says anything else afterwards, it is only sealed by another key, so all of it is done before the operation is recorded: what a crash cut short is
 * not said to have been done, and the same command goes on with it.
 */
export const rotateMasterKey: ChangeHandler<'RotateMasterKey', Done> = {
  async prepare({ cloud }, { Step: step }) {
    const { masterKeys } = cloud.sealer;
    if (masterKeys === undefined)
      throw new CloudError('UnsupportedOperation', 'the store is in memory, and so is its master key: nothing is kept');
    refuseHeld(cloud.store);
    const resealed = await STEPS[step]({ cloud, masterKeys });
    return { resealed, state: masterKeys.state() };
  },

  decide(_draft, { Step: step }, { operationId }, { resealed, state }) {
    const { current, next, old } = state;
    return {
      output: {
        ...{ step, masterKeyId: current, oldMasterKeyIds: [...old], resealed, operationId },
        ...(next === undefined ? {} : { nextMasterKeyId: next }),
      },
      targets: [current],
    };
  },
};

/** Each may be cut off anywhere, and done again. */
export const STEPS: Readonly<Record<Step, (tools: Tools) => Promise<number>>> = {
  async whole(tools) {
    const { cloud, masterKeys } = tools;
    if (cloud.process.storeEngine === 'etcd') {
      throw new CloudError(
        'InvalidParameterCombination',
        'Step: other processes of this cloud have a seal.key too: "novactl key rotate-master --step prepare" first, and copy it to them after each step',
        { details: { parameter: 'Step' } },
      );
    }
    // A rotation that was cut short is brought to its end, and no further key made.
    if (masterKeys.state().old.length === 0) await masterKeys.prepare();
    const resealed = await reseal(tools);
    await forget(tools);
    return resealed;
  },
  async prepare({ masterKeys }) {
    const { old } = masterKeys.state();
    if (old.length > 0) throw wrongStep('a rotation is under way: say --step reseal, then --step forget');
    await masterKeys.prepare();
    return 0;
  },
  reseal,
  async forget(tools) {
    await forget(tools);
    return 0;
  },
};

async function reseal({ cloud, masterKeys }: Tools): Promise<number> {
  const { next, old } = masterKeys.state();
  if (next === undefined && old.length === 0) throw wrongStep('there is no next key: say --step prepare first');
  await masterKeys.promote();
  return resealAll(cloud.store, cloud.sealer, masterKeys);
}

async function forget({ cloud, masterKeys }: Tools): Promise<void> {
  const left = await countNotCurrent(cloud.store, masterKeys);
  if (left > 0) throw wrongStep(`${left} secrets are not sealed by the key of now: say --step reseal first`);
  await masterKeys.forget();
}

const wrongStep = (text: string): CloudError =>
  new CloudError('IncorrectState', `Step: ${text}`, { details: { parameter: 'Step' } });
