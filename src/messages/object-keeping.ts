/** How a scrub ended. */
export interface ScrubNote {
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly objects: number;
  readonly segments: number;
  readonly bytes: number;
  /** In words, with bucket, key and version; the first of them. */
  readonly damaged: readonly string[];
  readonly damagedCount: number;
  /** Files that nothing names, which the collector removes. */
  readonly unnamed: number;
}

export interface CollectNote {
  readonly atMs: number;
  readonly removed: number;
}

/** What the process that has the objects tells of them. */
export interface ObjectsOverview {
  readonly buckets: number;
  /** Current ones. */
  readonly objects: number;
  /** Of all versions and of parts under way. */
  readonly bytes: number;
  readonly freeBytes: number;
  readonly scrubbing: boolean;
  readonly lastScrub?: ScrubNote;
  readonly lastCollect?: CollectNote;
}
