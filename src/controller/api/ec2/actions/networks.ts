import { absentActions } from '../absent-actions.ts';
import type { Ec2Actions } from '../ec2-action.ts';
import { interfaceActions } from '../interface-actions.ts';
import { routeActions } from '../route-actions.ts';
import { vpcActions } from '../vpc-actions.ts';

export const networksActions: Ec2Actions = { ...absentActions, ...interfaceActions, ...routeActions, ...vpcActions };
