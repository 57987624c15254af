/** Seals what records must not hold in the clear. */
export interface Sealer {
  /** `place` is the key of the record that the text is for: sealed text that is moved to another record can't be opened there. */
  seal(text: string, place: string): string;
  /** CloudError 'CorruptState' when it was sealed by another key, for another place, or was changed. */
  unseal(sealed: string, place: string): string;
  /** The master keys, where they can be changed; absent: there is one, for as long as the process lives. */
  readonly masterKeys?: MasterKeys;
}

/** Which master keys there are: one seals, every one opens. */
export interface MasterKeyState {
  /** The first 16 hex digits of the sealing key's SHA-256. */
  readonly current: string;
  /** Is to be the sealing key, and opens already. */
  readonly next?: string;
  /** Were sealing keys, and open still. */
  readonly old: readonly string[];
}

/** Each step is whole or not there after a crash, and the same again changes nothing more. */
export interface MasterKeys {
  state(): MasterKeyState;
  /** It was sealed by the sealing key of now. */
  isCurrent(sealed: string, place: string): boolean;
  /** Makes the next key, when there is none. */
  prepare(): Promise<void>;
  /** The next key, when there is one, seals from now on. */
  promote(): Promise<void>;
  /** Old keys are dropped: what only they open is lost. */
  forget(): Promise<void>;
}
