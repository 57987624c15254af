import type { ControllerPolicy } from '../controller/controller-context.ts';
import { CAPABILITIES, REAL_CAPABILITIES } from '../domain/capabilities.ts';
import type { Config } from './config/schema.ts';

/** Of simulated hosts where none was configured: documentation's own addresses (RFC 5737), which nobody has. */
const SIMULATED_PUBLIC_RANGE = '198.51.100.0/24';

/** The configuration as the controller's parts want it. */
export function controllerPolicy(config: Config): ControllerPolicy {
  const { network, scheduler, instances } = config;
  return Object.freeze({
    region: config.region,
    regions: config.regions.length === 0 ? [config.region] : config.regions.map(({ name }) => name),
    zone: config.zone,
    fixedRange: network.fixedRange,
    subnetPrefix: network.subnetPrefix,
    publicRange: network.publicRange || (config.drivers === 'simulated' ? SIMULATED_PUBLIC_RANGE : ''),
    dns: network.dns,
    domain: network.domain,
    mtu: network.mtu,
    metadataPort: config.metadata.port,
    placement: {
      cpuAllocationRatio: scheduler.cpuAllocationRatio,
      memoryAllocationRatio: scheduler.memoryAllocationRatio,
      diskAllocationRatio: scheduler.diskAllocationRatio,
      reservedMemoryMib: scheduler.reservedMemoryMib,
      reservedDiskGib: scheduler.reservedDiskGib,
    },
    stopTimeoutMs: instances.stopTimeoutMs,
    terminatedKeepMs: instances.terminatedKeepMs,
    maxAttempts: instances.maxAttempts,
    operationsKeepMs: config.operations.keepMs,
    uploadKeepMs: config.collect.uploadKeepMs,
    imageCacheKeepMs: config.collect.imageCacheKeepMs,
    backupKeep: config.backup.keep,
    // Of real drivers: each comes with its own driver.
    capabilities: config.drivers === 'simulated' ? CAPABILITIES : REAL_CAPABILITIES,
    directoryCacheMs: config.directory.cacheMs,
    simulatedHosts: config.drivers === 'simulated',
  });
}
