export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Structured log: one line an event, no secrets. */
export interface Logger {
  debug(message: string, meta?: Record<string, unknown>): void;
  info(message: string, meta?: Record<string, unknown>): void;
  warn(message: string, meta?: Record<string, unknown>): void;
  error(message: string, meta?: Record<string, unknown>): void;
  /** The same log with `meta` on every line. */
  child(meta: Record<string, unknown>): Logger;
}

const RANK: Record<LogLevel, number> = { debug: 10, info: 20, warn: 30, error: 40 };

/** JSON lines through `write`; lines below `level` are dropped. */
export function jsonLogger(options: {
  level: LogLevel;
  nowMs: () => number;
  write: (line: string) => void;
  meta?: Record<string, unknown>;
}): Logger {
  const emit =
    (level: LogLevel) =>
    (message: string, meta: Record<string, unknown> = {}): void => {
      if (RANK[level] < RANK[options.level]) return;
      const time = new Date(options.nowMs()).toISOString();
      options.write(`${JSON.stringify({ time, level, message, ...options.meta, ...meta })}\n`);
    };
  return {
    debug: emit('debug'),
    info: emit('info'),
    warn: emit('warn'),
    error: emit('error'),
    child: (meta) => jsonLogger({ ...options, meta: { ...options.meta, ...meta } }),
  };
}

/** Says nothing. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
