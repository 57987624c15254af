import { CloudError } from '../../base/errors.ts';
import { nearest } from '../../base/nearest.ts';

/** What oclif's parser throws, as far as it is read here. */
interface ParserError {
  readonly message: string;
  readonly oclif: unknown;
  /** Unknown flags, as given. */
  readonly flags?: readonly string[];
  /** Missing arguments (definitions), or the words too many. */
  readonly args?: readonly ({ readonly name: string; readonly description?: string } | string)[];
  readonly parse?: {
    readonly input?: { readonly flags?: Readonly<Record<string, { required?: boolean; description?: string }>> };
    readonly output?: { readonly flags?: Readonly<Record<string, unknown>> };
  };
}

const isParserError = (error: unknown): error is ParserError & Error => error instanceof Error && 'oclif' in error;

const bad = (text: string): CloudError => new CloudError('InvalidParameterValue', text);

function unknownFlag(flag: string, known: readonly string[], command: string): CloudError {
  const word = flag.split('=')[0] ?? flag;
  const near = nearest(
    word,
    known.map((name) => `--${name}`),
  );
  const hint = near === undefined ? `novactl ${command} --help lists them` : `did you mean ${near}?`;
  return bad(`unknown flag ${word}; ${hint}`);
}

function missingFlag(error: ParserError): CloudError | undefined {
  const wanted = error.parse?.input?.flags ?? {};
  const got = error.parse?.output?.flags ?? {};
  const missing = Object.entries(wanted).filter(([name, flag]) => flag.required === true && got[name] === undefined);
  if (missing.length === 0) return undefined;
  const list = missing.map(([name, flag]) => `--${name} (${flag.description ?? ''})`).join(', ');
  return new CloudError('MissingParameter', `missing ${list}`);
}

function aboutArgs(error: ParserError): CloudError | undefined {
  const [first] = error.args ?? [];
  if (typeof first === 'string')
    return bad(`unexpected word ${(error.args ?? []).map((word) => `"${String(word)}"`).join(', ')}`);
  if (first === undefined) return undefined;
  return new CloudError('MissingParameter', `missing ${first.name.toUpperCase()}: ${first.description ?? ''}`);
}

/** oclif's own sentence, without what it adds in further lines. */
function firstSentence(message: string): CloudError {
  const text = message
    .replace(/\nSee more help with --help$/, '')
    .replace(/^The following errors? occurred:\s*/, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .replaceAll(/(--[\w-]+)=true cannot also be provided when using/g, '$1 cannot also be provided when using');
  return bad(text.charAt(0).toLowerCase() + text.slice(1));
}

/** What oclif says of bad words, as one line that names the flag, the value and what is allowed; other errors as they are. */
export function usageError(error: unknown, knownFlags: readonly string[], command: string): unknown {
  if (error instanceof CloudError) {
    const line = error.details?.['line'];
    return typeof line === 'string' ? bad(line) : error;
  }
  if (!isParserError(error)) return error;
  const [flag] = error.flags ?? [];
  if (flag !== undefined) return unknownFlag(flag, knownFlags, command);
  return aboutArgs(error) ?? missingFlag(error) ?? firstSentence(error.message);
}
