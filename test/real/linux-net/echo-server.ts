import { createServer } from 'node:http';

/** `node echo-server.ts ADDRESS PORT`: answers each request with the address that it came from. */
const [, , address = '127.0.0.1', port = '8080'] = process.argv;
const server = createServer((request, response) => response.end(request.socket.remoteAddress));
server.listen(Number(port), address, () => process.stdout.write('ready\n'));
