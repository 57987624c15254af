import { userInfo } from 'node:os';

/** Who runs this process, for people. */
export function loginName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry in passwd.
    return `uid ${process.getuid?.() ?? 0}`;
  }
}
