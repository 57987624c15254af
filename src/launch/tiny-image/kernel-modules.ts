/** `kernel/net/core/failover.ko.xz` -> `failover`. Dashes and underscores are the same to the kernel. */
export function moduleName(path: string): string {
  const base = path.slice(path.lastIndexOf('/') + 1);
  return base.replace(/\.ko(\.(xz|gz|zst))?$/, '').replaceAll('-', '_');
}

/** modules.dep as depmod writes it: each module's path and those that it needs. */
export function parseModulesDep(text: string): Map<string, readonly string[]> {
  const table = new Map<string, readonly string[]>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon === -1) continue;
    const needs = line
      .slice(colon + 1)
      .split(' ')
      .filter((word) => word !== '');
    table.set(line.slice(0, colon), needs);
  }
  return table;
}

/**
 * Paths of the wanted modules and all that they need, each after what it needs. `missing` are wanted names that are neither a module
 * nor built into the kernel.
 */
export function loadOrder(
  wanted: readonly string[],
  modulesDep: string,
  modulesBuiltin: string,
): { order: string[]; missing: string[] } {
  const table = parseModulesDep(modulesDep);
  const pathByName = new Map([...table.keys()].map((path) => [moduleName(path), path]));
  const builtin = new Set(modulesBuiltin.split('\n').map(moduleName));
  const order: string[] = [];
  const missing: string[] = [];
  const add = (path: string): void => {
    if (order.includes(path)) return;
    // depmod names every need, also those of needs, the deepest last.
    for (const need of [...(table.get(path) ?? [])].reverse()) add(need);
    order.push(path);
  };
  for (const name of wanted.map(moduleName)) {
    const path = pathByName.get(name);
    if (path !== undefined) add(path);
    else if (!builtin.has(name)) missing.push(name);
  }
  return { order, missing };
}
