import { Flags } from '@oclif/core';
import { BaseCommand } from './support/base-command.ts';
import { loadWholeConfig } from './support/load-config.ts';

export class Serve extends BaseCommand {
  static override summary = 'run the cloud in the foreground';
  static override description =
    'Every role in this process, or those that are configured, until SIGINT or SIGTERM; the log is JSON lines on stderr. At the first signal it ends what is under way, or hands it to others, at the second it ends at once. Instances live on.';
  static override examples = [
    '<%= config.bin %> serve',
    '<%= config.bin %> serve --roles api,controller --name node1',
    '<%= config.bin %> serve --set log.level=debug --set runDir=/run/novactl-test',
  ];

  static override flags = {
    roles: Flags.string({
      description: 'what this process does, of api, controller, objectstore and worker; as --set roles=ROLE,... does',
      helpValue: 'ROLE,...',
    }),
    name: Flags.string({
      description: "name of this process among the cloud's; as --set node.name=NODE does",
      helpValue: 'NODE',
    }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Serve);
    const session = this.open(flags);
    await session.mustBeLocal('novactl serve');
    const { config, warnings } = await loadWholeConfig(this.io, {
      ...flags,
      set: [
        ...(flags.set ?? []),
        ...(flags.roles === undefined ? [] : [`roles=${flags.roles}`]),
        ...(flags.name === undefined ? [] : [`node.name=${flags.name}`]),
      ],
    });
    for (const warning of warnings) session.output.warn(warning);
    const { serve } = await import('../launch/serve.ts');
    await serve({
      config,
      version: this.config.version,
      signal: this.io.signal,
      writeLog: (line) => this.io.stderr.write(line),
      onReady: ({ socketPath }) => {
        if (socketPath !== undefined) session.output.detail(`the cloud answers at ${socketPath}`);
      },
    });
    return 0;
  }
}
