import { Args, Flags } from '@oclif/core';
import type { OperationOutput } from '../../../messages/operations/index.ts';
import { BaseCommand } from '../../support/base-command.ts';
import { changeFlags, noWaitFlags } from '../../support/flags.ts';
import { throwHostProblems } from '../../support/host-problems.ts';
import type { Session } from '../../support/session.ts';
import { waitWithProgress, type WorkSeen } from '../../support/wait-with-progress.ts';

type Cache = OperationOutput<'DescribeImageCache'>;
type Warming = OperationOutput<'WarmImageCache'>;

export class ImageCacheWarm extends BaseCommand {
  static override summary = 'bring an image to hosts before instances are started there';
  static override description =
    'With its kernel and ramdisk, to all hosts or to those that are named. What is there already is not sent again. Waits until it is there; --no-wait answers as soon as the hosts have heard of it. Ends with exit code 10 when it came to some hosts alone.';
  static override aliases = ['warm-image-cache'];
  static override examples = [
    '<%= config.bin %> image cache warm debian-12',
    '<%= config.bin %> image cache warm ami-0123456789abcdef0 --host node1 --host node2',
  ];
  static override args = {
    image: Args.string({ description: 'id or name of the image', required: true, ignoreStdin: true }),
  };
  static override flags = {
    host: Flags.string({ description: 'only to this host; may be repeated', helpValue: 'HOST', multiple: true }),
    ...noWaitFlags('it is there', 3_600_000, '1h'),
    ...changeFlags,
  };
  static override parameters = { ImageId: 'IMAGE', Hosts: '--host' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ImageCacheWarm);
    const session = this.open(flags);
    const begun = await session.change('WarmImageCache', {
      ImageId: args.image,
      ...(flags.host === undefined ? {} : { Hosts: flags.host }),
    });
    const waits = !flags['dry-run'] && !flags['no-wait'] && begun.hosts.length > 0;
    const failed = waits ? await untilThere(session, begun, flags.timeout) : [];
    const problems = [...begun.problems, ...failed];
    const bad = new Set(problems.map(({ hostId }) => hostId));
    const warm = begun.hosts.filter(({ hostId }) => !bad.has(hostId));
    for (const { hostName } of warm) session.output.message(`${hostName}: ${waits ? 'has it' : 'gets it'}`);
    await session.showValue({ hosts: warm, problems, operationId: begun.operationId }, '');
    throwHostProblems(session, problems, warm.length);
  }
}

/** What failed, when each host has all of it or has failed. */
function untilThere(session: Session, begun: Warming, timeoutMs: number): Promise<Cache['failures']> {
  const Hosts = begun.hosts.map(({ hostId }) => hostId);
  const look = async (signal: AbortSignal): Promise<{ done: Cache['failures'] } | WorkSeen> => {
    const seen = await session.read('DescribeImageCache', { Hosts }, { signal });
    const failures = seen.failures.filter(({ sha256 }) => begun.sha256.includes(sha256));
    const ended = (hostId: string): boolean =>
      isThere(seen, begun, hostId) || failures.some((one) => one.hostId === hostId);
    return Hosts.every(ended) ? { done: failures } : workOf(seen);
  };
  return waitWithProgress(session, { timeoutMs, what: 'for the image to come to its hosts', look });
}

function isThere({ images }: Cache, { sha256 }: Warming, hostId: string): boolean {
  return sha256.every((digest) => images.some((image) => image.hostId === hostId && image.sha256 === digest));
}

function workOf({ transfers }: Cache): WorkSeen {
  const sum = (pick: (one: Cache['transfers'][number]) => number): number =>
    transfers.reduce((all, one) => all + pick(one), 0);
  return {
    step: 'sending',
    doneBytes: sum(({ doneBytes }) => doneBytes),
    totalBytes: sum(({ totalBytes }) => totalBytes),
  };
}
