import { Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import type { OperationInput } from '../../messages/operations/index.ts';
import { instanceListing } from '../../views/instances.ts';
import { placementListing, planListing } from '../../views/placement.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag, waitFlags, whole } from '../support/flags.ts';
import type { Session } from '../support/session.ts';
import { userData } from '../support/user-data.ts';
import { parseVolumeWords, VOLUME_WORDS } from '../support/volume-words.ts';
import { waitForInstances } from '../support/wait.ts';

type Input = OperationInput<'PlanInstances'>;

export class InstanceRun extends BaseCommand {
  static override summary = 'start new instances of an image';
  static override description =
    'Answers as soon as the instances are recorded and placed; --wait waits until they run. Without a daemon the command does the whole work itself, and ends when they run. The same --client-token twice starts them once.';
  static override aliases = ['run-instance'];
  static override examples = [
    '<%= config.bin %> instance run --image tiny --type m1.nano --key mine --wait',
    '<%= config.bin %> instance run --image web --type m1.small --count 3 --user-data @setup.sh --reason "spring sale"',
    '<%= config.bin %> instance run --image tiny --volume size=10,device=/dev/sdf',
    '<%= config.bin %> instance run --image tiny --type m1.large --count 20 --plan',
  ];
  static override flags = {
    image: Flags.string({ char: 'i', description: 'image id or name', helpValue: 'IMAGE', required: true }),
    type: Flags.string({ char: 't', description: 'instance type', helpValue: 'TYPE', default: 'm1.small' }),
    count: whole('count', { description: 'how many', min: 1, max: 100, default: 1 }),
    key: Flags.string({ char: 'k', description: 'key pair whose public half the guest gets', helpValue: 'KEY' }),
    'user-data': Flags.string({
      description: 'text for the guest, @FILE to read a file, - for stdin',
      helpValue: 'TEXT',
    }),
    name: Flags.string({ char: 'n', description: 'name for people', helpValue: 'NAME' }),
    volume: Flags.string({
      description: 'a volume that is made for each instance and goes with it, unless keep is said; may be repeated',
      helpValue: VOLUME_WORDS,
      multiple: true,
      multipleNonGreedy: true,
    }),
    plan: Flags.boolean({ description: 'show where they would be placed and change nothing' }),
    'client-token': Flags.string({ description: 'makes a repeated command have one effect', helpValue: 'TOKEN' }),
    ...waitFlags('they run'),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = {
    ImageId: '--image',
    InstanceType: '--type',
    MinCount: '--count',
    MaxCount: '--count',
    KeyName: '--key',
    UserData: '--user-data',
    Name: '--name',
    BlockDeviceMapping: '--volume',
    ClientToken: '--client-token',
  };

  async run(): Promise<number | void> {
    const { flags } = await this.parse(InstanceRun);
    const session = this.open(flags);
    const input: Input = {
      ImageId: flags.image,
      InstanceType: flags.type,
      MinCount: flags.count,
      MaxCount: flags.count,
      ...(flags.key === undefined ? {} : { KeyName: flags.key }),
      ...(flags.volume === undefined ? {} : { BlockDeviceMapping: flags.volume.map(parseVolumeWords) }),
      ...(flags.name === undefined ? {} : { Name: flags.name }),
      ...(flags['user-data'] === undefined ? {} : { UserData: await userData(this.io, flags['user-data']) }),
    };
    if (flags.plan) return plan(session, input);
    session.useToken(flags['client-token']);
    const { instances, reservationId, operationId } = await session.change('RunInstances', input);
    const [first] = instances;
    const what = instances.length === 1 ? (first?.instanceId ?? '') : `${instances.length} instances`;
    session.output.message(`started ${what} (${operationId})`);
    const extra = { reservationId, operationId };
    if (flags.wait) {
      const ids = instances.map((instance) => instance.instanceId);
      await session.show(instanceListing(await waitForInstances(session, ids, ['running'], flags.timeout), extra));
      if (first?.keyName !== undefined) session.output.hint(`log in by: novactl instance ssh ${first.instanceId}`);
    } else {
      await session.show(instanceListing(instances, extra));
      session.output.hint(`follow it by: novactl op follow ${operationId}`);
    }
  }
}

/** Shows where instances would go. Exit code 6 when not all have a place. */
async function plan(session: Session, input: Input): Promise<number> {
  const answer = await session.read('PlanInstances', input);
  if (answer.possible) {
    await session.show(planListing(answer));
    session.output.message('nothing was changed; leave --plan out to start them');
    return 0;
  }
  await session.show(placementListing(answer.hosts, answer));
  throw new CloudError('InsufficientInstanceCapacity', `no place for ${input.MaxCount ?? 1} of ${answer.instanceType}`);
}
