import { withFeed } from '../../src/views/dashboard/feed.ts';
import { press, settle } from '../../src/views/dashboard/press.ts';
import type { DashboardState, Effect, FeedItem, Screen } from '../../src/views/dashboard/state.ts';
import { dashboardState } from '../../src/views/dashboard/state.ts';
import { ANSWERS, INSTANCES } from './canned-cloud.ts';
import { NOW_MS } from './run-cli.ts';

const [first] = INSTANCES as [(typeof INSTANCES)[number]];
const [host] = ANSWERS.DescribeHosts?.hosts ?? [];
const [operation] = ANSWERS.DescribeOperations?.operations ?? [];
if (host === undefined || operation === undefined) throw new Error('the canned cloud has no host or operation');

export const SAMPLE = { instance: first, host, operation };

type Instance = typeof first;

export const instanceId = (n: number): string => `i-${n.toString(16).padStart(17, '0')}`;

/** Instance number n; the higher the number the younger. */
export function instance(n: number, extra: Partial<Instance> = {}): Instance {
  return {
    ...first,
    instanceId: instanceId(n),
    name: `web${n}`,
    privateIpAddress: `10.200.0.${n}`,
    launchTimeMs: NOW_MS - 3_600_000 + n * 60_000,
    ...extra,
  };
}

export function snapshot(...instances: readonly Instance[]): FeedItem[] {
  const down = { ...SAMPLE.host, hostId: 'h-1', name: 'node2', state: 'down', problem: 'no answer for 40s' } as const;
  return [
    { kind: 'begin', reason: 'start', cloudId: 'cloud-0123456789abcdef0', version: '0.1.0', nowMs: NOW_MS },
    { kind: 'page', instances: [], hosts: [SAMPLE.host, down], operations: [SAMPLE.operation] },
    { kind: 'page', instances: [...instances], hosts: [], operations: [] },
    { kind: 'ready', rev: 7 },
  ];
}

export interface SampleOptions {
  readonly instances?: readonly Instance[];
  readonly screen?: Screen;
  readonly readOnly?: boolean;
  readonly columns?: number;
  readonly rows?: number;
}

/** A dashboard with a cloud in it; 30 instances unless others are given. */
export function sample(options: SampleOptions = {}): DashboardState {
  const { screen = { kind: 'list', list: 'instances' }, readOnly = false, columns = 80, rows = 24 } = options;
  const instances = options.instances ?? Array.from({ length: 30 }, (_, n) => instance(n));
  return settle(withFeed(dashboardState({ readOnly, columns, rows, screen }), snapshot(...instances), 0));
}

/** Presses the keys one after the other; answers the state and what was asked of the world. */
export function type(state: DashboardState, ...keys: readonly string[]): { state: DashboardState; effects: Effect[] } {
  const effects: Effect[] = [];
  let now = state;
  for (const key of keys) {
    const pressed = press(now, key);
    now = pressed.state;
    if (pressed.effect !== undefined) effects.push(pressed.effect);
  }
  return { state: now, effects };
}
