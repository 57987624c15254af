import type { Ec2Action, Ec2Actions } from '../ec2-action.ts';
import { REFUSED_ACTIONS } from '../refused-actions.ts';
import { accountActions } from './account.ts';
import { addressesActions } from './addresses.ts';
import { imagesActions } from './images.ts';
import { instancesActions } from './instances.ts';
import { keyPairsActions } from './key-pairs.ts';
import { networksActions } from './networks.ts';
import { securityGroupsActions } from './security-groups.ts';
import { snapshotsActions } from './snapshots.ts';
import { tagsActions } from './tags.ts';
import { volumesActions } from './volumes.ts';

/** Every EC2 action that is carried out, wholly or partly. */
export const EC2_ACTIONS: Ec2Actions = {
  ...accountActions,
  ...addressesActions,
  ...imagesActions,
  ...instancesActions,
  ...keyPairsActions,
  ...networksActions,
  ...securityGroupsActions,
  ...snapshotsActions,
  ...tagsActions,
  ...volumesActions,
};

/** What carries an action out, or refuses it with the reason; undefined: nobody here has heard of it (InvalidAction). */
export function actionNamed(name: string): Ec2Action | undefined {
  return [EC2_ACTIONS, REFUSED_ACTIONS].find((table) => Object.hasOwn(table, name))?.[name];
}
