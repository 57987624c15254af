import { request } from 'node:http';
import { Readiness } from '../messages/readiness.ts';

const TIMEOUT_MS = 3000;
const ANSWER_MAX_BYTES = 64 * 1024;

/** What the process at this socket says of itself; undefined when nobody answers there. */
export function askReadiness(socketPath: string): Promise<Readiness | undefined> {
  return new Promise((resolve) => {
    const asked = request({ socketPath, path: '/readyz', timeout: TIMEOUT_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > ANSWER_MAX_BYTES) response.destroy();
      });
      response.on('close', () => resolve(parsed(text)));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}

function parsed(text: string): Readiness | undefined {
  try {
    return Readiness.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
