import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkFingerprint, parseHostsFile, parseHostWord } from '../../../src/commands/support/host-words.ts';

const FP = `SHA256:${'a'.repeat(43)}`;

describe('[user@]name[:port]', () => {
  it.each([
    ['node1', { host: 'node1' }],
    ['root@node1', { user: 'root', host: 'node1' }],
    ['root@node1:2222', { user: 'root', host: 'node1', port: 2222 }],
    ['10.0.0.5:22', { host: '10.0.0.5', port: 22 }],
    ['[2001:db8::1]', { host: '2001:db8::1' }],
    ['me@[::1]:65535', { user: 'me', host: '::1', port: 65_535 }],
  ])('%s', (text, wanted) => {
    expect(parseHostWord(text, 'NAME')).toEqual(wanted);
  });

  it.each(['', '@', 'a b', 'node1:', 'node1:x', ':22', 'a@b@c', '::1', '2001:db8::1', '[::1', 'x]:1', 'a:1:2'])(
    '%j is refused, by its name',
    (text) => {
      expect(() => parseHostWord(text, '--jump')).toThrow(
        `--jump must be [user@]name[:port], an IPv6 address in brackets, not "${text}"`,
      );
    },
  );

  it.each(['node1:0', 'node1:65536', 'node1:99999999'])('%s has no such port', (text) => {
    expect(() => parseHostWord(text, 'NAME')).toThrow('NAME must have a port of 1 to 65535');
  });

  it('what is put together is taken apart again', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,20}$/);
    const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined });
    fc.assert(
      fc.property(name, fc.option(name, { nil: undefined }), port, (host, user, number) => {
        const text = `${user === undefined ? '' : `${user}@`}${host}${number === undefined ? '' : `:${number}`}`;
        const parsed = parseHostWord(text, 'NAME');
        expect([parsed.host, parsed.user, parsed.port]).toEqual([host, user, number]);
      }),
    );
  });
});

describe('a file of hosts', () => {
  it('has comments, empty lines and fingerprints', () => {
    const text = `# rack 1\nroot@node1 ${FP}\r\n\n  node2:2222   # the old one\n`;
    expect(parseHostsFile(text, 'f')).toEqual([
      { user: 'root', host: 'node1', fingerprint: FP, line: 2 },
      { host: 'node2', port: 2222, line: 4 },
    ]);
  });

  it.each([
    ['node1\nnode2 SHA256:short\n', /f, line 2: must be SHA256: and 43 characters.*"SHA256:short"/],
    [`node1 ${FP} more\n`, /f, line 1: \[user@\]name\[:port\] \[SHA256:fingerprint\] is allowed/],
    ['node1\n\nroot@node1\n', /f, line 3: node1 stands in line 1 already/],
    ['# nobody\n', /--from: f names no host/],
    ['a:b\n', /f, line 1: must be \[user@\]name\[:port\]/],
    [Array.from({ length: 1001 }, (_, index) => `n${index}`).join('\n'), /names 1001 hosts; at most 1000/],
  ])('%j is refused with its line', (text, wanted) => {
    expect(() => parseHostsFile(text, 'f')).toThrow(wanted);
  });

  it('a fingerprint is OpenSSH’s', () => {
    expect(checkFingerprint(`${FP}=`, '--fingerprint')).toBe(`${FP}=`);
    expect(() => checkFingerprint(`MD5:${FP}`, '--fingerprint')).toThrow('--fingerprint must be SHA256:');
  });
});
