import type { FilePort } from '../../../src/adapters/store/file-port.ts';
import type { HostDrivers } from '../../../src/ports/host-drivers.ts';
import type { Life } from './sim-process.ts';

/** The drivers as a process has them: answers and events of a host reach it when it is awake, or never again. */
export function gatedDrivers(drivers: HostDrivers, life: Life): HostDrivers {
  return gated(drivers, life);
}

/** Its files, the same way. */
export function gatedFiles(files: FilePort, life: Life): FilePort {
  return gated({ ...files, open: (file, how) => files.open(file, how).then((one) => gated(one, life)) }, life);
}

function gated<T extends object>(target: T, life: Life): T {
  return new Proxy(target, {
    get(object, name) {
      const value: unknown = Reflect.get(object, name, object);
      if (typeof value === 'function') {
        return (...given: unknown[]): unknown => {
          const result: unknown = value.apply(
            object,
            given.map((one) => heard(one, life)),
          );
          return result instanceof Promise ? life.through(result) : result;
        };
      }
      return typeof value === 'object' && value !== null ? gated(value, life) : value;
    },
  });
}

function heard(given: unknown, life: Life): unknown {
  if (typeof given !== 'function') return given;
  return (...told: unknown[]): void => life.enter(() => void Reflect.apply(given, undefined, told));
}
