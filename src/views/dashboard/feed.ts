import { plainText } from '../text.ts';
import type { DashboardState, FeedItem, Known } from './state.ts';
import { NOTHING_KNOWN } from './state.ts';

/** Operations that are kept, the newest. */
const OPERATIONS_KEPT = 500;
/** Lines of a console log that are kept, and characters of one. */
export const LOG_LIMITS = { lines: 5000, chars: 2000 } as const;

/** Takes in what the feed sent, all that came since the last time. */
export function withFeed(state: DashboardState, items: readonly FeedItem[], monotonicMs: number): DashboardState {
  const { staleMs, held } = items.findLast(isHealth) ?? state.feed;
  let next: DashboardState = { ...state, feed: { status: 'connected', lastMs: monotonicMs, staleMs, held } };
  const changes = new Changes();
  for (const item of items) {
    if (item.kind === 'begin') {
      changes.drop();
      next = { ...next, coming: NOTHING_KNOWN, cloudId: item.cloudId, version: item.version };
    } else if (item.kind === 'ready') {
      next = { ...next, known: changes.onto(next.coming ?? next.known), coming: undefined };
    } else {
      changes.note(item);
    }
  }
  if (next.coming !== undefined) return { ...next, coming: changes.onto(next.coming) };
  return { ...next, known: changes.onto(next.known) };
}

const isHealth = (item: FeedItem): item is Extract<FeedItem, { kind: 'begin' | 'beat' }> =>
  item.kind === 'begin' || item.kind === 'beat';

type Content = Exclude<FeedItem, { kind: 'begin' | 'ready' }>;

/** Changes that are put into the maps together: a copy of thousands of rows for each of them would cost too much. */
class Changes {
  #items: Content[] = [];

  note(item: Content): void {
    if (item.kind !== 'beat') this.#items.push(item);
  }

  drop(): void {
    this.#items = [];
  }

  onto(known: Known): Known {
    const items = this.#items;
    if (items.length === 0) return known;
    this.#items = [];
    const instances = new Map(known.instances);
    const hosts = new Map(known.hosts);
    const operations = new Map(known.operations);
    const maps = { instance: instances, host: hosts, operation: operations };
    for (const item of items) {
      if (item.kind === 'instance') instances.set(item.instance.instanceId, item.instance);
      else if (item.kind === 'host') hosts.set(item.host.hostId, item.host);
      else if (item.kind === 'operation') operations.set(item.operation.operationId, item.operation);
      else if (item.kind === 'gone') maps[item.what].delete(item.id);
      else if (item.kind === 'page') {
        for (const row of item.instances) instances.set(row.instanceId, row);
        for (const row of item.hosts) hosts.set(row.hostId, row);
        for (const row of item.operations) operations.set(row.operationId, row);
      }
    }
    return { instances, hosts, operations: newest(operations) };
  }
}

function newest(operations: Known['operations']): Known['operations'] {
  if (operations.size <= OPERATIONS_KEPT) return operations;
  const sorted = [...operations.values()].sort((a, b) => b.startedAtMs - a.startedAtMs);
  return new Map(sorted.slice(0, OPERATIONS_KEPT).map((row) => [row.operationId, row]));
}

export function withFeedLost(state: DashboardState, problem: string): DashboardState {
  return { ...state, coming: undefined, feed: { ...state.feed, status: 'lost', problem } };
}

/** Adds what was read of a guest's console; its control characters are left out, since they would steer our terminal. */
export function withLog(state: DashboardState, id: string, text: string): DashboardState {
  const before = state.log?.id === id ? state.log.lines : [];
  const open = before.at(-1) ?? '';
  const parts = plainText(open + text).split('\n');
  const lines = [
    ...before.slice(0, -1),
    ...parts.map((line) => line.replaceAll('\t', '    ').slice(0, LOG_LIMITS.chars)),
  ];
  return { ...state, log: { id, lines: lines.slice(-LOG_LIMITS.lines) } };
}

export function withLogProblem(state: DashboardState, id: string, problem: string): DashboardState {
  const lines = state.log?.id === id ? state.log.lines : [];
  return { ...state, log: { id, lines, problem } };
}
