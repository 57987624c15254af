import { BaseCommand } from '../support/base-command.ts';

export class HostKey extends BaseCommand {
  static override summary = "print the public half of the cloud's own SSH key";
  static override description =
    'The line goes into ~/.ssh/authorized_keys of the user that the cloud logs in as on each host. The key is made at its first use and stays in the state folder. What may be put before the line narrows what the key can do; a key that may use sudo or the libvirt socket is root on that host all the same.';
  static override aliases = ['key-host'];
  static override examples = [
    '<%= config.bin %> host key',
    '<%= config.bin %> host key --quiet | ssh root@node1 "cat >> ~/.ssh/authorized_keys"',
  ];

  async run(): Promise<void> {
    const { flags } = await this.parse(HostKey);
    const session = this.open(flags);
    const { publicKey } = await session.read('GetCloudKey', {});
    await session.showValue({ publicKey }, `${publicKey}\n`);
    session.output.hint(
      'narrowed: put restrict,pty,port-forwarding,from="ADDRESS-OF-THIS-CLOUD" and a space before the line in authorized_keys',
    );
  }
}
