import { Flags } from '@oclif/core';
import { placementListing } from '../../views/placement.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';

export class WhyPlace extends BaseCommand {
  static override summary = 'say for each host why it would or would not get an instance';
  static override aliases = ['explain-place', 'why:not:place'];
  static override examples = [
    '<%= config.bin %> why place --type m1.large',
    '<%= config.bin %> why not place --type m1.large --image tiny',
  ];
  static override flags = {
    type: Flags.string({ char: 't', description: 'instance type', helpValue: 'TYPE', required: true }),
    image: Flags.string({ char: 'i', description: 'image id or name', helpValue: 'IMAGE' }),
    ...columnsFlag,
  };
  static override parameters = { InstanceType: '--type', ImageId: '--image' };

  async run(): Promise<void> {
    const { flags } = await this.parse(WhyPlace);
    const session = this.open(flags);
    const answer = await session.read('ExplainPlacement', {
      InstanceType: flags.type,
      ...(flags.image === undefined ? {} : { ImageId: flags.image }),
    });
    await session.show(placementListing(answer.hosts, answer));
    const fits = answer.hosts.filter((host) => host.filter === undefined).length;
    session.output.message(
      answer.possible
        ? `${fits} of ${answer.hosts.length} hosts would take one more ${answer.instanceType}`
        : `no host would take one more ${answer.instanceType}`,
    );
  }
}
