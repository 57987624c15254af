import { describeLifeOfGuests } from './life-of-guests.ts';

describeLifeOfGuests('https');
