import { clientsOf, daysOf } from './days-of.ts';

daysOf(clientsOf('ansible'));
