import { CloudError } from '../../../base/errors.ts';
import { tagSpecifications } from './common-params.ts';
import type { Params } from './params.ts';

/** A parameter by the points in its name; undefined: it is not there. */
function textAt(params: Params, path: string): { readonly text: string; readonly name: string } | undefined {
  const parts = path.split('.');
  let at: Params | undefined = params;
  for (const part of parts.slice(0, -1)) at = at?.struct(part);
  const last = parts.at(-1) ?? '';
  const text = at?.text(last);
  return at === undefined || text === undefined ? undefined : { text, name: at.named(last) };
}

/** Refuses what may be said only as it is here anyway. Errors: 'UnsupportedOperation' that names parameter, value and what is allowed. */
export function onlyDefaults(params: Params, allowed: Readonly<Record<string, readonly string[]>>): void {
  for (const [path, values] of Object.entries(allowed)) {
    const said = textAt(params, path);
    if (said === undefined || said.text === '' || values.includes(said.text.toLowerCase())) continue;
    const value = JSON.stringify(said.text.slice(0, 64));
    throw unsupported(said.name, `${value} can't be had here, only ${values.join(' or ')}; leave it out`);
  }
}

/** Refuses parameters that would ask for what is not there. */
export function noneOf(params: Params, names: Readonly<Record<string, string>>): void {
  for (const [name, what] of Object.entries(names)) {
    if (params.has(name)) throw unsupported(params.named(name), `there are no ${what} in this cloud; leave it out`);
  }
}

export function unsupported(parameter: string, message: string): CloudError {
  return new CloudError('UnsupportedOperation', `${parameter}: ${message}`, { details: { parameter } });
}

/** The tags of the one kind of thing that an action makes. */
export function tagsOfOnly(params: Params, kind: string): Record<string, string> | undefined {
  return tagsOfKinds(params, [kind])[kind];
}

/** The tags of each kind of thing that an action makes; those of another are refused, since nothing would have them. */
export function tagsOfKinds(
  params: Params,
  kinds: readonly string[],
): Readonly<Record<string, Record<string, string> | undefined>> {
  const tags = tagSpecifications(params);
  const other = Object.keys(tags).find((name) => !kinds.includes(name));
  if (other === undefined) return tags;
  throw unsupported(
    params.named('TagSpecification'),
    `no ${other.slice(0, 64)} is made here that could be tagged, only ResourceType ${kinds.join(' or ')}`,
  );
}
