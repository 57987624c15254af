/** In the bundle in place of the package of this name: the commands are in the manifest, nothing is searched for. */
export const glob = (): Promise<never> => Promise.reject(new Error('oclif.manifest.json is missing; build again'));
