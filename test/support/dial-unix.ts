import { connect, type Socket } from 'node:net';

/** Dials a UNIX socket of this machine. */
export function dialUnix(path: string): () => Promise<Socket> {
  return () =>
    new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(socket);
      });
    });
}
