import { daysOf } from './days-of.ts';

const PLAYBOOK = '/usr/bin/ansible-playbook';

daysOf([
  {
    name: "Ansible's modules, twice the same",
    needs: PLAYBOOK,
    from: 'ansible',
    command: 'sh',
    script: 'day_ansible.sh',
    env: { PLAYBOOK },
  },
]);
