import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { s3Page, s3Table } from './s3/table.ts';

/** Writes docs/S3.md anew from the S3 actions that there are. */
writeFileSync(join(import.meta.dirname, '..', 'docs', 'S3.md'), s3Page(s3Table()));
