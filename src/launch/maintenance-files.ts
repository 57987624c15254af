import { sha256Hex } from '../base/ids.ts';
import { quoteArgv } from '../base/shell-quote.ts';
import type { MaintenanceJob } from '../domain/maintenance.ts';
import { MAINTENANCE_JOBS } from '../domain/maintenance.ts';

export interface MaintenanceFile {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
}

export interface MaintenancePlan {
  /** Absolute path of the program. */
  readonly novactl: string;
  /** Words that every job gets, like --config FILE. */
  readonly words: readonly string[];
  /** 0 to 59, another on each machine, so that many do not begin at once. */
  readonly minute: number;
}

/** Says in the file's first lines whose it is, with the digest of what follows: so an edit by hand is seen. */
const MARK = /^# novactl-managed sha256=([0-9a-f]{64})\n/m;

/** The job's own flags: those of the night can wait for others, watch comes again in five minutes. */
const JOB_WORDS: Readonly<Record<MaintenanceJob, readonly string[]>> = {
  reconcile: [],
  watch: [],
  collect: ['--wait-lock'],
  verify: ['--wait-lock'],
  backup: ['--wait-lock'],
};

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function marked(comment: string, body: string): string {
  return `# ${comment}\n# novactl-managed sha256=${sha256Hex(body)}\n${body}`;
}

/** Whose a file is: ours as it was written, ours and edited since, or somebody else's. */
export function ownerOf(text: string): 'ours' | 'edited' | 'foreign' {
  const match = MARK.exec(text);
  if (match === null) return 'foreign';
  return sha256Hex(text.slice(match.index + match[0].length)) === match[1] ? 'ours' : 'edited';
}

/** A crontab's command: quoted for sh, and % (a new line to cron, crontab(5)) kept. */
function cronCommand(words: readonly string[]): string {
  return quoteArgv(words).replaceAll('%', '\\%');
}

function commandWords({ novactl, words }: MaintenancePlan, job: string): string[] {
  // Whichever cloud that user works with by a context: the jobs are for this machine's.
  return [
    novactl,
    'maintain',
    job,
    '--cron',
    '--context',
    'local',
    ...(JOB_WORDS[job as MaintenanceJob] ?? []),
    ...words,
  ];
}

/** Fields of crontab(5). */
function cronTimes(minute: number): Readonly<Record<MaintenanceJob, string>> {
  const night = (minute + 20) % 60;
  return {
    watch: `${(minute + 2) % 5}-59/5 * * * *`,
    reconcile: `${minute} * * * *`,
    backup: `${night} 1 * * *`,
    collect: `${night} 2 * * *`,
    verify: `${night} 3 * * 0`,
  };
}

const CRON_ORDER = ['watch', 'reconcile', 'backup', 'collect', 'verify'] as const;

export function cronFile(plan: MaintenancePlan): MaintenanceFile {
  const times = cronTimes(plan.minute);
  const lines = CRON_ORDER.map((job) => `${times[job]} root ${cronCommand(commandWords(plan, job))}`);
  const body = ['SHELL=/bin/sh', `PATH=${PATH}`, '', ...lines, ''].join('\n');
  const comment = 'Made by "novactl maintain install --cron"; the same with --remove takes it away.';
  return { path: '/etc/cron.d/novactl', text: marked(comment, body) };
}

/** Words of systemd.service(5): its own quotes, and % and $ doubled. */
function unitWord(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w@%+=:,./$-]+$/.test(plain) ? plain : `"${plain.replaceAll(/["\\]/g, '\\$&')}"`;
}

const WHEN: Readonly<Record<MaintenanceJob, readonly string[]>> = {
  watch: ['OnBootSec=2min', 'OnUnitActiveSec=5min', 'RandomizedDelaySec=30'],
  reconcile: ['OnCalendar=hourly', 'RandomizedDelaySec=30min'],
  backup: ['OnCalendar=*-*-* 01:00:00', 'RandomizedDelaySec=45min', 'Persistent=true'],
  collect: ['OnCalendar=*-*-* 02:00:00', 'RandomizedDelaySec=45min', 'Persistent=true'],
  verify: ['OnCalendar=Sun *-*-* 03:00:00', 'RandomizedDelaySec=45min', 'Persistent=true'],
};

const UNIT_DIR = '/etc/systemd/system';
const UNIT_COMMENT = 'Made by "novactl maintain install --systemd"; the same with --remove takes it away.';

export function timerNames(): string[] {
  return MAINTENANCE_JOBS.map((job) => `novactl-maintain-${job}.timer`);
}

/** One service and one timer a job. */
export function systemdFiles(plan: MaintenancePlan): MaintenanceFile[] {
  return MAINTENANCE_JOBS.flatMap((job) => {
    const name = `novactl-maintain-${job}`;
    const service = [
      '[Unit]',
      `Description=novactl maintain ${job}`,
      'Documentation=man:novactl-maintain-' + job + '(1)',
      '',
      '[Service]',
      'Type=oneshot',
      `ExecStart=${commandWords(plan, job).map(unitWord).join(' ')}`,
      '# 20 put something right, 21 busy, 22 paused, 23 something needs a look: the journal says what.',
      'SuccessExitStatus=20 21 22 23',
      '',
    ].join('\n');
    const timer = [
      '[Unit]',
      `Description=novactl maintain ${job}, at its times`,
      '',
      '[Timer]',
      ...WHEN[job],
      `Unit=${name}.service`,
      '',
      '[Install]',
      'WantedBy=timers.target',
      '',
    ].join('\n');
    return [
      { path: `${UNIT_DIR}/${name}.service`, text: marked(UNIT_COMMENT, service) },
      { path: `${UNIT_DIR}/${name}.timer`, text: marked(UNIT_COMMENT, timer) },
    ];
  });
}
