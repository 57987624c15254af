import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, it, type TestContext } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..', '..');
/** bare-check's exit code where this machine can't run it. */
const CANNOT = 77;
const RUN_MS = 600_000;

/** One run in a throw-away copy of this machine: every part says its exit code and how long it took, and then what it printed. */
const SCRIPT = `
part() {
  name=$1; shift
  read -r from _ </proc/uptime
  "$@" >/tmp/part 2>&1; code=$?
  read -r to _ </proc/uptime
  echo "@@ $name $code $from $to"
  cat /tmp/part
}
N=bin/novactl
part first npm run --silent quickstart
ID=$($N instance list --output name)
part ssh $N instance ssh "$ID" -- 'hostname; echo from the guest'
part second npm run --silent quickstart
part listed $N instance list --output name
part down npm run --silent quickstart -- --down
part domains grep -l novactl /etc/libvirt/qemu/*.xml
part links sh -c 'ls /sys/class/net'
part tables nft list tables
part processes sh -c 'cat /proc/[0-9]*/comm'
part files sh -c 'ls -d /var/lib/novactl /var/lib/novactl-host /run/novactl* /run/lock/novactl* /var/log/novactl* /root/.config/novactl /root/.cache/novactl'
part again npm run --silent quickstart -- --down
`;

interface Part {
  readonly code: number;
  readonly seconds: number;
  readonly text: string;
}

function parse(output: string): Map<string, Part> {
  return new Map(
    output.split(/^@@ /m).map((piece) => {
      const [head = '', ...lines] = piece.split('\n');
      const [name = '', code, from, to] = head.split(' ');
      return [name, { code: Number(code), seconds: Number(to) - Number(from), text: lines.join('\n') }];
    }),
  );
}

describe('npm run quickstart in a fresh clone [real]', () => {
  let missing: string | undefined;
  let parts: Map<string, Part>;

  beforeAll(() => {
    const run = spawnSync('sh', [join(ROOT, 'scripts/bare-check'), '--', SCRIPT], {
      encoding: 'utf8',
      timeout: RUN_MS,
      env: { ...process.env, CLOSING_LINE_FILE: undefined },
    });
    if (run.status === CANNOT) missing = run.stderr.trim();
    parts = parse(run.stdout);
  }, RUN_MS + 10_000);

  const part = (name: string, ctx: TestContext): Part => {
    if (missing !== undefined) ctx.skip(missing);
    const found = parts.get(name);
    if (found === undefined) throw new Error(`the run did not come to "${name}"`);
    return found;
  };

  it('ends with a guest that is ready, and says what to do with it', (ctx) => {
    const { code, text } = part('first', ctx);
    expect(text).toContain('NOVACTL-READY');
    expect(text).toMatch(/^ {2}instance {2}i-[0-9a-f]{17}$/m);
    expect(text).toMatch(/^ {2}address {3}10\.\d+\.\d+\.\d+$/m);
    expect(text).toContain('npm run quickstart -- --down');
    expect(code).toBe(0);
  });

  it('shows each step as it is done, with its time, off a terminal without any escape', (ctx) => {
    const { text } = part('first', ctx);
    expect(text).toMatch(/^install npm packages \.\.\.$/m);
    expect(text).toMatch(/^\S+ install npm packages {2}\d/m);
    expect(text).not.toContain('\x1b');
  });

  it('ssh into the guest runs a command', (ctx) => {
    const { code, text } = part('ssh', ctx);
    expect(text).toContain('from the guest');
    expect(code).toBe(0);
  });

  it('has nothing to do the second time, in less than 15 s', (ctx) => {
    const { code, seconds, text } = part('second', ctx);
    expect(text).not.toMatch(/ \.\.\.$/m);
    expect(seconds).toBeLessThan(15);
    expect(code).toBe(0);
    expect(part('listed', ctx).text.trim().split('\n')).toHaveLength(1);
  });

  it('--down leaves no domain, bridge, rule, process, file or lock', (ctx) => {
    expect(part('down', ctx).code).toBe(0);
    expect(part('domains', ctx).text).not.toContain('.xml\n');
    expect(part('links', ctx).text).not.toMatch(/^nv[bt]/m);
    expect(part('tables', ctx).text).not.toContain('novactl');
    expect(part('processes', ctx).text).not.toMatch(/^(node|dnsmasq|libvirtd|virtlogd|qemu.*)$/m);
    const files = part('files', ctx)
      .text.split('\n')
      .filter((line) => line.startsWith('/'));
    expect(files).toEqual([]);
  });

  it('--down once more finds nothing and says so', (ctx) => {
    const { code, text } = part('again', ctx);
    expect(text).toContain('nothing of a quickstart is on this machine');
    expect(code).toBe(0);
  });
});
