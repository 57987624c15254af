import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { cannedCloud } from '../../support/canned-cloud.ts';
import { FakeCloud } from '../../support/fake-cloud.ts';
import { expectGolden } from '../../support/golden.ts';
import { runCli, type CliOptions } from '../../support/run-cli.ts';

let cloud: FakeCloud;
beforeAll(async () => {
  cloud = await FakeCloud.start(cannedCloud());
});
afterAll(() => cloud.close());

const run = (line: string, options: CliOptions = {}) => runCli(line.split(' '), { runDir: cloud.runDir, ...options });

/** All that a command printed, as one text for a golden file. */
async function transcript(line: string, options: CliOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(line, options);
  return `$ novactl ${line}\n${stdout}--- stderr\n${stderr}--- exit ${code}\n`;
}

async function transcripts(lines: readonly string[], options: CliOptions = {}): Promise<string> {
  const parts: string[] = [];
  for (const line of lines) parts.push(await transcript(line, options));
  return parts.join('\n');
}

const I = 'i-0123456789abcdef0';
const FORMATS = ['table', 'wide', 'json', 'yaml', 'csv', 'name'];

describe('what commands print', () => {
  it('in every format', async () => {
    const lists = FORMATS.map((format) => `instance list --output ${format}`);
    const shows = FORMATS.map((format) => `instance show ${I} --output ${format}`);
    expectGolden('cli/formats.txt', await transcripts([...lists, ...shows]));
  });

  it('of everything that is read', async () => {
    const lines = [
      'status',
      'host list',
      'host show node1',
      'image list',
      'image show tiny',
      'keypair list',
      'type list',
      'service list',
      'service show node1',
      'op list',
      'op show op-0123456789abcdef0',
      `why instance ${I}`,
      'why not place --type m1.large',
      'instance run --image tiny --type m1.nano --plan',
    ];
    expectGolden('cli/reads.txt', await transcripts(lines));
  });

  it('of every change', async () => {
    const lines = [
      'instance run --image tiny --type m1.nano --name web',
      `instance start ${I}`,
      `instance stop ${I}`,
      `instance reboot ${I} --force`,
      `instance terminate ${I}`,
      'keypair create mine --out -',
      'keypair delete mine',
      'image delete tiny',
      'host add node1 --local',
      'host remove node1',
      'service disable node1',
      'service drain node1',
      'service enable node1',
      `instance stop ${I} --quiet`,
      `instance stop ${I} --output name`,
    ];
    expectGolden('cli/changes.txt', await transcripts(lines));
  });

  it('the same data as json and yaml', async () => {
    const json = await run('instance list --json');
    const yaml = await run('instance list --output yaml');
    expect(parse(yaml.stdout)).toEqual(JSON.parse(json.stdout));
    expect(JSON.parse(json.stdout)).toMatchObject({
      rev: 118,
      instances: [{ launchTime: '2026-01-02T00:04:05.000Z' }, {}],
    });
  });

  it('only the columns and rows that were asked for', async () => {
    const csv = 'instance list --output csv --columns name,id,age';
    expect((await run(csv)).stdout).toBe(
      'name,id,launched\n"web, first",i-0123456789abcdef0,2026-01-02T00:04:05.000Z\n' +
        'würfel \u001b[31m漢字,i-0123456789abcdef1,2026-01-02T03:03:23.000Z\n',
    );
    const names = async (...filters: string[]) => {
      const words = filters.flatMap((filter) => ['--filter', filter]);
      return (await runCli(['instance', 'list', '--output', 'name', ...words], { runDir: cloud.runDir })).stdout.split(
        '\n',
      );
    };
    expect(await names('state=RUNNING')).toEqual([I, '']);
    expect(await names('state!=running')).toEqual(['i-0123456789abcdef1', '']);
    expect(await names('state=pending,stop*', 'type=m1.*')).toEqual(['i-0123456789abcdef1', '']);
    expect(await names('name=WÜRFEL*')).toEqual(['i-0123456789abcdef1', '']);
    const none = await run('instance list --filter state=pending');
    expect(none).toEqual({ code: 0, stdout: '', stderr: 'no row passes the filter\n' });
  });
});

describe('a terminal', () => {
  it('gets colour, and lines that fit', async () => {
    const { stdout } = await run('instance list', { columns: 70 });
    expect(stdout).toContain('\u001b[32mrunning\u001b[0m');
    for (const line of stdout.replaceAll(/\u001b\[\d*m/g, '').split('\n')) expect(line.length).toBeLessThanOrEqual(70);
    expect(stdout).toContain(I);
  });

  it.each([
    ['NO_COLOR', 'instance list', { NO_COLOR: '1' }],
    ['TERM=dumb', 'instance list', { TERM: 'dumb' }],
    ['--no-color', 'instance list --no-color', {}],
  ])('%s turns colour off', async (_name, line, env: Record<string, string>) => {
    const { stdout, stderr } = await run(line, { columns: 200, env });
    expect(stdout + stderr).not.toContain('\u001b');
    expect(stdout).toContain('running');
  });

  it('an empty NO_COLOR says nothing', async () => {
    const { stdout } = await run('instance list', { columns: 200, env: { NO_COLOR: '' } });
    expect(stdout).toContain('\u001b[');
  });

  it('is not steered by what others wrote', async () => {
    const { stdout } = await run('instance list', { columns: 200, env: { NO_COLOR: '1' } });
    expect(stdout).toContain('würfel  [31m漢字');
  });
});
