import { hostShellContract } from '../../../contract/host-shell.ts';
import { sshSubject } from '../../../support/ssh-subject.ts';
import { startSsh2Server } from '../../../support/ssh2-server.ts';

hostShellContract('SSH to a server in this process', async () => {
  const server = await startSsh2Server();
  const subject = await sshSubject({ ...server.endpoint, sudo: false }, process.getuid?.() === 0);
  return {
    ...subject,
    close: async () => {
      await server.close();
      await subject.close();
    },
  };
});
