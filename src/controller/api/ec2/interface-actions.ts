import { CloudError } from '../../../base/errors.ts';
import { askedPage } from './actions/security-groups.ts';
import type { Ec2Action, Ec2Actions } from './ec2-action.ts';
import { given } from './group-trees.ts';
import { attachmentTree, interfaceTree } from './network-trees.ts';
import type { XmlTree } from './xml-tree.ts';

const ATTRIBUTES = ['attachment', 'description', 'groupSet', 'sourceDestCheck'] as const;

const describeAttribute: Ec2Action = async (call) => {
  const { params } = call;
  const id = params.need('NetworkInterfaceId');
  const asked = params.text('Attribute') ?? '';
  const name = ATTRIBUTES.find((one) => one === asked);
  if (name === undefined) throw params.bad('Attribute', `must be one of ${ATTRIBUTES.join(', ')}`);
  const { networkInterfaces } = await call.run('DescribeNetworkInterfaces', { NetworkInterfaceIds: [id] });
  const [found] = networkInterfaces;
  const values: Readonly<Record<(typeof ATTRIBUTES)[number], XmlTree>> = {
    attachment: found === undefined ? undefined : attachmentTree(call, found),
    description: { value: '' },
    groupSet: found?.groups,
    sourceDestCheck: { value: true },
  };
  return { networkInterfaceId: id, [name]: values[name] };
};

/** Groups of an interface are those of its instance; nothing else of it can be changed. */
const modifyAttribute: Ec2Action = async (call) => {
  const { params } = call;
  const id = params.need('NetworkInterfaceId');
  const groups = params.list('SecurityGroupId');
  const check = params.struct('SourceDestCheck')?.bool('Value');
  if (check === false) {
    throw new CloudError(
      'UnsupportedOperation',
      'SourceDestCheck: hosts let an instance send from its own address alone; it is always true',
      { details: { parameter: 'SourceDestCheck' } },
    );
  }
  if (groups === undefined && check === undefined) {
    throw new CloudError('MissingParameter', 'SecurityGroupId: is needed, or SourceDestCheck');
  }
  const { networkInterfaces } = await call.run('DescribeNetworkInterfaces', { NetworkInterfaceIds: [id] });
  const [found] = networkInterfaces;
  if (found !== undefined && groups !== undefined) {
    await call.run('ModifyInstanceAttribute', { InstanceId: found.instanceId, SecurityGroupIds: groups });
  }
  return { return: true };
};

export const interfaceActions: Ec2Actions = {
  DescribeNetworkInterfaces: async (call) => {
    const { networkInterfaces, nextToken } = await call.run('DescribeNetworkInterfaces', {
      ...given({ NetworkInterfaceIds: call.params.list('NetworkInterfaceId') }),
      ...askedPage(call),
    });
    return { networkInterfaceSet: networkInterfaces.map((nic) => interfaceTree(call, nic)), nextToken };
  },
  DescribeNetworkInterfaceAttribute: describeAttribute,
  ModifyNetworkInterfaceAttribute: modifyAttribute,
};
