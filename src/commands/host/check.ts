import { Args } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';
import { showHostChecks } from '../support/show-host-checks.ts';

export class HostCheck extends BaseCommand {
  static override summary = 'look whether a host has all that it needs';
  static override description =
    'Looks at the login, sudo, libvirt, whether a guest really boots, disk, memory, bridges, DHCP, firewall rules, routes and time, and says what mends each. Nothing is changed on the host. Exit code 5 when something fails; warnings are no failure.';
  static override aliases = ['check-host'];
  static override examples = ['<%= config.bin %> host check node1', '<%= config.bin %> host check node1 --json'];
  static override args = {
    host: Args.string({ description: 'name or id of the host', required: true, ignoreStdin: true }),
  };
  static override flags = { ...columnsFlag };
  static override parameters = { Host: 'HOST' };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(HostCheck);
    return showHostChecks(this.open(flags), args.host, { Host: args.host });
  }
}
