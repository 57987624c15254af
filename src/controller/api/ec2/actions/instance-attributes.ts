import { CloudError } from '../../../../base/errors.ts';
import type { OperationInput, OperationOutput } from '../../../../messages/operations/index.ts';
import type { Ec2Action, Ec2Actions } from '../ec2-action.ts';
import { given } from '../group-trees.ts';
import { needId, wellFormedId } from '../id-params.ts';
import { blockDevices, DEFAULT_ROOT_DEVICE } from '../instance-trees.ts';
import { onlyDefaults, unsupported } from '../only-defaults.ts';
import type { Params } from '../params.ts';
import { shutdownBehavior } from '../run-parameters.ts';
import type { XmlTree } from '../xml-tree.ts';

type Shown = OperationOutput<'DescribeInstanceAttribute'>;
type Input = OperationInput<'ModifyInstanceAttribute'>;

const value = (text: string | boolean | undefined): XmlTree => (text === undefined ? {} : { value: text });

/** One row an attribute: what stands in the answer beside the instance's id. */
const ATTRIBUTES: Readonly<Record<string, (shown: Shown) => Readonly<Record<string, XmlTree>>>> = {
  blockDeviceMapping: ({ instance }) => ({ blockDeviceMapping: blockDevices(instance) }),
  disableApiStop: ({ instance }) => ({ disableApiStop: value(instance.disableApiStop ?? false) }),
  disableApiTermination: ({ instance }) => ({ disableApiTermination: value(instance.disableApiTermination ?? false) }),
  ebsOptimized: () => ({ ebsOptimized: value(false) }),
  enaSupport: () => ({ enaSupport: value(false) }),
  enclaveOptions: () => ({ enclaveOptions: { enabled: false } }),
  groupSet: ({ instance }) => ({
    groupSet: (instance.securityGroups ?? []).map(({ groupId, groupName }) => ({ groupId, groupName })),
  }),
  instanceInitiatedShutdownBehavior: ({ instance }) => ({
    instanceInitiatedShutdownBehavior: value(instance.shutdownBehavior ?? 'stop'),
  }),
  instanceType: ({ instance }) => ({ instanceType: value(instance.instanceType) }),
  kernel: ({ instance }) => ({ kernel: value(instance.kernelId) }),
  productCodes: () => ({ productCodes: [] }),
  ramdisk: ({ instance }) => ({ ramdisk: value(instance.ramdiskId) }),
  rootDeviceName: ({ instance }) => ({ rootDeviceName: value(instance.rootDeviceName ?? DEFAULT_ROOT_DEVICE) }),
  sourceDestCheck: () => ({ sourceDestCheck: value(true) }),
  sriovNetSupport: () => ({ sriovNetSupport: {} }),
  userData: ({ userData }) => ({ userData: value(userData) }),
};

function attributeOf(params: Params, known: readonly string[]): string {
  const name = params.need('Attribute');
  if (known.includes(name)) return name;
  throw params.bad(
    'Attribute',
    `there is no attribute ${JSON.stringify(name.slice(0, 64))}; there are: ${known.join(', ')}`,
  );
}

const describeInstanceAttribute: Ec2Action = async (call) => {
  const InstanceId = needId(call.params, 'instance', 'InstanceId');
  const name = attributeOf(call.params, Object.keys(ATTRIBUTES));
  const shown = await call.run('DescribeInstanceAttribute', { InstanceId });
  return { instanceId: InstanceId, ...ATTRIBUTES[name]?.(shown) };
};

type Change = Omit<Input, 'InstanceId'>;

function truth(params: Params, name: string, text: string): boolean {
  const lower = text.toLowerCase();
  if (lower === 'true' || lower === 'false') return lower === 'true';
  throw params.bad(name, `must be true or false, not ${JSON.stringify(text.slice(0, 64))}`);
}

/** What can be only as it is. */
const only =
  (name: string, allowed: string) =>
  (_params: Params, text: string): Change => {
    if (text.toLowerCase() === allowed) return {};
    throw unsupported(name, `${JSON.stringify(text.slice(0, 64))} can't be had here, only ${allowed}`);
  };

/** How the one value of each attribute becomes a change; its name is EC2's with a small first letter. */
const CHANGES: Readonly<Record<string, (params: Params, text: string) => Change>> = {
  disableApiStop: (params, text) => ({ DisableApiStop: truth(params, 'DisableApiStop', text) }),
  disableApiTermination: (params, text) => ({ DisableApiTermination: truth(params, 'DisableApiTermination', text) }),
  ebsOptimized: only('EbsOptimized', 'false'),
  enaSupport: only('EnaSupport', 'false'),
  instanceInitiatedShutdownBehavior: (params, text) =>
    given({ InstanceInitiatedShutdownBehavior: shutdownBehavior(params, text) }),
  instanceType: (_params, text) => ({ InstanceType: text }),
  kernel: (_params, text) => ({ KernelId: wellFormedId('image', 'Kernel', text) }),
  ramdisk: (_params, text) => ({ RamdiskId: wellFormedId('image', 'Ramdisk', text) }),
  sourceDestCheck: only('SourceDestCheck', 'true'),
  userData: (_params, text) => ({ UserData: text.replace(/\s/g, '') }),
};

