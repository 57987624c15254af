import { CloudError } from '../../base/errors.ts';

/** The operation's parameter -> what the command line calls it: `ImageId` -> `--image`, `InstanceIds` -> `ID`, `Transport.port` -> `--port`. */
export type ParameterNames = Readonly<Record<string, string>>;

interface Issue {
  readonly parameter: string;
  readonly text: string;
}

const issuesOf = (details: Record<string, unknown>): Issue[] =>
  Array.isArray(details['issues'])
    ? details['issues'].filter((item): item is Issue => item !== null && typeof item === 'object' && 'text' in item)
    : [];

/** The word of the longest beginning that has one: `Transport.port` before `Transport`. */
function wordOf(parameter: string, names: ParameterNames): string | undefined {
  for (let path = parameter; path !== ''; path = path.slice(0, Math.max(0, path.lastIndexOf('.')))) {
    if (Object.hasOwn(names, path)) return names[path];
  }
  return undefined;
}

/** The value at `InstanceIds.0` of an input, for people; undefined when it is none that fits a line. */
function given(parameter: string, input: unknown): string | undefined {
  let value = input;
  for (const key of parameter.split('.')) {
    value = value !== null && typeof value === 'object' ? (value as Record<string, unknown>)[key] : undefined;
  }
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value.length <= 128 ? `"${value}"` : undefined;
}

/** Names of parameters that a text speaks of, in the command line's words. */
function reword(text: string, names: ParameterNames): string {
  return Object.entries(names).reduce(
    (out, [parameter, word]) => out.replaceAll(new RegExp(String.raw`\b${parameter}(\.\d+)?\b`, 'g'), () => word),
    text,
  );
}

function issueLine(issue: Issue, names: ParameterNames, input: unknown): string {
  const word = wordOf(issue.parameter, names);
  const prefix = `${issue.parameter}: `;
  if (word === undefined || !issue.text.startsWith(prefix)) return reword(issue.text, names);
  const value = given(issue.parameter, input);
  return `${word}${value === undefined ? '' : ` ${value}`}: ${reword(issue.text.slice(prefix.length), names)}`;
}

/** The error as the user of a command must read it: what was wrong by the flag's name, with the value that was given. */
export function inCommandWords(error: CloudError, names: ParameterNames, input: unknown): CloudError {
  const details = error.details ?? {};
  const issues = issuesOf(details);
  const text =
    issues.length > 0 ? issues.map((issue) => issueLine(issue, names, input)).join('; ') : reword(error.message, names);
  return new CloudError(error.code, text, { details, cause: error });
}
