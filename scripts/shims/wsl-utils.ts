/** In the bundle in place of the package of this name, which reads files at every start to find out whether this is Windows. */
export const isWsl = false;
