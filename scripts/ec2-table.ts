import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ec2Page, ec2Table } from './ec2/table.ts';

/** Writes docs/EC2.md anew from the EC2 actions that there are. */
writeFileSync(join(import.meta.dirname, '..', 'docs', 'EC2.md'), ec2Page(await ec2Table()));
