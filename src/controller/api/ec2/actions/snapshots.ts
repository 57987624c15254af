import { tagSet, tagSpecifications } from '../common-params.ts';
import type { Ec2Actions, Ec2Call } from '../ec2-action.ts';
import { given, projectOrAsSaid } from '../group-trees.ts';
import { needId } from '../id-params.ts';
import { onlyDefaults } from '../only-defaults.ts';
import type { Params } from '../params.ts';
import { snapshotTree } from '../volume-trees.ts';
import { askedPage } from './security-groups.ts';

/** Words that stand for somebody; any other is an account. */
const WHO = ['self', 'all', 'amazon'];

/** Account ids as projects. */
function projects(call: Ec2Call, name: string): string[] | undefined {
  return call.params.list(name)?.map((id) => (WHO.includes(id) ? id : projectOrAsSaid(call, id)));
}

/** Who is let in or out. */
interface Permission {
  readonly projects: string[];
  readonly everybody: boolean;
}

/** `CreateVolumePermission.Add.1.UserId`, or the older `OperationType`, `UserId.1` and `UserGroup.1`. */
function permission(call: Ec2Call, kind: 'Add' | 'Remove'): Permission {
  const { params } = call;
  const rows = params.struct('CreateVolumePermission')?.structs(kind) ?? [];
  const isOlder = params.text('OperationType') === kind.toLowerCase();
  const users = [...rows.flatMap((row) => row.text('UserId') ?? []), ...((isOlder && params.list('UserId')) || [])];
  const groups = [...rows.flatMap((row) => row.text('Group') ?? []), ...((isOlder && params.list('UserGroup')) || [])];
  const unknown = groups.find((group) => group !== 'all');
  if (unknown !== undefined) throw params.bad('UserGroup', `there is no group ${JSON.stringify(unknown)}; must be all`);
  return { projects: users.map((id) => projectOf(call, params, id)), everybody: groups.length > 0 };
}

function projectOf(call: Ec2Call, params: Params, accountId: string): string {
  const project = call.projectOf(accountId);
  if (project === undefined)
    throw params.bad('UserId', `there is no account ${JSON.stringify(accountId.slice(0, 64))}`);
  return project;
}

/** Attributes of a snapshot that are asked for by name. */
function needAttribute(params: Params, names: readonly string[]): string {
  const attribute = params.text('Attribute') ?? names[0] ?? '';
  if (!names.includes(attribute)) throw params.bad('Attribute', `must be ${names.join(' or ')}`);
  return attribute;
}

export const snapshotsActions: Ec2Actions = {
  CopySnapshot: async (call) => {
    const { params, run, regions, region, zones } = call;
    const source = params.need('SourceRegion');
    if (!regions.some(({ name }) => name === source))
      throw params.bad('SourceRegion', `there is no region ${JSON.stringify(source)}; see DescribeRegions`);
    // Clients sign a second request and say their own region; neither is needed where all regions are one cloud.
    params.text('PresignedUrl');
    params.text('DestinationRegion');
    const Tags = tagSpecifications(params)['snapshot'];
    const { snapshot } = await run('CopySnapshot', {
      SourceSnapshotId: params.need('SourceSnapshotId'),
      ...given({
        Description: params.text('Description'),
        Encrypted: params.bool('Encrypted'),
        ...(source === region ? {} : { SourceRegion: source, AvailabilityZone: zones[0] }),
        Tags,
      }),
    });
    return { snapshotId: snapshot.snapshotId, tagSet: tagSet(Tags ?? {}) };
  },

  CreateSnapshot: async (call) => {
    const { params } = call;
    const { snapshot } = await call.run('CreateSnapshot', {
      VolumeId: params.need('VolumeId'),
      ...given({ Description: params.text('Description'), Tags: tagSpecifications(params)['snapshot'] }),
    });
    return snapshotTree(call, snapshot);
  },

  CreateSnapshots: async (call) => {
    const { params } = call;
    const which = params.struct('InstanceSpecification');
    if (which === undefined) throw params.bad('InstanceSpecification.InstanceId', 'is needed');
    // A root disk is no volume, so that it is never among them.
    which.bool('ExcludeBootVolume');
    onlyDefaults(params, { CopyTagsFromSource: ['volume'], Location: ['regional'] });
    const { snapshots } = await call.run('CreateSnapshots', {
      InstanceId: needId(which, 'instance', 'InstanceId'),
      ...given({
        ExcludeVolumeIds: which.list('ExcludeDataVolumeId'),
        Description: params.text('Description'),
        Tags: tagSpecifications(params)['snapshot'],
        CopyTags: params.has('CopyTagsFromSource') ? true : undefined,
      }),
    });
    const rows = snapshots.map((snapshot) => {
      const { status: state, storageTier: _, ...rest } = snapshotTree(call, snapshot);
      return { ...rest, state };
    });
    return { snapshotSet: rows };
  },

  DeleteSnapshot: async ({ params, run }) => {
    await run('DeleteSnapshot', { SnapshotId: params.need('SnapshotId') });
    return { return: true };
  },

  DescribeSnapshotAttribute: async (call) => {
    const { params, run, accountOf } = call;
    const SnapshotId = params.need('SnapshotId');
    const attribute = needAttribute(params, ['createVolumePermission', 'productCodes']);
    // Whoever may change it may see it: with an owner's name a stranger finds nothing.
    const { snapshots } = await run('DescribeSnapshots', { SnapshotIds: [SnapshotId], OwnerIds: ['self'] });
    const [snapshot] = snapshots;
    if (attribute === 'productCodes') return { snapshotId: SnapshotId, productCodes: [] };
    const users = (snapshot?.sharedWith ?? []).map((projectId) => ({ userId: accountOf(projectId) }));
    return {
      snapshotId: SnapshotId,
      createVolumePermission: [...(snapshot?.public === true ? [{ group: 'all' }] : []), ...users],
    };
  },

  DescribeSnapshots: async (call) => {
    const { snapshots, nextToken } = await call.run('DescribeSnapshots', {
      ...given({
        SnapshotIds: call.params.list('SnapshotId'),
        OwnerIds: projects(call, 'Owner'),
        RestorableByUserIds: projects(call, 'RestorableBy'),
      }),
      ...askedPage(call),
    });
    return { snapshotSet: snapshots.map((snapshot) => snapshotTree(call, snapshot)), nextToken };
  },

  ModifySnapshotAttribute: async (call) => {
    const { params, run } = call;
    needAttribute(params, ['createVolumePermission']);
    const add = permission(call, 'Add');
    const remove = permission(call, 'Remove');
    await run('ModifySnapshotAttribute', {
      SnapshotId: params.need('SnapshotId'),
      ...(add.everybody ? { Public: true } : remove.everybody ? { Public: false } : {}),
      Add: add.projects,
      Remove: remove.projects,
    });
    return { return: true };
  },

  ResetSnapshotAttribute: async ({ params, run }) => {
    needAttribute(params, ['createVolumePermission']);
    await run('ModifySnapshotAttribute', { SnapshotId: params.need('SnapshotId'), Reset: true });
    return { return: true };
  },
};
