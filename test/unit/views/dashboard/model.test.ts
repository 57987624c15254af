import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CloudError } from '../../../../src/base/errors.ts';
import { followFeed } from '../../../../src/views/dashboard/follow-feed.ts';
import { followLog } from '../../../../src/views/dashboard/follow-log.ts';
import { DashboardModel } from '../../../../src/views/dashboard/model.ts';
import type { Effect, FeedItem } from '../../../../src/views/dashboard/state.ts';
import { instance, instanceId, sample, snapshot } from '../../../support/dashboard-samples.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { NOW_MS } from '../../../support/run-cli.ts';

const BEAT: FeedItem = { kind: 'beat', nowMs: NOW_MS };

let clock: ManualClock;
let model: DashboardModel;
let effects: Effect[];
let ending: AbortController;
let drawn: number;
beforeEach(() => {
  clock = new ManualClock(NOW_MS);
  effects = [];
  drawn = 0;
  ending = new AbortController();
  const state = sample({ screen: { kind: 'list', list: 'instances' } });
  const style = { color: false, cutMark: '…' };
  model = new DashboardModel({ state, clock, style, onEffect: (effect) => effects.push(effect) });
  model.subscribe(() => (drawn += 1));
});
afterEach(() => {
  ending.abort();
  model.close();
});
const text = (): string => model.lines().join('\n');

/** Each connection sends what it is given and then stays open, or breaks. */
function connections(...each: readonly (readonly (FeedItem | Error)[])[]) {
  let opened = 0;
  return {
    opened: () => opened,
    async *feed(signal: AbortSignal): AsyncGenerator<FeedItem> {
      const items = each[opened] ?? [new CloudError('Unavailable', 'nobody answers')];
      opened += 1;
      for (const item of items) {
        if (item instanceof Error) throw item;
        yield item;
      }
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      });
    },
  };
}

describe('the screen', () => {
  it('is not drawn again while nothing on it changes', async () => {
    model.press('?');
    model.feed(BEAT);
    await clock.advance(400);
    drawn = 0;
    for (let at = 0; at < 20; at += 1) {
      model.feed(BEAT);
      await clock.advance(500);
    }
    model.press('x');
    expect(drawn).toBe(0);
  });

  it('is drawn once for many changes', async () => {
    await clock.advance(300);
    drawn = 0;
    for (let n = 40; n < 90; n += 1) model.feed({ kind: 'instance', instance: instance(n) });
    await clock.advance(250);
    expect(drawn).toBe(1);
    expect(text()).toContain('of 80');
  });

  it('takes a key against what came last', () => {
    model.feed({ kind: 'instance', instance: instance(29, { state: 'terminated' }) });
    model.press('t');
    expect(text()).toContain(`${instanceId(29)} is terminated already`);
    expect(effects).toEqual([]);
  });
});

describe('the feed', () => {
  it('is opened again when it breaks, later and later', async () => {
    const broken = new CloudError('Unavailable', 'the connection broke');
    const port = connections([BEAT, broken], [broken], [broken], [...snapshot(instance(1))]);
    await followFeed(model, port, { clock, signal: ending.signal });
    await clock.advance(400);
    expect([port.opened(), text().includes('reconnecting')]).toEqual([1, true]);
    expect(text()).toContain('the connection broke');
    await clock.advance(100);
    await clock.advance(1000);
    expect(port.opened()).toBe(3);
    await clock.advance(1999);
    expect(port.opened()).toBe(3);
    await clock.advance(500);
    expect(port.opened()).toBe(4);
    expect(text()).toContain('1-1 of 1');
    expect(text()).toMatch(/live *\n/);
  });

  it('is opened again when it says nothing', async () => {
    const port = connections([BEAT], [BEAT]);
    await followFeed(model, port, { clock, signal: ending.signal });
    await clock.advance(10_000);
    expect(text()).toMatch(/stale \ds *\n/);
    await clock.advance(6000);
    expect(port.opened()).toBe(2);
  });

  it('ends for who may look no more', async () => {
    const refused = new CloudError('AuthFailure', 'the access key is disabled');
    const port = connections([BEAT, refused], [BEAT]);
    const told: unknown[] = [];
    await followFeed(model, port, { clock, signal: ending.signal, denied: (error) => told.push(error) });
    await clock.advance(10_000);
    expect([port.opened(), ...told]).toEqual([1, refused]);
  });

  it('is an error at once when there is no cloud', async () => {
    const refused = new CloudError('Unavailable', 'no cloud is running here');
    await expect(followFeed(model, connections([refused]), { clock, signal: ending.signal })).rejects.toBe(refused);
  });
});

describe('the console log', () => {
  it('is streamed while it is on the screen, and anew when it is opened again or breaks', async () => {
    const opened: AbortSignal[] = [];
    const port = {
      async *log(_id: string, signal: AbortSignal) {
        opened.push(signal);
        yield Buffer.from(`boot ${opened.length}\n`);
        await clock.sleep(1000, signal);
        yield Buffer.from('tick\n');
        throw new CloudError('Unavailable', 'the host went away');
      },
    };
    const stop = followLog(model, port, clock, ending.signal);
    model.press('l');
    await clock.advance(1);
    expect(text()).toContain('boot 1');
    await clock.advance(1000);
    expect(text()).toContain('tick');
    expect(model.state.log?.problem).toBe('the host went away');
    await clock.advance(2000);
    expect(text()).toContain('boot 2');
    expect(text()).not.toContain('tick');
    model.press('esc');
    await clock.advance(5000);
    expect(opened.map((signal) => signal.aborted)).toEqual([true, true]);
    model.press('l');
    await clock.advance(1);
    expect(opened).toHaveLength(3);
    stop();
  });
});
