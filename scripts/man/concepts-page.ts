import { EXIT_CODES } from '../../src/base/exit-codes.ts';
import { INSTANCE_TRANSITIONS } from '../../src/domain/instance.ts';
import { bold, block, item, paragraph, section, seeAlso, subsection, text, title } from './roff.ts';

const STATES: Record<keyof typeof INSTANCE_TRANSITIONS, string> = {
  pending: 'recorded and placed; its host prepares the disks and starts the guest',
  running: 'the guest runs',
  stopping: 'the guest was asked to shut down',
  stopped: 'the guest is off; disks, address and name stay',
  'shutting-down': 'the guest is being ended and its disks deleted',
  terminated: 'gone; it stays visible for an hour, with the reason',
};

const MODES: readonly (readonly [string, string])[] = [
  ['all-in-one', 'novactl up, or novactl serve in the foreground, runs every role in one process. Commands find it by its socket.'],
  ['embedded', 'a command takes the state lock itself, does its work to the end and leaves. For cron. Not in this version yet.'],
  ['distributed', 'the roles run on several machines, joined by a message bus and a replicated store. Not in this version yet.'],
];

function states(): string {
  return Object.entries(INSTANCE_TRANSITIONS)
    .map(([state, next]) => {
      const then = next.length === 0 ? 'nothing' : next.join(', ');
      return item(bold(state), `${STATES[state as keyof typeof STATES]}. Next: ${then}.`);
    })
    .join('');
}

/** novactl-concepts(7): the few ideas that everything else follows from. */
export function conceptsPage(version: string): string {
  return [
    title('novactl-concepts', 7, version),
    section('name'),
    `${text('novactl-concepts')} \\- ${text('states, modes, intent, reconcile and exit codes of novactl')}\n`,
    section('words'),
    text('The words are those of Amazon EC2: instance, reservation, image, key pair, instance type, availability zone. '),
    text('An id is a prefix and 17 hexadecimal digits: i-, r-, ami-, aki- (kernel), ari- (ramdisk), key-, h- (host), op- (operation).\n'),
    section('states of an instance'),
    states(),
    paragraph('A start that fails ends in terminated, with a reason that novactl instance show prints. novactl why instance explains any state.'),
    section('modes'),
    ...MODES.map(([name, body]) => item(bold(name), body)),
    paragraph('A command does not know which of them it talks to, and behaves the same in each.'),
    section('intent before effect'),
    text('What shall be is recorded, and on disk, before anything is done on a host: the id, the host, the address. '),
    text('A record goes away only when the host has said that the thing is gone. So nothing is lost or forgotten when a process dies in the middle, '),
    text('and an acknowledged change stays.\n'),
    section('reconcile'),
    text('The controller compares each record with what its host last reported, and sends the commands that lead from one to the other. '),
    text('It does so again and again: a command that was lost is sent again, one that came twice has one effect. '),
    text('What a host has and no record explains is listed as an orphan (novactl host show) and never touched.\n'),
    section('operations'),
    text('Every change is an operation with an id: who, when, from where, why (--reason), its steps and how it ended. '),
    text('novactl op list, op show and op follow read them. A command sends one token with each change, so that a retry has one effect; '),
    text('--client-token makes that hold over several commands.\n'),
    section('waiting'),
    text('Changes answer as soon as they are recorded. --wait, novactl instance wait and novactl op follow wait for the end, '),
    text('and give up at once when it can not come any more (exit code 11) or when --timeout is over (8; the work goes on).\n'),
    subsection('Example'),
    block([
      'id=$(novactl instance run --image tiny --type m1.nano --output name)',
      'novactl instance wait $id --for running --timeout 5m',
    ]),
    section('trust'),
    text('The admin socket belongs to its owner: who can open it may do everything. The host keys of a guest are read from its console, '),
    text('which the network can not forge, and pinned by novactl instance ssh.\n'),
    section('exit codes'),
    ...Object.entries(EXIT_CODES).map(([code, meaning]) => item(bold(code), meaning)),
    seeAlso([
      ['novactl', 1],
      ['novactl.yaml', 5],
    ]),
  ].join('');
}
