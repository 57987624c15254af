import { type XmlElement, parseXml, xmlChildren, xmlFind, xmlText } from '../../src/base/xml.ts';
import { networksActions } from '../../src/controller/api/ec2/actions/networks.ts';
import { securityGroupsActions } from '../../src/controller/api/ec2/actions/security-groups.ts';
import { successAnswer } from '../../src/controller/api/ec2/ec2-answer.ts';
import { ec2Call, refuseUnread } from '../../src/controller/api/ec2/ec2-call.ts';
import { Params } from '../../src/controller/api/ec2/params.ts';
import { accountsOf } from '../../src/controller/users/directory-memo.ts';
import type { CallMeta } from '../../src/controller/operations/handler.ts';
import { ADMIN, type SimCloud } from './sim-cloud.ts';

export const NETWORK_TABLES = { ...networksActions, ...securityGroupsActions };

/** Carries one action of the network tables out as the EC2 edge would, without sockets and signatures; the answer's root element. */
export async function ec2(
  sim: SimCloud,
  action: string,
  given: Readonly<Record<string, string>> = {},
  options: { readonly meta?: Partial<CallMeta>; readonly dryRun?: boolean } = {},
): Promise<XmlElement> {
  const run = NETWORK_TABLES[action];
  if (run === undefined) throw new Error(`there is no action ${action}`);
  const params = Params.of(Object.entries(given));
  const call = ec2Call({
    params,
    version: '2016-11-15',
    region: { name: 'nova', zones: ['nova'] },
    regions: [],
    nowMs: sim.clock.nowMs(),
    requestId: 'req-test',
    principal: { ...ADMIN.principal, ...options.meta?.principal },
    dryRun: options.dryRun === true,
    gateway: sim.cloud.gateway,
    accounts: await accountsOf(sim.cloud.context),
  });
  const tree = await run(call);
  refuseUnread(params);
  return parseXml(successAnswer(action, '2016-11-15', 'req-test', tree).body);
}

/** The items of a set, somewhere below the root. */
export function itemsOf(root: XmlElement, ...path: string[]): XmlElement[] {
  const set = xmlFind(root, ...path);
  return set === undefined ? [] : xmlChildren(set, 'item');
}

/** The texts of one field of all items of a set. */
export function textsOf(root: XmlElement, set: string, field: string): (string | undefined)[] {
  return itemsOf(root, set).map((item) => xmlText(item, field));
}

/** An element as a plain object: items as arrays, leaves as texts. */
export function plain(element: XmlElement): unknown {
  const { children, text } = element;
  if (children.length === 0) return text;
  if (children.every(({ name }) => name === 'item')) return children.map(plain);
  return Object.fromEntries(children.map((child) => [child.name, plain(child)]));
}
