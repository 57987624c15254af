import { CloudError, errorText } from '../../base/errors.ts';
import type { ErrorCode } from '../../base/error-codes.ts';
import type { Endpoint, RabbitAccess } from './rabbit-dial.ts';

/** How a connection fails, and what mends it. The first row whose test holds is taken. */
interface Row {
  readonly holds: (problem: Problem) => boolean;
  readonly code: ErrorCode;
  readonly advice: (host: string, access: RabbitAccess) => string;
}

interface Problem {
  /** Of Node (ECONNREFUSED) or of OpenSSL. */
  readonly code: string;
  /** Of AMQP, such as 403. */
  readonly reply: number | undefined;
  readonly text: string;
}

const UNTRUSTED = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_ISSUER_CERT',
  'CERT_SIGNATURE_FAILURE',
]);
const NOT_PERMITTED = 'packaging/rabbitmq/definitions.json has what it needs';

const ROWS: readonly Row[] = [
  {
    holds: ({ code }) => code === 'ECONNREFUSED',
    code: 'Unavailable',
    advice: () => 'nothing listens there: start RabbitMQ, or mend bus.rabbitmq.endpoints',
  },
  {
    holds: ({ code }) => code === 'ENOTFOUND' || code === 'EAI_AGAIN',
    code: 'Unavailable',
    advice: () => 'the name is unknown: mend bus.rabbitmq.endpoints, or the name service',
  },
  {
    holds: ({ code }) => UNTRUSTED.has(code),
    code: 'AuthFailure',
    advice: () => "the server's certificate is of an authority that is not trusted: mend bus.rabbitmq.caFile",
  },
  {
    holds: ({ code }) => code === 'ERR_TLS_CERT_ALTNAME_INVALID',
    code: 'AuthFailure',
    advice: (host) =>
      `the server's certificate is not for ${host}: name it in bus.rabbitmq.endpoints as its certificate does`,
  },
  {
    holds: ({ code }) => code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID',
    code: 'AuthFailure',
    advice: () => "the server's certificate is not valid now: renew it, or set the clock",
  },
  {
    holds: ({ code }) => /ALERT_(CERTIFICATE|UNKNOWN_CA|BAD_CERT|HANDSHAKE)/.test(code),
    code: 'AuthFailure',
    advice: () =>
      'the server does not take the certificate of this client: mend bus.rabbitmq.certFile and bus.rabbitmq.keyFile',
  },
  {
    holds: ({ code }) => code === 'EPROTO' || code.startsWith('ERR_SSL_'),
    code: 'Unavailable',
    advice: () => 'it does not speak TLS as expected: bus.rabbitmq.endpoints must name the TLS port (5671) with amqps',
  },
  {
    holds: ({ reply, text }) => reply === 403 && text.startsWith('Handshake'),
    code: 'AuthFailure',
    advice: (_, { user, password }) =>
      password === undefined
        ? 'it does not know the client by its certificate: mend bus.rabbitmq.certFile, or the users of RabbitMQ'
        : `it refuses the password of user ${user}: mend bus.rabbitmq.user and bus.rabbitmq.passwordFile`,
  },
  {
    holds: ({ reply }) => reply === 403,
    code: 'AuthFailure',
    advice: (_, { user, vhost }) =>
      `user ${user} (bus.rabbitmq.user) may do too little in virtual host ${vhost}: ${NOT_PERMITTED}`,
  },
  {
    // amqplib gives no reply code here. RabbitMQ closes at this point for this reason alone.
    holds: ({ reply, text }) => reply === 530 || /ConnectionOpenOk; got <ConnectionClose/.test(text),
    code: 'AuthFailure',
    advice: (_, { user, vhost }) =>
      `there is no virtual host ${vhost}, or user ${user} may not use it: mend bus.rabbitmq.vhost; ${NOT_PERMITTED}`,
  },
  {
    holds: ({ text }) => /SASL mechanism/.test(text),
    code: 'AuthFailure',
    advice: (_, { password }) =>
      password === undefined
        ? 'it takes no certificates for logging in: set bus.rabbitmq.passwordFile, or enable rabbitmq_auth_mechanism_ssl there'
        : 'it takes no passwords: enable PLAIN in its auth_mechanisms',
  },
  {
    holds: ({ reply }) => reply === 406,
    code: 'Conflict',
    advice: () => 'a queue or exchange is there that was declared otherwise: delete it with rabbitmqctl delete_queue',
  },
];

/** Also tells a wrong port from a wrong protocol: whoever speaks TLS to plain AMQP, or the other way round, is cut off. */
const OTHERWISE = 'see that RabbitMQ runs there and that bus.rabbitmq.endpoints has the right protocol and port';

/** An error that names the server, the key of the configuration and what mends it; with the password never in it. */
export function connectionProblem(endpoint: Endpoint, access: RabbitAccess, error: unknown): CloudError {
  if (error instanceof CloudError) return error;
  const problem = read(error);
  const row = ROWS.find(({ holds }) => holds(problem));
  const advice = row?.advice(endpoint.host, access) ?? OTHERWISE;
  return new CloudError(row?.code ?? 'Unavailable', `RabbitMQ at ${endpoint.url}: ${problem.text}; ${advice}`, {
    details: { endpoint: endpoint.url, ...(problem.reply !== undefined && { reply: problem.reply }) },
    cause: error,
  });
}

/** For a topic that could not be served on a connection that stands. */
export function topicProblem(topic: string, access: RabbitAccess, error: unknown): CloudError {
  if (error instanceof CloudError) return error;
  const problem = read(error);
  const row = problem.reply === undefined ? undefined : ROWS.find(({ holds }) => holds(problem));
  const advice = row?.advice('', access) ?? 'try again later';
  return new CloudError(
    row?.code ?? 'Unavailable',
    `${topic} cannot be served over RabbitMQ: ${problem.text}; ${advice}`,
    {
      details: { topic },
      cause: error,
    },
  );
}

function read(error: unknown): Problem {
  const code = (error as { code?: unknown } | null)?.code;
  const text = errorText(error).split('\n')[0] ?? '';
  // While it is being opened amqplib puts the reply code into the text and nowhere else.
  const reply = typeof code === 'number' ? code : Number(/by server: (\d{3})/.exec(text)?.[1]);
  return {
    code: typeof code === 'string' ? code : '',
    reply: Number.isInteger(reply) ? reply : undefined,
    text: text === '' ? 'connection failed' : text,
  };
}
