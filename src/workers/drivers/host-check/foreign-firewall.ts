import { fail, ok, warn, type Verdict } from './verdict.ts';

export const RULESET_ARGV: readonly string[] = ['nft', '-j', 'list', 'ruleset'];
/** Absent where nobody uses the old tables; then there is nothing to see. */
export const LEGACY_ARGV: readonly string[] = [
  'sh',
  '-c',
  'grep -q filter /proc/net/ip_tables_names && iptables-legacy -S',
];

/** Tables of our own (linux-net). */
const OURS = new Set(['inet novactl', 'ip novactl_nat', 'netdev novactl']);
const BRIDGES = 'nvb*';

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

interface Rule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly expr?: readonly Readonly<Record<string, unknown>>[];
}

interface Ruleset {
  readonly chains: readonly Chain[];
  readonly rules: readonly Rule[];
}

/** Undefined: not the JSON of nft. */
export function parseRuleset(text: string): Ruleset | undefined {
  try {
    const { nftables } = JSON.parse(text) as { nftables?: { chain?: Chain; rule?: Rule }[] };
    if (!Array.isArray(nftables)) return undefined;
    return {
      chains: nftables.flatMap(({ chain }) => (chain === undefined ? [] : [chain])),
      rules: nftables.flatMap(({ rule }) => (rule === undefined ? [] : [rule])),
    };
  } catch {
    return undefined;
  }
}

const endsIn = (rule: Rule, verdict: 'accept' | 'drop' | 'reject'): boolean =>
  rule.expr?.some((item) => verdict in item) === true;

/** A rule for whatever packet: it has nothing but counters before its verdict. */
const unconditional = (rule: Rule): boolean =>
  rule.expr?.every((item) => !('match' in item) && !('jump' in item)) === true;

/** True when a rule lets through what comes from our bridges. */
const knowsOurs = (rule: Rule): boolean => endsIn(rule, 'accept') && JSON.stringify(rule.expr).includes('nvb');

interface Obstacle {
  readonly chain: Chain;
  readonly how: string;
}

/** Foreign base chains of the hook that drop what they do not know, and know nothing of our bridges. */
function obstacles({ chains, rules }: Ruleset, hook: string): Obstacle[] {
  return chains.flatMap((chain) => {
    const { family, table, name } = chain;
    if (chain.hook !== hook || OURS.has(`${family} ${table}`) || !['ip', 'inet', 'bridge'].includes(family)) return [];
    const own = rules.filter((rule) => rule.family === family && rule.table === table && rule.chain === name);
    if (own.some((rule) => knowsOurs(rule))) return [];
    const all = own.find((rule) => unconditional(rule) && (endsIn(rule, 'drop') || endsIn(rule, 'reject')));
    if (chain.policy !== 'drop' && all === undefined) return [];
    return [{ chain, how: chain.policy === 'drop' ? 'policy drop' : 'a rule that drops the rest' }];
  });
}

/** `iptables` where the chain is one that iptables-nft made, `nft` for others. */
function mendOf({ family, table, name }: Chain, direction: 'in' | 'both'): string {
  if (family === 'ip' && table === 'filter' && name === name.toUpperCase()) {
    const from = `iptables -I ${name} -i nvb+ -j ACCEPT`;
    return direction === 'in' ? from : `${from} && iptables -I ${name} -o nvb+ -j ACCEPT`;
  }
  const from = `nft insert rule ${family} ${table} ${name} iifname '"${BRIDGES}"' accept`;
  return direction === 'in'
    ? from
    : `${from} && nft insert rule ${family} ${table} ${name} oifname '"${BRIDGES}"' accept`;
}

const nameOf = ({ family, table, name }: Chain): string => `${family} ${table} ${name}`;

/** Reads `nft -j list ruleset`: rules of others that would keep guests from the network, from DHCP or from metadata. */
export function judgeFirewall(nft: { exitCode: number; stdout: string; stderr: string }, legacy: string): Verdict {
  if (nft.exitCode !== 0) {
    return fail(
      `nft does not work: ${nft.stderr.trim().split('\n')[0] ?? ''}`,
      'modprobe nf_tables; apt-get install nftables',
    );
  }
  const ruleset = parseRuleset(nft.stdout);
  if (ruleset === undefined) return fail('nft does not answer with JSON', 'apt-get install nftables (1.0 or newer)');
  const forward = obstacles(ruleset, 'forward');
  const input = obstacles(ruleset, 'input');
  const old = /^-P FORWARD DROP$/m.test(legacy) && !/^-A FORWARD .*nvb/m.test(legacy);
  if (forward.length + input.length === 0 && !old) {
    const foreign = ruleset.chains.filter((chain) => !OURS.has(`${chain.family} ${chain.table}`)).length;
    return ok(foreign === 0 ? 'no rules of others' : `${foreign} chains of others, none drops what guests need`);
  }
  const seen = [
    ...forward.map(({ chain, how }) => `${nameOf(chain)} (${how}) keeps guests from other networks`),
    ...input.map(({ chain, how }) => `${nameOf(chain)} (${how}) keeps guests from DHCP and metadata`),
    ...(old ? ['the old iptables FORWARD (policy drop) keeps guests from other networks'] : []),
  ];
  const mend = [
    ...forward.map(({ chain }) => mendOf(chain, 'both')),
    ...input.map(({ chain }) => mendOf(chain, 'in')),
    ...(old ? ['iptables-legacy -I FORWARD -i nvb+ -j ACCEPT && iptables-legacy -I FORWARD -o nvb+ -j ACCEPT'] : []),
  ];
  return warn(seen.join('; '), `${mend.join(' && ')} (and make it last: it is gone with the next boot)`);
}
