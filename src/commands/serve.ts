import { BaseCommand } from './support/base-command.ts';
import { loadWholeConfig } from './support/load-config.ts';

export class Serve extends BaseCommand {
  static override summary = 'run the cloud in the foreground';
  static override description =
    'Every role in this process until SIGINT or SIGTERM; the log is JSON lines on stderr. Instances live on when it ends.';
  static override examples = [
    '<%= config.bin %> serve',
    '<%= config.bin %> serve --set log.level=debug --set runDir=/run/novactl-test',
  ];

  async run(): Promise<number> {
    const { flags } = await this.parse(Serve);
    const session = this.open(flags);
    await session.mustBeLocal('novactl serve');
    const { config, warnings } = await loadWholeConfig(this.io, flags);
    for (const warning of warnings) session.output.warn(warning);
    const { serve } = await import('../launch/serve.ts');
    await serve({
      config,
      version: this.config.version,
      signal: this.io.signal,
      writeLog: (line) => this.io.stderr.write(line),
      onReady: ({ socketPath }) => session.output.detail(`the cloud answers at ${socketPath}`),
    });
    return 0;
  }
}
