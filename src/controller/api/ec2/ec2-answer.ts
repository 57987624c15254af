import { renderElement, type XmlTree } from './xml-tree.ts';
import type { Ec2Fault } from './ec2-error.ts';

/** What goes out. */
export interface Ec2Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n';

function answer(
  status: number,
  requestId: string,
  body: string,
  more: Readonly<Record<string, string>> = {},
): Ec2Answer {
  const headers = {
    'content-type': 'text/xml;charset=UTF-8',
    'content-length': String(Buffer.byteLength(body)),
    'cache-control': 'no-cache, no-store',
    'x-amzn-requestid': requestId,
    ...more,
  };
  return { status, headers, body };
}

/** `<ActionResponse>` in the namespace of the version that was asked for. */
export function successAnswer(action: string, version: string, requestId: string, content: XmlTree): Ec2Answer {
  const tree = typeof content === 'object' && !Array.isArray(content) ? { requestId, ...content } : { requestId };
  const attributes = ` xmlns="http://ec2.amazonaws.com/doc/${version}/"`;
  return answer(200, requestId, DECLARATION + renderElement(`${action}Response`, tree, attributes));
}

/** As the services of AWS's plain query protocol answer: the request id is in the tree. */
export function queryAnswer(action: string, namespace: string, requestId: string, content: XmlTree): Ec2Answer {
  return answer(200, requestId, DECLARATION + renderElement(`${action}Response`, content, ` xmlns="${namespace}"`));
}

export function faultAnswer(
  { status, code, message }: Ec2Fault,
  requestId: string,
  retryAfterSeconds?: number,
): Ec2Answer {
  // Not renderElement: the list's element is Error here, not item.
  const error = renderElement('Error', { Code: code, Message: message });
  const body = `${DECLARATION}<Response><Errors>${error}</Errors>${renderElement('RequestID', requestId)}</Response>`;
  return answer(
    status,
    requestId,
    body,
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) },
  );
}
