import { z } from 'zod';

/** Whether a process does all of its work, and what it is: the answer at `/readyz`. */
export const Readiness = z.object({
  ready: z.boolean(),
  /** Why not, as sentences. */
  reasons: z.array(z.string()),
  /** What is not well although it is ready, as sentences: nobody is better off with another process. */
  troubles: z.array(z.string()).default([]),
  /** Why nothing is changed although it is ready: the store was restored, and waits to be adopted. */
  held: z.string().optional(),
  process: z.object({
    name: z.string(),
    roles: z.array(z.string()),
    pid: z.int(),
    version: z.string(),
    startedAtMs: z.number(),
    state: z.enum(['starting', 'ready', 'draining']),
  }),
});
export type Readiness = z.output<typeof Readiness>;

/** The file name, in the state folder, of the socket where a process says so to who is on its machine. */
export const STATUS_SOCKET = 'status.sock';
