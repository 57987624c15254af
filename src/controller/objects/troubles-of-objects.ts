import { objectsTroubleText, type ObjectsTrouble } from '../../messages/objects-trouble.ts';
import type { SeenService } from '../services/service-directory.ts';

/** What processes say of the objects: each asks the endpoint for itself, and what ails it is one problem, since the first of them saw it. */
export function troublesOfObjects(services: readonly Pick<SeenService, 'hello' | 'lost'>[]): string[] {
  const saying = new Map<string, { readonly ids: string[]; readonly trouble: ObjectsTrouble }>();
  for (const { hello, lost } of services) {
    const { objects, serviceId } = hello;
    if (lost || objects === undefined) continue;
    const same = saying.get(objects.text);
    saying.set(objects.text, {
      ids: [...(same?.ids ?? []), serviceId],
      trouble: same === undefined ? objects : earlier(same.trouble, objects),
    });
  }
  return [...saying.values()].map(
    ({ ids, trouble }) => `process${ids.length === 1 ? '' : 'es'} ${ids.join(', ')}: ${objectsTroubleText(trouble)}`,
  );
}

const earlier = (a: ObjectsTrouble, b: ObjectsTrouble): ObjectsTrouble =>
  (b.sinceMs ?? Infinity) < (a.sinceMs ?? Infinity) ? b : a;
