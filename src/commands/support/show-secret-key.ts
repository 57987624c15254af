import type { OperationOutput } from '../../messages/operations/index.ts';
import type { KeyFile } from './key-files.ts';
import type { Session } from './session.ts';

type Made = OperationOutput<'CreateAccessKey'>;

/** Says which key was made, and gives its secret to the file, or to stdout, once. */
export async function showSecretKey(
  session: Session,
  made: Made,
  to: { readonly file: KeyFile | undefined; readonly path: string | undefined },
): Promise<void> {
  const { accessKey, secretAccessKey, region, operationId } = made;
  const { accessKeyId, userName, projectId } = accessKey;
  to.file?.keep(secretAccessKey);
  const where =
    to.path === undefined ? 'its secret is on stdout alone, and is not shown again' : `its secret is in ${to.path}`;
  session.output.message(`the access key ${accessKeyId} of ${userName} in ${projectId} (${operationId}): ${where}`);
  const shown = { accessKeyId, region, operationId };
  if (to.path === undefined)
    await session.showValue({ ...shown, secretAccessKey }, `${accessKeyId} ${secretAccessKey}`);
  else await session.showValue(shown, accessKeyId);
}
