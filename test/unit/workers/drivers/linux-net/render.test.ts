import { describe, it } from 'vitest';
import { renderDnsmasqConfig } from '../../../../../src/workers/drivers/linux-net/render-dnsmasq.ts';
import {
  renderNetworkRemoval,
  renderNetworkRules,
  renderPortGuard,
  renderPortGuardRemoval,
  renderTablesRemoval,
} from '../../../../../src/workers/drivers/linux-net/render-nft.ts';
import { bridgePaths } from '../../../../../src/workers/drivers/linux-net/names.ts';
import {
  parseBridges,
  renderBridgeChanges,
  renderBridgeCreation,
} from '../../../../../src/workers/drivers/linux-net/bridge-plan.ts';
import { renderHosts, withPort } from '../../../../../src/workers/drivers/linux-net/hosts-file.ts';
import { expectGolden } from '../../../../support/golden.ts';
import { networkA, networkB, portA } from './sample.ts';

const paths = { stateDir: '/var/lib/novactl-host/net', runDir: '/run/novactl-host' };
const place = (bridge: string) => ({ ...bridgePaths(paths, bridge), user: 'dnsmasq', bridgeIndex: 7 });
const fresh = (name: string) =>
  parseBridges(JSON.stringify([{ ifname: name, ifindex: 7, mtu: 1500, address: 'fe:00:00:00:00:01' }]))[0]!;

describe('what the Linux network driver gives to the host', () => {
  const rows: readonly (readonly [file: string, render: () => string])[] = [
    ['network-full.nft', () => renderNetworkRules(networkA)],
    ['network-bare.nft', () => renderNetworkRules(networkB)],
    ['network-removal.nft', () => renderNetworkRemoval(networkA.bridge)],
    ['tables-removal.nft', () => renderTablesRemoval()],
    ['port-guard.nft', () => renderPortGuard(portA)],
    ['port-guard-removal.nft', () => renderPortGuardRemoval(portA.tap)],
    ['dnsmasq-full.conf', () => renderDnsmasqConfig(networkA, place(networkA.bridge))],
    ['dnsmasq-bare.conf', () => renderDnsmasqConfig(networkB, place(networkB.bridge))],
    ['bridge.batch', () => renderBridgeCreation(networkA) + renderBridgeChanges(fresh(networkA.bridge), networkA)],
    [
      'hosts',
      () => renderHosts(withPort([{ mac: '02:16:3e:00:02:02', address: '10.200.3.6', hostname: 'db' }], portA)),
    ],
  ];
  it.for(rows)('%s', ([file, render]) => {
    expectGolden(`linux-net/${file}`, render());
  });
});
