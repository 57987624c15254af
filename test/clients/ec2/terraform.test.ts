import { daysOf } from './days-of.ts';

/** Its provider is in no Debian package; what it asks is. */
daysOf([
  {
    name: 'the calls of Terraform’s provider',
    needs: '/usr/lib/python3/dist-packages/boto3',
    from: 'python3-boto3',
    command: '/usr/bin/python3',
    script: 'as_terraform.py',
  },
]);
