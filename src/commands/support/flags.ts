import { Args, Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { parseDurationMs } from '../../base/units.ts';
import { FORMATS, type Format } from '../../views/listing.ts';

/** A flag's bad value in one line: the flag, what is allowed, what was given. oclif writes over the message, so the line is kept beside it. */
function badValue(what: string, allowed: string, given: string): CloudError {
  const line = `${what} must be ${allowed}, not "${given}"`;
  return new CloudError('InvalidParameterValue', line, { details: { line } });
}

interface Described {
  readonly description: string;
}

/** `30s`, `5m`: milliseconds. */
export const duration = (name: string, options: Described & { default: number; defaultText: string }) =>
  Flags.custom<number>({
    helpValue: 'DURATION',
    parse: (text) => {
      const ms = parseDurationMs(text);
      if (ms === undefined) throw badValue(`--${name}`, 'a time like 500ms, 30s, 5m or 2h', text);
      return Promise.resolve(ms);
    },
  })({
    description: options.description,
    default: options.default,
    defaultHelp: () => Promise.resolve(options.defaultText),
  });

export const whole = (name: string, options: Described & { min: number; max: number; default: number }) =>
  Flags.custom<number>({
    helpValue: 'N',
    parse: (text) => {
      const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      if (value >= options.min && value <= options.max) return Promise.resolve(value);
      throw badValue(`--${name}`, `a whole number, ${options.min} to ${options.max}`, text);
    },
  })({ description: options.description, default: options.default });

const REASON_MAX_CHARS = 1024;

/** One line of text that stands in records and lists. */
const reason = Flags.custom<string>({
  helpValue: 'TEXT',
  parse: (text) => {
    if (text.length >= 1 && text.length <= REASON_MAX_CHARS && !/\p{Cc}/u.test(text)) return Promise.resolve(text);
    const given = text.length <= 40 ? `"${text}"` : `one of ${text.length}`;
    const line = `--reason must be one line of 1 to ${REASON_MAX_CHARS} characters, not ${given}`.replaceAll(
      /\p{Cc}/gu,
      '?',
    );
    throw new CloudError('InvalidParameterValue', line, { details: { line } });
  },
});

/** `one,two`, also given several times. */
const names = (text: string): string[] => text.split(',').flatMap((item) => (item.trim() === '' ? [] : [item.trim()]));

const GLOBAL = { helpGroup: 'GLOBAL' } as const;

/** Every command has these. */
export const globalFlags = {
  output: Flags.option({
    char: 'o',
    description: 'how data is printed',
    options: FORMATS,
    default: 'table' as Format,
    ...GLOBAL,
  })(),
  json: Flags.boolean({ description: 'the same as --output json', ...GLOBAL }),
  quiet: Flags.boolean({ char: 'q', description: 'say nothing but data, warnings and errors', ...GLOBAL }),
  verbose: Flags.boolean({ char: 'v', description: 'say more of what is done', ...GLOBAL }),
  yes: Flags.boolean({ char: 'y', description: 'do not ask before what destroys', ...GLOBAL }),
  reason: reason({ description: 'why, kept in the record of the operation', ...GLOBAL }),
  'no-color': Flags.boolean({ description: 'print without colour, as NO_COLOR does', ...GLOBAL }),
  config: Flags.string({ description: 'configuration file to read', helpValue: 'FILE', ...GLOBAL }),
  context: Flags.string({ description: 'context of contexts.yaml to use', helpValue: 'NAME', ...GLOBAL }),
  project: Flags.string({
    description: 'project to work in; default that of the access key',
    helpValue: 'NAME',
    ...GLOBAL,
  }),
  set: Flags.string({
    description: 'set a key of the configuration for this command, as KEY=VALUE',
    helpValue: 'KEY=VALUE',
    multiple: true,
    multipleNonGreedy: true,
    ...GLOBAL,
  }),
  'no-wait-lock': Flags.boolean({
    description: 'with no daemon: fail at once when another command works on the cloud',
    ...GLOBAL,
  }),
};

/** What prints columns takes this one. */
export const columnsFlag = {
  columns: Flags.custom<string[]>({
    description: 'columns to print, in this order',
    helpValue: 'NAME,...',
    parse: (text) => Promise.resolve(names(text)),
  })(),
};

/** What prints many things takes these. */
export const listFlags = {
  ...columnsFlag,
  filter: Flags.string({
    description: 'only rows where column=value or column!=value; values may hold * and ,',
    helpValue: 'COLUMN=VALUE',
    multiple: true,
    multipleNonGreedy: true,
  }),
};

/** Every change takes this one. */
export const changeFlags = {
  'dry-run': Flags.boolean({ description: 'only check that it would be allowed' }),
};

/** Changes that go on after the answer take these. */
export const waitFlags = (until: string, defaultMs = 600_000, defaultText = '10m') => ({
  wait: Flags.boolean({ description: `wait until ${until}` }),
  timeout: duration('timeout', { description: 'longest wait', default: defaultMs, defaultText }),
});

/** For commands whose result is of no use before its end. */
export const noWaitFlags = (until: string, defaultMs: number, defaultText: string) => ({
  'no-wait': Flags.boolean({ description: `do not wait until ${until}` }),
  timeout: duration('timeout', { description: 'longest wait', default: defaultMs, defaultText }),
});

// Without ignoreStdin oclif takes a missing word from stdin.
export const idArg = (description: string) => ({
  id: Args.string({ description, required: true, ignoreStdin: true }),
});

export const serviceArg = {
  service: Args.string({
    description: 'name of the process: node.name in its configuration',
    required: true,
    ignoreStdin: true,
  }),
};

export const idsArg = (description: string) => ({
  id: Args.string({ description, required: true, multiple: true, ignoreStdin: true }),
});
