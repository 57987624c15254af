import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../../base/clock.ts';
import { UNSIGNED_PAYLOAD } from '../../../base/signature/signature-v4.ts';
import type { Principal } from '../../operations/handler.ts';
import type { BodyPace } from '../s3/body-source.ts';
import type { S3Door, S3Incoming } from '../s3/s3-edge.ts';
import { sendAnswer } from '../s3/send-answer.ts';

/** What stands before S3's own path. */
export const S3_PREFIX = '/v1/s3';
const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'DELETE'];
/** Of this API, and nothing that S3 is to see. */
const NOT_S3 = /^(?:authorization|expect|x-amz-date|x-amz-content-sha256|x-amz-security-token|x-novactl-(?!quota).*)$/i;
/** What is sent may come from a program that thinks for a while; silence ends the connection before that. */
const PACE: BodyPace = { windowMs: 600_000, minBytes: 1 };

export interface S3RoutesParts {
  readonly door: S3Door;
  readonly clock: Pick<Clock, 'after'>;
  /** Who was found to ask, and what the signature says of the body. */
  readonly callerOf: (request: IncomingMessage) => { readonly principal: Principal; readonly payloadHash?: string };
}

/** Whether the request is one of S3's protocol: its body is no JSON, and as long as it is. */
export const isS3Request = (url: string | undefined): boolean => url?.startsWith(`${S3_PREFIX}/`) ?? false;

function withoutOurs(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2);
    if (!NOT_S3.test(name)) kept.push(name, value);
  }
  return kept;
}

function incomingOf(raw: IncomingMessage): S3Incoming {
  const { method = '', url = '', rawHeaders, socket } = raw;
  return {
    ...{ method, url: url.slice(S3_PREFIX.length), rawHeaders: withoutOurs(rawHeaders) },
    ...{ remoteAddress: socket.remoteAddress ?? 'socket', isSecure: 'encrypted' in socket },
    body: { stream: raw, begin: () => undefined },
  };
}

/** S3's protocol as it is, under a prefix: the caller is the admin API's, and bodies pass through both ways. */
export function registerS3Routes(app: FastifyInstance, { door, clock, callerOf }: S3RoutesParts): void {
  app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    // The body stays where it is, for whoever carries the request out.
    scope.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload));
    scope.route({
      ...{ method: METHODS, url: `${S3_PREFIX}/*`, exposeHeadRoute: false },
      handler: async ({ raw }: FastifyRequest, reply: FastifyReply) => {
        const { principal, payloadHash } = callerOf(raw);
        const isHashed = payloadHash !== undefined && payloadHash !== UNSIGNED_PAYLOAD;
        reply.hijack();
        const known = { principal, pace: PACE, ...(isHashed ? { sha256: payloadHash } : {}) };
        const outgoing = await door.answerAs(known, incomingOf(raw));
        sendAnswer(outgoing, { request: raw, response: reply.raw, clock, isHeld: false, isLast: false });
        return reply;
      },
    });
    done();
  });
}
