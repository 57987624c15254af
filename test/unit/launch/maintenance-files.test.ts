import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyInstall, planInstall } from '../../../src/launch/install-files.ts';
import type { MaintenancePlan } from '../../../src/launch/maintenance-files.ts';
import { cronFile, ownerOf, systemdFiles } from '../../../src/launch/maintenance-files.ts';
import { expectGolden } from '../../support/golden.ts';

const plain: MaintenancePlan = { novactl: '/opt/novactl/bin/novactl', words: [], minute: 17 };
const odd = { ...plain, words: ['--set', 'stateDir=/srv/my cloud', '--config', '/etc/100%.yaml'], minute: 59 };

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'novactl-install-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const install = async (options: { remove?: boolean; force?: boolean } = {}, plan = plain): Promise<string[]> => {
  const steps = await planInstall([cronFile(plan)], { root, remove: false, force: false, ...options });
  await applyInstall(steps);
  return steps.map(({ action }) => action);
};
const path = (): string => join(root, 'etc/cron.d/novactl');

describe('the files', () => {
  it('of cron are these', () => {
    expectGolden('maintain/cron', cronFile(plain).text);
    expectGolden('maintain/cron-odd-words', cronFile(odd).text);
  });

  it('of systemd are these', () => {
    const all = (plan: MaintenancePlan): string =>
      systemdFiles(plan)
        .map((file) => `== ${file.path}\n${file.text}`)
        .join('\n');
    expectGolden('maintain/systemd', all(plain));
    expectGolden('maintain/systemd-odd-words', all(odd));
  });

  it('that are shipped are those, for a program in its usual place', () => {
    const folder = join(import.meta.dirname, '../../../packaging');
    const shipped = { ...plain, novactl: '/usr/bin/novactl', minute: 7 };
    const files = [
      { to: join(folder, 'cron.d-novactl'), text: cronFile(shipped).text },
      ...systemdFiles(shipped).map((file) => ({ to: join(folder, 'systemd', basename(file.path)), text: file.text })),
    ];
    if (process.env['UPDATE_GOLDEN'] === '1') for (const { to, text } of files) writeFileSync(to, text);
    expect(files.map(({ to }) => readFileSync(to, 'utf8'))).toEqual(files.map(({ text }) => text));
  });

  it('say whose they are', () => {
    const { text } = cronFile(plain);
    expect([text, text.replace('37 1', '38 1'), '# mine\n'].map(ownerOf)).toEqual(['ours', 'edited', 'foreign']);
  });
});

describe('an installation', () => {
  it('is written once, readable for all, and removed again', async () => {
    expect(await install()).toEqual(['write']);
    expect(statSync(path()).mode & 0o777).toBe(0o644);
    expect(await install()).toEqual(['keep']);
    expect(await install({}, odd)).toEqual(['write']);
    expect(readdirSync(join(root, 'etc/cron.d'))).toEqual(['novactl']);
    expect(await install({ remove: true })).toEqual(['remove']);
    expect(await install({ remove: true })).toEqual(['absent']);
  });

  it('leaves what was edited by hand, unless it is forced', async () => {
    await install();
    writeFileSync(path(), readFileSync(path(), 'utf8').replace('37 1', '38 4'));
    await expect(install()).rejects.toMatchObject({ code: 'IncorrectState' });
    await expect(install({ remove: true })).rejects.toMatchObject({ code: 'IncorrectState' });
    expect(await install({ force: true })).toEqual(['write']);
  });

  it('leaves what is not ours, forced or not', async () => {
    await install();
    writeFileSync(path(), '* * * * * root true\n');
    for (const force of [false, true]) {
      await expect(install({ force, remove: force })).rejects.toMatchObject({ code: 'IncorrectState' });
    }
    expect(readFileSync(path(), 'utf8')).toBe('* * * * * root true\n');
  });
});
