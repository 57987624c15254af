import { describe, expect, it } from 'vitest';
import { proxyCommand, wayConfig, wayKnownHosts, type SshWay } from '../../../src/commands/support/ssh-way.ts';
import { expectGolden } from '../../support/golden.ts';

const server = (host: string, port: number, user: string): SshWay['servers'][number] => ({
  ...{ host, port, user },
  hostKey: { type: 'ssh-ed25519', base64: 'AAAAC3NzaC1lZDI1NTE5AAAAIPPdj' },
});
const way: SshWay = {
  servers: [server('gate.example.net', 2222, 'admin'), server('fd00::7', 22, 'root')],
  identity: '/var/lib/nova 50%/id',
  agent: undefined,
};

describe('the way to the guests of a host', () => {
  it('is written as ssh reads it', () => {
    expectGolden('ssh/way.conf', wayConfig(way, '/home/me/known'));
    expectGolden('ssh/way.known-hosts', wayKnownHosts(way));
  });

  it('leaves the key to ssh where none can be read, and names an agent', () => {
    const [, last] = way.servers;
    const text = wayConfig({ servers: last ? [last] : [], identity: undefined, agent: '/run/agent' }, '/k');
    expect(text).toContain('IdentityAgent "/run/agent"');
    expect(text).not.toMatch(/IdentityFile|IdentitiesOnly|ProxyJump/);
  });

  it('is one word of a shell for each path, whatever is in it', () => {
    expect(proxyCommand(way, "/it's 5%/h.conf")).toBe("ssh -F '/it'\\''s 5%%/h.conf' -W '[%h]:%p' novactl-hop-2");
  });

  it.each([
    ['host', { ...server('a\nProxyCommand touch /x', 22, 'root') }],
    ['host', { ...server('-oProxyCommand=x', 22, 'root') }],
    ['user', { ...server('a', 22, 'root\n') }],
    ['type', { ...server('a', 22, 'root'), hostKey: { type: 'x y', base64: 'AAAA' } }],
    ['base64', { ...server('a', 22, 'root'), hostKey: { type: 'ssh-rsa', base64: 'A\nb' } }],
  ])('takes no setting by way of the %s', (kind, bad) => {
    const broken = { ...way, servers: [bad] };
    expect(() => wayConfig(broken, '/k') + wayKnownHosts(broken)).toThrow(`as the ${kind} of an SSH server`);
  });

  it('takes no path that would end its line', () => {
    expect(() => wayConfig({ ...way, identity: '/a"\nProxyCommand x' }, '/k')).toThrow("can't be written");
  });
});
