import { Args, Flags } from '@oclif/core';
import type { OperationOutput } from '../../../messages/operations/index.ts';
import { progressText } from '../../../views/progress.ts';
import { BaseCommand } from '../../support/base-command.ts';
import { deadline } from '../../support/deadline.ts';
import { changeFlags, duration } from '../../support/flags.ts';
import { throwHostProblems } from '../../support/host-problems.ts';
import type { Session } from '../../support/session.ts';

const LOOK_MS = 500;

type Cache = OperationOutput<'DescribeImageCache'>;
type Warming = OperationOutput<'WarmImageCache'>;

export class ImageCacheWarm extends BaseCommand {
  static override summary = 'bring an image to hosts before instances are started there';
  static override description =
    'With its kernel and ramdisk, to all hosts or to those that are named. What is there already is not sent again. Ends with exit code 10 when it came to some hosts alone.';
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
    timeout: duration('timeout', {
      description: 'how long to wait',
      default: 3_600_000,
      defaultText: '1h',
    }),
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
    const failed = flags['dry-run'] ? [] : await untilThere(session, begun, flags.timeout);
    const problems = [...begun.problems, ...failed];
    const bad = new Set(problems.map(({ hostId }) => hostId));
    const warm = begun.hosts.filter(({ hostId }) => !bad.has(hostId));
    for (const { hostName } of warm) session.output.message(`${hostName}: has it`);
    await session.showValue({ hosts: warm, problems, operationId: begun.operationId }, '');
    throwHostProblems(session, problems, warm.length);
  }
}

/** What failed, when each host has all of it or has failed. */
async function untilThere(session: Session, begun: Warming, timeoutMs: number): Promise<Cache['failures']> {
  const { io, output } = session;
  if (begun.hosts.length === 0) return [];
  const end = deadline(io, timeoutMs, 'for the image to come to its hosts');
  const startMs = io.clock.monotonicMs();
  const Hosts = begun.hosts.map(({ hostId }) => hostId);
  try {
    for (;;) {
      const seen = await session.read('DescribeImageCache', { Hosts }, { signal: end.signal });
      const failures = seen.failures.filter(({ sha256 }) => begun.sha256.includes(sha256));
      if (Hosts.every((hostId) => isThere(seen, begun, hostId) || failures.some((one) => one.hostId === hostId)))
        return failures;
      output.progress(progressOf(seen, io.clock.monotonicMs() - startMs, io.stderr.columns ?? 80));
      await io.clock.sleep(LOOK_MS, end.signal);
    }
  } finally {
    output.progress('');
    end.clear();
  }
}

function isThere({ images }: Cache, { sha256 }: Warming, hostId: string): boolean {
  return sha256.every((digest) => images.some((image) => image.hostId === hostId && image.sha256 === digest));
}

function progressOf({ transfers }: Cache, tookMs: number, width: number): string {
  const sum = (pick: (one: Cache['transfers'][number]) => number): number =>
    transfers.reduce((all, one) => all + pick(one), 0);
  const label = `${transfers.length} under way`;
  const sizeBytes = sum(({ totalBytes }) => totalBytes);
  return progressText({ label, sentBytes: sum(({ doneBytes }) => doneBytes), sizeBytes, tookMs, width });
}
