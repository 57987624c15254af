import { daysOf } from './days-of.ts';

const AWS = '/usr/bin/aws';

daysOf([{ name: 'the AWS CLI', needs: AWS, from: 'awscli', command: 'sh', script: 'day.sh', env: { AWS } }]);
