import { Attribute, BerWriter, Change } from 'ldapts';
import type { LdapConnection } from './ldap-connection.ts';
import type { NewEntry } from './ldap-entries.ts';
import { changeRefused, isLdapCode } from './ldap-problems.ts';

/** RFC 3062: the server hashes, and its policy has a say. */
const PASSWORD_MODIFY = '1.3.6.1.4.1.4203.1.11.1';
const CONTEXT = 0x80;

/** One part of a modification. `replace` with no values takes the attribute away, there or not. */
export type Part = readonly ['add' | 'delete' | 'replace', attribute: string, ...values: string[]];

/** How it ended. `exists`: entry or value are there already. `missing`: entry or value are not. */
export type Written = 'done' | 'exists' | 'missing' | 'not-unique' | 'has-children';

/** Single changes of entries. What is neither done nor one of the ends that a caller decides on is thrown: see changeRefused. */
export class LdapWriter {
  readonly #connection: LdapConnection;

  constructor(connection: LdapConnection) {
    this.#connection = connection;
  }

  async add(dn: string, entry: NewEntry): Promise<Written> {
    return this.#write(`add ${dn}`, (client) => client.add(dn, entry));
  }

  /** All parts or none. */
  async modify(dn: string, ...parts: readonly Part[]): Promise<Written> {
    const changes = parts.map(
      ([operation, type, ...values]) => new Change({ operation, modification: new Attribute({ type, values }) }),
    );
    return this.#write(`modify ${dn}`, (client) => client.modify(dn, changes));
  }

  async del(dn: string): Promise<Written> {
    return this.#write(`delete ${dn}`, (client) => client.del(dn));
  }

  /** Errors: 'InvalidParameterValue' where the server's policy does not take it. */
  async setPassword(dn: string, password: string): Promise<Written> {
    const writer = new BerWriter();
    writer.startSequence();
    writer.writeString(dn, CONTEXT);
    writer.writeString(password, CONTEXT + 2);
    writer.endSequence();
    return this.#write(
      `set the password of ${dn}`,
      async (client) => void (await client.exop(PASSWORD_MODIFY, writer.buffer)),
      { passwordOf: dn },
    );
  }

  async #write(
    what: string,
    run: Parameters<LdapConnection['change']>[1],
    options: { passwordOf?: string } = {},
  ): Promise<Written> {
    try {
      await this.#connection.change(what, run);
      return 'done';
    } catch (error) {
      if (isLdapCode(error, 'entryAlreadyExists', 'attributeOrValueExists')) return 'exists';
      if (isLdapCode(error, 'noSuchObject', 'noSuchAttribute')) return 'missing';
      if (isLdapCode(error, 'notAllowedOnNonLeaf')) return 'has-children';
      // The overlay `unique` answers so; of a password it is the policy.
      if (isLdapCode(error, 'constraintViolation') && options.passwordOf === undefined) return 'not-unique';
      throw changeRefused(what, error);
    }
  }
}
