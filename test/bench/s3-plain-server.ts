import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** A plain file server, as anybody writes it with node:http: what S3 is compared with. Its folder is the first argument; its port goes to stdout. */
const dir = process.argv[2] ?? '.';

const server = createServer((request, response) => {
  const file = join(dir, request.url ?? '');
  stat(file).then(
    ({ size }) => {
      response.writeHead(200, { 'content-type': 'binary/octet-stream', 'content-length': size });
      createReadStream(file).pipe(response);
    },
    () => response.writeHead(404, { 'content-length': 0 }).end(),
  );
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`);
});
