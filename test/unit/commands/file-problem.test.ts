import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { fileProblem } from '../../../src/commands/support/file-problem.ts';

const said = (path: string): Promise<[string, string]> =>
  open(path, 'w').then(
    () => expect.fail('it was opened'),
    (error: unknown) => {
      const { code, message } = fileProblem('FOLDER/out', error);
      return [code, message];
    },
  );

it.each<[string, string]>([
  [`${tmpdir()}/novactl-no-such-folder/out.part`, 'FILE: FOLDER/out is not there'],
  [`${tmpdir()}/${'n'.repeat(300)}`, 'FILE: FOLDER/out is too long a name for a file; say another one'],
  [tmpdir(), 'FILE: FOLDER/out is a folder'],
  ['/dev/null/out', 'FILE: FOLDER/out is not there: something in front of it is no folder'],
])('a file that can not be opened is told in words, by the name that was said [real]', async (path, message) => {
  expect(await said(path)).toEqual(['InvalidParameterValue', message]);
});

it('a full disk is no fault of what was said, and what has no words is told as it came', async () => {
  const handle = await open('/dev/full', 'w');
  const full: unknown = await handle.write('x').catch((error: unknown) => error);
  await handle.close();
  expect(fileProblem('out', full)).toMatchObject({
    code: 'Unavailable',
    message: 'FILE: out can not be written: no space is left there',
  });
  expect(fileProblem('out', new Error('out is not a file')).message).toBe('FILE: out is not a file');
});
