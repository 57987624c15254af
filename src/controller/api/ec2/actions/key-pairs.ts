import type { Ec2Actions } from '../ec2-action.ts';

export const keyPairsActions: Ec2Actions = {};
