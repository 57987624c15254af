import { chmod, mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import fastify from 'fastify';
import type { FastifyInstance } from 'fastify';
import type { Principal } from '../../operations/handler.ts';
import { inProject } from '../../users/in-project.ts';
import type { Directory } from '../../../ports/directory.ts';
import { askedProject } from './asked-project.ts';
import { AdminRoutes, BODY_MAX_BYTES, type AdminRoutesOptions } from './admin-routes.ts';

export interface AdminServerOptions extends Omit<AdminRoutesOptions, 'authenticate' | 'bodyTimeoutMs'> {
  readonly socketPath: string;
  /** Absent: nobody works in another project than the first. */
  readonly directory?: Pick<Directory, 'project'>;
}

/**
 * The admin API on a UNIX socket. Whoever can open it (its folder is 0700) is root of this cloud; SUDO_USER is recorded as a claim.
 */
export class AdminServer {
  readonly #options: AdminServerOptions;
  readonly #app: FastifyInstance;
  readonly #routes: AdminRoutes;

  constructor(options: AdminServerOptions) {
    this.#options = options;
    this.#app = fastify({ logger: false, bodyLimit: BODY_MAX_BYTES, forceCloseConnections: true, requestTimeout: 0 });
    this.#routes = new AdminRoutes({
      ...options,
      authenticate: async (request) => {
        const claim = request.headers['x-novactl-sudo-user'];
        const principal = socketPrincipal(Array.isArray(claim) ? claim[0] : claim);
        return { principal: await inProject(options.directory, principal, askedProject(request)) };
      },
    });
    this.#routes.register(this.#app);
  }

  async start(): Promise<void> {
    const { socketPath } = this.#options;
    await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 });
    await chmod(dirname(socketPath), 0o700);
    // The state lock is held: a socket file that is left here belongs to nobody.
    await rm(socketPath, { force: true });
    await this.#app.listen({ path: socketPath });
    await chmod(socketPath, 0o600);
  }

  async close(): Promise<void> {
    this.#routes.close();
    await this.#app.close();
  }
}

/** Whoever may open the socket. */
export function socketPrincipal(sudoUser: string | undefined): Principal {
  const who = sudoUser?.replaceAll(/[^\w.@-]/g, '?').slice(0, 64) ?? '';
  return {
    name: who === '' ? 'root@socket' : `root@socket (sudo ${who})`,
    projectId: 'admin',
    roles: ['cloudadmin'],
    from: 'socket',
  };
}
