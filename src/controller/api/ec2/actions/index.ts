import type { Ec2Actions } from '../ec2-action.ts';
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

/** Every EC2 action that is answered; any other is InvalidAction. */
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
