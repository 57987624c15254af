import { createHash } from 'node:crypto';
import type { EtcdApi } from '../../adapters/store/etcd/etcd-api.ts';
import { errorText } from '../../base/errors.ts';
import { silentLogger } from '../../base/logger.ts';
import { openEtcd } from '../open-etcd.ts';
import type { StoppedStoreOptions } from './open-stopped-store.ts';

const CALL = { timeoutMs: 10_000 } as const;
const PAGE = 1000;

/** What is wrong with etcd's servers, each as a sentence: one that does not answer or holds something else than the others, raised alarms. */
export async function serverProblems(
  options: Pick<StoppedStoreOptions, 'config' | 'clock' | 'random'>,
): Promise<string[]> {
  const { endpoints, prefix } = options.config.store.etcd;
  const problems: string[] = [];
  let first: { readonly endpoint: string; readonly revision: number; readonly digest: string } | undefined;
  for (const endpoint of endpoints) {
    const api = await openOne(options, endpoint);
    try {
      const revision: number =
        first?.revision ?? (await api.range({ key: prefix, countOnly: true }, CALL)).header.revision;
      const digest = await digestAt(api, prefix, revision);
      if (first === undefined) {
        for (const alarm of await api.alarms(CALL)) problems.push(`etcd has raised its alarm ${alarm}`);
      } else if (digest !== first.digest) {
        problems.push(`${endpoint} does not hold what ${first.endpoint} holds at revision ${revision}`);
      }
      first ??= { endpoint, revision, digest };
    } catch (error) {
      problems.push(`${endpoint}: ${errorText(error)}`);
    } finally {
      api.close();
    }
  }
  return problems;
}

/** A client of this server and no other. */
function openOne(
  { config, clock, random }: Pick<StoppedStoreOptions, 'config' | 'clock' | 'random'>,
  endpoint: string,
): Promise<EtcdApi> {
  const etcd = { ...config.store.etcd, endpoints: [endpoint] };
  return openEtcd({ store: { ...config.store, etcd } }, { clock, random, logger: silentLogger });
}

/** Of all keys of the cloud with their values, as of the revision. The prefix ends with a slash. */
async function digestAt(api: EtcdApi, prefix: string, revision: number): Promise<string> {
  const rangeEnd = `${prefix.slice(0, -1)}0`;
  const hash = createHash('sha256');
  let key = prefix;
  for (let more = true; more;) {
    const answer = await api.range({ key, rangeEnd, revision, limit: PAGE }, CALL);
    for (const kv of answer.kvs) {
      hash.update(JSON.stringify([kv.key, kv.value, kv.modRevision]));
      key = `${kv.key}\0`;
    }
    more = answer.more;
  }
  return hash.digest('hex');
}
