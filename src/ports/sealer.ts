/** Seals what records must not hold in the clear. */
export interface Sealer {
  /** `place` is the key of the record that the text is for: sealed text that is moved to another record can't be opened there. */
  seal(text: string, place: string): string;
  /** CloudError 'CorruptState' when it was sealed by another key, for another place, or was changed. */
  unseal(sealed: string, place: string): string;
}