const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

/** `InstanceType.Value`, and the older `Attribute` with `Value`. */
function changes(params: Params): Change[] {
  const named = Object.entries(CHANGES).flatMap(([name, change]) => {
    const at = params.has(capital(name)) ? capital(name) : name;
    const text = valueAt(params, at);
    return text === undefined ? [] : [change(params, text)];
  });
  const groups = params.list('GroupId');
  const all = [
    ...named,
    ...(groups === undefined ? [] : [{ SecurityGroupIds: groups }]),
    ...(params.has('BlockDeviceMapping') ? [{ DeleteOnTermination: deviceDeletes(params) }] : []),
  ];
  const older = params.text('Attribute');
  if (older === undefined || older === 'groupSet' || older === 'blockDeviceMapping') return all;
  const text = params.text('Value');
  const change = Object.hasOwn(CHANGES, older) ? CHANGES[older] : undefined;
  if (change === undefined)
    throw params.bad(
      'Attribute',
      `${JSON.stringify(older.slice(0, 64))} can't be changed; these can: ${Object.keys(CHANGES).join(', ')}`,
    );
  return text === undefined ? all : [...all, change(params, text)];
}

/** Of each device that is named, whether its volume goes with the instance: nothing else of a mapping can be changed. */
function deviceDeletes(params: Params): Record<string, boolean> {
  const rows = params.structs('BlockDeviceMapping').map((mapping) => {
    const device = mapping.need('DeviceName');
    const goes = mapping.struct('Ebs')?.bool('DeleteOnTermination');
    if (goes === undefined) throw mapping.bad('Ebs.DeleteOnTermination', 'is needed: true or false');
    return [device, goes] as const;
  });
  return Object.fromEntries(rows);
}

/** `Name.Value`, or plain `Name` as some clients write it. */
function valueAt(params: Params, name: string): string | undefined {
  if (!params.has(name)) return undefined;
  const struct = (() => {
    try {
      return params.struct(name);
    } catch {
      return undefined;
    }
  })();
  return struct === undefined ? params.text(name) : struct.text('Value');
}

const modifyInstanceAttribute: Ec2Action = async (call) => {
  const { params } = call;
  const InstanceId = needId(params, 'instance', 'InstanceId');
  const all = changes(params);
  if (all.length === 0) {
    throw new CloudError('MissingParameter', 'Attribute: an attribute to change is needed', {
      details: { parameter: 'Attribute' },
    });
  }
  if (all.length > 1) {
    throw new CloudError(
      'InvalidParameterCombination',
      'Attribute: one attribute can be changed in a call, not several',
    );
  }
  await call.run('ModifyInstanceAttribute', { InstanceId, ...all[0] });
  return { return: true };
};

const resetInstanceAttribute: Ec2Action = async (call) => {
  const InstanceId = needId(call.params, 'instance', 'InstanceId');
  const name = attributeOf(call.params, ['kernel', 'ramdisk', 'sourceDestCheck']);
  // The check is always on.
  const reset: Change = name === 'kernel' || name === 'ramdisk' ? { Reset: name } : {};
  await call.run('ModifyInstanceAttribute', { InstanceId, ...reset });
  return { return: true };
};

/** Instances have the one setting that RunInstances takes; saying it again changes nothing. */
const modifyMetadataOptions: Ec2Action = async (call) => {
  const { params } = call;
  const InstanceId = needId(params, 'instance', 'InstanceId');
  onlyDefaults(params, {
    HttpEndpoint: ['enabled'],
    HttpProtocolIpv6: ['disabled'],
    HttpPutResponseHopLimit: ['1'],
    HttpTokens: ['optional'],
    InstanceMetadataTags: ['disabled'],
  });
  await call.run('DescribeInstances', { InstanceIds: [InstanceId] });
  return {
    instanceId: InstanceId,
    instanceMetadataOptions: {
      state: 'applied',
      httpTokens: 'optional',
      httpPutResponseHopLimit: 1,
      httpEndpoint: 'enabled',
      httpProtocolIpv6: 'disabled',
      instanceMetadataTags: 'disabled',
    },
  };
};

export const instanceAttributesActions: Ec2Actions = {
  DescribeInstanceAttribute: describeInstanceAttribute,
  ModifyInstanceAttribute: modifyInstanceAttribute,
  ModifyInstanceMetadataOptions: modifyMetadataOptions,
  ResetInstanceAttribute: resetInstanceAttribute,
};
