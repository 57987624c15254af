/** What users and projects may be called: 1 to 64 of a-z 0-9 . _ - with a letter or digit first. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const ACCOUNT_ID = /^\d{12}$/;

/** Allowed names in words, for errors. */
export const DIRECTORY_NAME_RULE = '1 to 64 of a-z, 0-9, ".", "_" and "-", beginning with a letter or digit';

/** Whether a user or a project can be called so. What is no name is nobody, and is never put into a question to a directory. */
export const isDirectoryName = (text: string): boolean => NAME.test(text);

export const isAccountId = (text: string): boolean => ACCOUNT_ID.test(text);
