import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { userDirs } from '../../base/user-dirs.ts';
import { readConsole } from './console.ts';
import { deadline } from './deadline.ts';
import { hostKeysIn, knownHosts } from './host-keys.ts';
import type { Session } from './session.ts';

const POLL_MS = 1000;
/** As much of a console log as is looked through, from its beginning. */
const CONSOLE_LIMIT_BYTES = 8 * 1_048_576;

/**
 * The known_hosts file of an instance. When there is none yet, it is made of the keys in the console log, which is read until they are there
 * (CloudError 'Timeout' after timeoutMs). Pinned keys are never changed by themselves.
 */
export async function pinnedHostKeys(session: Session, instanceId: string, timeoutMs: number): Promise<string> {
  const { io, output } = session;
  const path = join(userDirs(io.env).configDir, 'known_hosts.d', instanceId);
  if (existsSync(path)) return path;
  const end = deadline(io, timeoutMs, `for ${instanceId} to print its host keys on the console`);
  try {
    let text = '';
    let fromByte = 0;
    for (let said = false; ;) {
      const part = await readConsole(session, instanceId, fromByte);
      text += part.bytes.toString('latin1');
      fromByte = part.nextByte;
      const keys = hostKeysIn(text);
      if (keys.length > 0) {
        mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
        const draft = `${path}.${process.pid}`;
        writeFileSync(draft, knownHosts(instanceId, keys), { mode: 0o600 });
        renameSync(draft, path);
        output.message(
          `pinned ${keys.length} host key${keys.length === 1 ? '' : 's'} of ${instanceId} from its console`,
        );
        return path;
      }
      if (part.bytes.length > 0 && text.length < CONSOLE_LIMIT_BYTES) continue;
      if (!said) output.message(`waiting for ${instanceId} to print its host keys on the console`);
      said = true;
      await io.clock.sleep(POLL_MS, end.signal);
    }
  } finally {
    end.clear();
  }
}
