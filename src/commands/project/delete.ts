import { Flags } from '@oclif/core';
import type { CloudError } from '../../base/errors.ts';
import { isCode } from '../../base/errors.ts';
import { BaseCommand } from '../support/base-command.ts';
import { projectArg } from '../support/directory-flags.ts';
import { changeFlags, duration } from '../support/flags.ts';
import type { Session } from '../support/session.ts';
import { waitForInstances } from '../support/wait.ts';

type Left = Readonly<Record<string, readonly string[]>>;

/** What --purge ends before the project goes. Keys go with the project itself; anything else has to be deleted by who knows what it is. */
const ENDED_FIRST: readonly string[] = ['instances', 'images'];

export class ProjectDelete extends BaseCommand {
  static override summary = 'delete a project';
  static override description =
    'A project that has anything is not deleted, and what it has is listed. --purge terminates its instances, deletes its images, key pairs and access keys, and then the project; a project that has volumes, snapshots, addresses or networks of its own making is left as it is even then. Nothing brings back what is deleted.';
  static override aliases = ['delete-project'];
  static override examples = [
    '<%= config.bin %> project delete lab',
    '<%= config.bin %> project delete lab --purge --yes --reason "the lab is over"',
  ];
  static override args = projectArg;
  static override flags = {
    purge: Flags.boolean({ description: 'delete what it has too' }),
    timeout: duration('timeout', {
      description: 'longest wait for instances to end',
      default: 600_000,
      defaultText: '10m',
    }),
    ...changeFlags,
  };
  static override parameters = { ProjectId: 'PROJECT', Purge: '--purge' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ProjectDelete);
    const session = this.open(flags);
    await session.confirm(`delete the project ${args.project}${flags.purge ? ' and all it has' : ''}?`);
    const input = { ProjectId: args.project, ...(flags.purge ? { Purge: true } : {}) };
    const remove = () => session.change('DeleteProject', input);
    const gone = await remove().catch(async (error: unknown) => {
      const left = flags.purge && isCode(error, 'InvalidProject.InUse') ? leftIn(error) : undefined;
      if (left === undefined) throw error;
      await endAll(session, left, flags.timeout);
      return remove();
    });
    const also = gone.deleted.length === 0 ? '' : ` with ${gone.deleted.join(', ')}`;
    session.output.message(`deleted the project ${gone.projectId}${also} (${gone.operationId})`);
    await session.showValue({ ...gone }, '');
  }
}

/** What is in the way, when all of it can be ended from here. */
function leftIn(error: CloudError): Left | undefined {
  const left = error.details?.['left'];
  if (left === null || typeof left !== 'object') return undefined;
  return Object.keys(left).every((what) => ENDED_FIRST.includes(what)) ? (left as Left) : undefined;
}

async function endAll(session: Session, left: Left, timeoutMs: number): Promise<void> {
  const { instances = [], images = [] } = left;
  if (instances.length > 0) {
    const { operationId } = await session.change('TerminateInstances', { InstanceIds: [...instances] });
    session.output.message(`terminating ${instances.join(', ')} (${operationId})`);
    await waitForInstances(session, instances, ['terminated'], timeoutMs);
  }
  for (const id of images) {
    const { operationId } = await session.change('DeregisterImage', { ImageId: id });
    session.output.message(`deleted the image ${id} (${operationId})`);
  }
}
