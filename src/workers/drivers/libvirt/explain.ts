import type { Hypervisor } from '../../../ports/hypervisor.ts';

type Verb = Parameters<Hypervisor['explain']>[0];

const WORDS: Readonly<Record<Verb, (name: string) => string>> = {
  define: (name) => `define ${name}.xml`,
  start: (name) => `start ${name}`,
  shutdown: (name) => `shutdown ${name} --mode acpi`,
  reboot: (name) => `reboot ${name} --mode acpi`,
  reset: (name) => `reset ${name}`,
  suspend: (name) => `suspend ${name}`,
  resume: (name) => `resume ${name}`,
  destroy: (name) => `destroy ${name}`,
  undefine: (name) => `undefine ${name} --managed-save --snapshots-metadata --nvram`,
};

/** What an operator would type on the host to do the same. */
export function explainInVirsh(verb: Verb, name: string): string {
  return `virsh -c qemu:///system ${WORDS[verb](name)}`;
}
