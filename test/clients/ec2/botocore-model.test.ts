import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parseXml, type XmlElement } from '../../../src/base/xml.ts';
import { EC2_ACTIONS } from '../../../src/controller/api/ec2/actions/index.ts';
import { type Model, walkAnswer } from './model-walk.ts';
import { withNewer } from './newer-model.ts';
import { missingOf, wantedOf } from './populated-walk.ts';
import { POPULATED } from './populated.ts';
import { SandboxProcess } from './sandbox-process.ts';

const PYTHON = '/usr/bin/python3';
const BOTO3 = '/usr/lib/python3/dist-packages/boto3';
const SCRIPT = join(import.meta.dirname, 'every_action.py');
const ALL_CALLED_MS = 120_000;

interface Answer {
  readonly action: string;
  readonly tree: XmlElement;
}

let sandbox: SandboxProcess | undefined;
let answers: readonly Answer[] = [];
let everyName: readonly string[] = [];
let model: Model = { operations: {}, shapes: {} };

/** A disk that nothing boots: its first sector ends as a boot sector does. */
function disk(): Buffer {
  const bytes = Buffer.alloc(65_536);
  bytes.writeUInt16BE(0x55aa, 510);
  return bytes;
}

describe('answers against the model of botocore', () => {
  beforeEach((ctx) => {
    if (!existsSync(BOTO3)) ctx.skip('needs python3-boto3, which is not installed');
  });

  beforeAll(async () => {
    if (!existsSync(BOTO3)) return;
    sandbox = await SandboxProcess.start();
    const NOVACTL_TEST_UPLOAD = await sandbox.upload(disk());
    const { code, output } = await sandbox.run(PYTHON, [SCRIPT], { NOVACTL_TEST_UPLOAD });
    const lines = output.split('\n').filter((line) => line.startsWith('{'));
    expect(code, output.slice(-3000)).toBe(0);
    const last = JSON.parse(lines.pop() ?? '{}') as { model: Model & { all: string[] } };
    everyName = last.model.all;
    model = withNewer(last.model);
    answers = lines.map((line) => {
      const { action, xml } = JSON.parse(line) as { action: string; xml: string };
      return { action, tree: parseXml(xml) };
    });
  }, ALL_CALLED_MS);

  afterAll(() => sandbox?.stop());

  it('answers each of its actions at least once [sim]', () => {
    const called = new Set(answers.map(({ action }) => action));
    expect(Object.keys(EC2_ACTIONS).filter((action) => !called.has(action))).toEqual([]);
    expect(called.size).toBeGreaterThanOrEqual(120);
  });

  it('has in its answers what the model knows, of the right type [sim]', () => {
    const problems = answers.flatMap(({ action, tree }) => walkAnswer(model, action, tree));
    expect([...new Set(problems)]).toEqual([]);
  });

  it('says all of what must be said of what is there [sim]', () => {
    expect(Object.keys(POPULATED).toSorted()).toEqual(Object.keys(EC2_ACTIONS).toSorted());
    const missing = Object.entries(POPULATED).flatMap(([action, text]) => {
      const trees = answers.filter((answer) => answer.action === action).map(({ tree }) => tree);
      return missingOf(wantedOf(text), trees, action);
    });
    expect(missing).toEqual([]);
  });

  it('names each action of the model in docs/EC2.md', () => {
    const page = readFileSync(join(import.meta.dirname, '../../../docs/EC2.md'), 'utf8');
    expect(everyName.length).toBeGreaterThan(500);
    expect(everyName.filter((name) => !page.includes(`| ${name} |`))).toEqual([]);
  });

  it('finds what is not as it must be', () => {
    const spoilt = parseXml(
      '<DescribeVolumesResponse><requestId>req-0</requestId><volumeSet><item><size>much</size><colour>red</colour>' +
        '<createTime>today</createTime><encrypted>no</encrypted><status>lost</status></item><member/></volumeSet></DescribeVolumesResponse>',
    );
    expect(walkAnswer(model, 'DescribeVolumes', spoilt)).toHaveLength(7);
    expect(missingOf(wantedOf('volumeSet{size volumeId} nextToken{}'), [spoilt], 'it')).toEqual([
      'it.volumeSet.volumeId: is not there',
      'it.nextToken: is not there',
    ]);
  });
});
