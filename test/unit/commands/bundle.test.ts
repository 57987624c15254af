import { build, type Metafile } from 'esbuild';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundleOptions } from '../../../scripts/bundle.ts';

let outputs: Metafile['outputs'];
beforeAll(async () => {
  const result = await build({ ...(await bundleOptions('out')), write: false, metafile: true });
  outputs = result.metafile.outputs;
});

/** Sources that are loaded with an output, and with those dynamic imports of it that every run takes. */
function loaded(start: readonly string[]): Set<string> {
  const sources = new Set<string>();
  const done = new Set<string>();
  const waiting = [...start];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const output = outputs[path];
    if (done.has(path) || output === undefined) continue;
    done.add(path);
    for (const input of Object.keys(output.inputs)) sources.add(input);
    for (const { path: next, kind, external } of output.imports) {
      if (external !== true && kind === 'import-statement') waiting.push(next);
    }
  }
  return sources;
}

const chunkOf = (source: string): string =>
  Object.entries(outputs).find(([, { entryPoint }]) => entryPoint === source)?.[0] ?? `no output for ${source}`;

/** What a run of an ordinary command loads. */
const ordinary = (command: string): Set<string> =>
  loaded(
    [
      'src/cli.ts',
      'src/commands/support/main.ts',
      'src/commands/support/io.ts',
      'src/client/socket-client.ts',
      `src/commands/${command}.ts`,
    ].map(chunkOf),
  );

const HEAVY =
  /node_modules\/(zod|yaml|fastify|lowdb|fast-xml-parser|ink|react)\/|src\/(launch|controller|workers|adapters|domain|messages)\//;

describe('what an ordinary command loads', () => {
  it.each([
    'instance/list',
    'instance/run',
    'instance/ssh',
    'image/import',
    'image/build-tiny',
    'status',
    'dashboard',
    'up',
    'serve',
  ])('%s: itself, oclif and the client, nothing heavy', (command) => {
    const sources = ordinary(command);
    expect([...sources].filter((path) => HEAVY.test(path))).toEqual([]);
    for (const wanted of [`src/commands/${command}.ts`, 'src/client/socket-client.ts'])
      expect(sources).toContain(wanted);
  });

  it('is not other commands', () => {
    const others = [...ordinary('instance/list')].filter((path) =>
      /^src\/commands\/(?!support|instance\/list)/.test(path),
    );
    expect(others).toEqual([]);
  });

  it('is seen to be heavy where it is', () => {
    const daemon = loaded([chunkOf('src/launch/serve.ts')]);
    expect([...daemon].some((path) => HEAVY.test(path))).toBe(true);
  });
});

describe('the daemon', () => {
  it('loads gRPC only where the state is in etcd', () => {
    const grpc = (sources: Set<string>): boolean => [...sources].some((path) => path.includes('node_modules/@grpc/'));
    expect(grpc(loaded([chunkOf('src/launch/serve.ts')]))).toBe(false);
    expect(grpc(loaded([chunkOf('src/adapters/store/etcd/grpc-etcd.ts')]))).toBe(true);
  });
});

describe('the dashboard', () => {
  it('loads ink and React only once it draws', () => {
    const drawing = loaded([chunkOf('src/commands/support/open-dashboard.ts')]);
    expect(
      [...drawing].filter((path) => /node_modules\/(ink|react)\/index|node_modules\/ink\/build\/ink\.js/.test(path)),
    ).not.toEqual([]);
    const once = loaded([chunkOf('src/commands/support/dashboard-snapshot.ts')]);
    expect([...once].filter((path) => HEAVY.test(path))).toEqual([]);
  });
});

describe('--version', () => {
  it('loads next to nothing', () => {
    const sources = [...loaded([chunkOf('src/cli.ts')])];
    expect(sources.filter((path) => path.startsWith('src/'))).toEqual(['src/cli.ts']);
    expect(sources.filter((path) => path.includes('@oclif'))).toEqual([]);
  });
});
