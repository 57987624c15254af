import { join } from 'node:path';

type Env = Readonly<Record<string, string | undefined>>;

/** XDG says that a relative path in one of its variables must be ignored. */
function xdg(env: Env, name: string, fallback: string): string {
  const value = env[name];
  return value !== undefined && value.startsWith('/') ? value : join(env['HOME'] ?? '/', fallback);
}

/** Where one user's own files are (XDG Base Directory Specification 0.8). */
export interface UserDirs {
  /** contexts.yaml, keys/, known_hosts.d/ */
  readonly configDir: string;
  readonly cacheDir: string;
}

export function userDirs(env: Env): UserDirs {
  return {
    configDir: join(xdg(env, 'XDG_CONFIG_HOME', '.config'), 'novactl'),
    cacheDir: join(xdg(env, 'XDG_CACHE_HOME', '.cache'), 'novactl'),
  };
}

/** Where a cloud keeps its state and its socket when nothing else is configured: the system's folders for root, the user's own for others. */
export function defaultCloudDirs(env: Env, uid: number): { stateDir: string; runDir: string } {
  if (uid === 0) return { stateDir: '/var/lib/novactl', runDir: '/run/novactl' };
  const stateDir = join(xdg(env, 'XDG_STATE_HOME', '.local/state'), 'novactl');
  const runtime = env['XDG_RUNTIME_DIR'];
  return { stateDir, runDir: runtime?.startsWith('/') === true ? join(runtime, 'novactl') : join(stateDir, 'run') };
}

/** The file name of the admin API's socket in `runDir`. */
export const SOCKET_NAME = 'novactl.sock';

/** The system's config file when neither --config nor NOVACTL_CONFIG names one. */
export const CONFIG_PATH = '/etc/novactl/novactl.yaml';
