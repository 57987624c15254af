/** What each exit code of novactl means; ERROR_TABLE says which error has which. Tested, documented in novactl(1), never changed. */
export const EXIT_CODES = {
  0: 'done',
  1: 'a fault of novactl itself or of a host',
  2: 'bad usage: an unknown or missing word, or a value that is not allowed',
  3: 'not found',
  4: 'not allowed',
  5: 'the state does not allow it, or it conflicts with something that exists',
  6: 'quota or capacity is used up',
  7: 'the cloud is not running or can not be reached',
  8: 'the time was over; the work may go on',
  9: 'another process holds the lock',
  10: 'partly done',
  11: 'what was waited for can not be reached any more',
  12: 'the plan is stale',
  20: 'maintain: something was put right (with --plan: it would be)',
  21: 'maintain: the job runs already, or another command holds the lock',
  22: 'maintain: paused',
  23: 'maintain: done, and something needs a look',
  24: 'maintain: failed',
  130: 'interrupted',
} as const satisfies Record<number, string>;

export type ExitCode = keyof typeof EXIT_CODES;
