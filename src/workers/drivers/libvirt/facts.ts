import { CloudError } from '../../../base/errors.ts';
import { parseXml, xmlChildren, xmlFind, xmlText } from '../../../base/xml.ts';

export interface CapabilityFacts {
  readonly arch: string;
  readonly qemuUid: number;
  readonly qemuGid: number;
}

/** From the capabilities XML: host CPU architecture, and the owner QEMU runs as (the DAC model's base label, `+uid:+gid`). */
export function parseCapabilities(xml: string): CapabilityFacts {
  const root = parseXml(xml);
  const host = xmlFind(root, 'host');
  const arch = xmlText(root, 'host', 'cpu', 'arch');
  const dac = (host === undefined ? [] : xmlChildren(host, 'secmodel')).find(
    (model) => xmlText(model, 'model') === 'dac',
  );
  const label = dac === undefined ? undefined : xmlText(dac, 'baselabel');
  const owner = /^\+?(\d+):\+?(\d+)$/.exec(label ?? '');
  if (arch === undefined || owner === null) {
    throw new CloudError(
      'HypervisorError',
      "libvirt's capabilities name no architecture or no owner for disks (secmodel dac): is it the system daemon, run by root?",
      {
        details: { arch, label },
      },
    );
  }
  return { arch, qemuUid: Number(owner[1]), qemuGid: Number(owner[2]) };
}

/** 7002022n -> '7.2.22': major * 1 000 000 + minor * 1000 + release. */
export function versionText(packed: bigint): string {
  const value = Number(packed);
  return `${Math.floor(value / 1_000_000)}.${Math.floor(value / 1000) % 1000}.${value % 1000}`;
}
