/** Something that nobody else may read, in every spelling in which it could be written down. */
export interface Secret {
  readonly name: string;
  readonly spellings: readonly string[];
}

/** As it is, in hex, and in base64 at each place of a longer text. */
export function wordSecret(name: string, word: string): Secret {
  const bytes = Buffer.from(word);
  const base64 = [0, 1, 2].map((shift) =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(shift === 0 ? 0 : 4, -4),
  );
  return { name, spellings: [word, bytes.toString('hex'), ...base64] };
}

export function namesIn(text: string, secrets: readonly Secret[]): string[] {
  return secrets.filter(({ spellings }) => spellings.some((one) => text.includes(one))).map(({ name }) => name);
}
