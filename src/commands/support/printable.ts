/** The beginning of what somebody typed, as a message may repeat it: no control character reaches the terminal. */
export function printable(text: string, maxChars = 80): string {
  return text.replaceAll(/\p{Cc}/gu, '?').slice(0, maxChars);
}
