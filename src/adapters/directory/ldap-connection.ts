import type { Client, Filter } from 'ldapts';
import type { Timer } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { dialLdap, dialUnbound, type LdapSession } from './ldap-dial.ts';
import { isLdapCode, unavailable } from './ldap-problems.ts';
import type { LdapAccess } from './ldap-settings.ts';

/** An entry as it is read: attribute in lower case -> values. */
export interface LdapEntry {
  readonly dn: string;
  readonly attributes: ReadonlyMap<string, readonly string[]>;
}

export interface LdapQuestion {
  readonly base: string;
  readonly scope: 'base' | 'one' | 'sub';
  readonly filter: Filter | string;
  readonly attributes: readonly string[];
}

/** Entries in one part of an answer; a server's limit holds for each part. */
const PAGE_SIZE = 500;
const PROBE_MS = 15_000;

/** The connection to the directory: dialled when it is needed, and again, with bind and TLS, after it ended. */
export class LdapConnection {
  readonly #access: LdapAccess;
  readonly #probeDn: string;
  readonly #probe: Timer;
  #session: LdapSession | undefined;
  #dialing: Promise<LdapSession> | undefined;
  #problem: string | undefined;
  #closed = false;

  /** `probeDn` is read now and then: an entry that is there when all is well. */
  constructor(access: LdapAccess, probeDn: string) {
    this.#access = access;
    this.#probeDn = probeDn;
    this.#probe = access.clock.every(PROBE_MS, () => void this.probe().catch(() => undefined), { unref: true });
  }

  /** What the last exchange that got no answer said; undefined when the last one was well. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Reads the probe's entry. Errors: 'Unavailable'. */
  async probe(): Promise<void> {
    if (this.#closed) return;
    await this.search({ base: this.#probeDn, scope: 'base', filter: '(objectClass=*)', attributes: ['1.1'] });
  }

  /** All entries. Errors: 'Unavailable', also where the base is not there or not to be seen. */
  async search(question: LdapQuestion): Promise<LdapEntry[]> {
    try {
      return await this.#search(question);
    } catch (error) {
      throw this.#failed(`entries under ${question.base}`, error);
    }
  }

  /** The same, and no entries where the base is not there. Only for a base whose parent was seen in this exchange. */
  async searchBelow(question: LdapQuestion): Promise<LdapEntry[]> {
    try {
      return await this.#search(question);
    } catch (error) {
      if (isLdapCode(error, 'noSuchObject')) return [];
      throw this.#failed(`entries under ${question.base}`, error);
    }
  }

  /** Runs a change. What the server answers is thrown as it is, for the caller to tell apart; what comes of no answer is 'Unavailable'. */
  async change(what: string, run: (client: Client) => Promise<void>): Promise<void> {
    const session = await this.#open(what);
    try {
      await session.run(run);
      this.#problem = undefined;
    } catch (error) {
      if (!session.alive) throw this.#failed(what, error);
      throw error;
    }
  }

  /** Whether the server takes the password of the entry, on a connection of its own. Errors: 'Unavailable'. */
  async passes(dn: string, password: string): Promise<boolean> {
    if (password === '' || dn === '') return false;
    let session: LdapSession;
    try {
      session = await dialUnbound(this.#access);
    } catch (error) {
      throw this.#failed('a password', error);
    }
    try {
      await session.run((client) => client.bind(dn, password));
      return true;
    } catch (error) {
      // 53: an account that is locked or must not log in, on servers that say so.
      if (isLdapCode(error, 'invalidCredentials', 'inappropriateAuthentication', 'unwillingToPerform')) return false;
      if (isLdapCode(error, 'noSuchObject', 'insufficientAccess', 'constraintViolation')) return false;
      throw this.#failed('a password', error);
    } finally {
      await session.close();
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#probe.cancel();
    await this.#session?.close();
  }

  async #search({ base, scope, filter, attributes }: LdapQuestion): Promise<LdapEntry[]> {
    const session = await this.#open(`entries under ${base}`);
    const paged = scope === 'base' ? false : { pageSize: PAGE_SIZE };
    const found = await session.run((client) =>
      client.search(base, { scope, filter, attributes: [...attributes], derefAliases: 'never', paged }),
    );
    this.#problem = undefined;
    // References to other servers are not followed: found.searchReferences is left alone.
    return found.searchEntries.map(({ dn, ...rest }) => ({ dn, attributes: readAttributes(rest) }));
  }

  /** The bound session; one dials for all who wait. */
  async #open(what: string): Promise<LdapSession> {
    if (this.#closed) throw unavailable(what, new Error('the connection was closed'));
    if (this.#session?.alive === true) return this.#session;
    this.#dialing ??= this.#dial().finally(() => (this.#dialing = undefined));
    try {
      return await this.#dialing;
    } catch (error) {
      throw this.#failed(what, error);
    }
  }

  async #dial(): Promise<LdapSession> {
    if (this.#session !== undefined) this.#access.logger.info('the connection to the directory ended; dialling again');
    const session = await dialLdap(this.#access);
    if (this.#closed) session.end(new Error('it was closed'));
    this.#session = session;
    return session;
  }

  #failed(what: string, error: unknown): Error {
    const failure = unavailable(what, error);
    if (this.#problem === undefined)
      this.#access.logger.warn('the directory does not answer', { why: errorText(failure) });
    this.#problem = failure.message;
    return failure;
  }
}

function readAttributes(
  entry: Readonly<Record<string, Buffer | Buffer[] | string[] | string>>,
): LdapEntry['attributes'] {
  return new Map(
    Object.entries(entry).map(([name, value]) => {
      const values = Array.isArray(value) ? value : [value];
      return [name.toLowerCase(), values.map(String)];
    }),
  );
}
