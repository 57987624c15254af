import type { Ec2Actions } from '../ec2-action.ts';

export const imagesActions: Ec2Actions = {};
