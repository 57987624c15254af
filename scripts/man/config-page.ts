import { CONFIG_KEYS, type ConfigKey } from '../../src/launch/config/keys.ts';
import { ConfigSchema } from '../../src/launch/config/schema.ts';
import { block, bold, item, paragraph, section, seeAlso, text, title } from './roff.ts';

/** No key takes this one, so the schema says what it takes. */
const IMPOSSIBLE = { text: '\0', number: '\0', list: ['\0'] } as const;

function allowed(key: ConfigKey): string {
  const tree = key.path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), IMPOSSIBLE[key.kind]);
  const issue = ConfigSchema.safeParse(tree).error?.issues[0];
  if (issue === undefined) throw new Error(`${key.path} takes anything; say in the schema what it may be`);
  return key.kind === 'list' ? `each ${issue.message}` : issue.message;
}

const fallback = (key: ConfigKey): string =>
  Array.isArray(key.fallback) ? (key.fallback.join(', ') || 'an empty list') : String(key.fallback);

const keyItem = (key: ConfigKey): string =>
  item(bold(key.path), `${key.description}; ${allowed(key)}. Default: ${fallback(key)}. Variable: ${key.env}.`);

/** novactl.yaml(5), made from the schema of the configuration. */
export function configPage(version: string): string {
  return [
    title('novactl.yaml', 5, version),
    section('name'),
    `novactl.yaml \\- ${text('configuration of novactl')}\n`,
    section('description'),
    text('A mapping of the keys below in YAML; a dot in the name of a key stands for a mapping inside a mapping. '),
    text('An unknown key or a bad value is refused, all of them at once.\n'),
    paragraph('A value is taken from the first of these that has it:'),
    block([
      '1. the flag --set KEY=VALUE',
      '2. the variable of the key in the environment',
      '3. the context that --context, NOVACTL_CONTEXT or contexts.yaml itself names',
      '4. the file that --config or NOVACTL_CONFIG names, or /etc/novactl/novactl.yaml',
      '5. the default',
    ]),
    paragraph(
      'novactl config show --origin prints every value and where it is from; novactl config check says what is wrong. Lists are written with commas in a flag or variable.',
    ),
    paragraph(
      'For who is not root, stateDir is novactl in the folder that XDG_STATE_HOME names (by default ~/.local/state), and runDir is novactl in XDG_RUNTIME_DIR.',
    ),
    section('keys'),
    ...CONFIG_KEYS.map(keyItem),
    section('contexts'),
    text('~/.config/novactl/contexts.yaml holds named sets of keys and the name of the one that is used:\n'),
    block(['current: here', 'contexts:', '  here:', '    runDir: /run/novactl', '  lab:', '    runDir: /run/novactl-lab']),
    section('example'),
    block(['network:', '  fixedRange: 10.64.0.0/12', '  dns: [10.0.0.53]', 'scheduler:', '  cpuAllocationRatio: 4']),
    seeAlso([
      ['novactl', 1],
      ['novactl-config-show', 1],
    ]),
  ].join('');
}
