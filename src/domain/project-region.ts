/** A region, and the availability zones of its hosts. */
export interface RegionZones {
  readonly name: string;
  readonly zones: readonly string[];
}

/** Stands in no project's name. */
const MARK = '@';

/**
 * The id under which a project's resources of a region are kept. Those of the first region have the project's own id; elsewhere the project is `p@region`, so that
 * networks, names, groups and quotas are the region's own without any record knowing of regions (docs/adr/0013).
 */
export function projectInRegion(projectId: string, region: string, firstRegion: string): string {
  return region === firstRegion ? projectId : `${projectId}${MARK}${region}`;
}

/** The project that somebody made, of the id under which its resources of some region are kept. */
export function projectWithoutRegion(projectId: string): string {
  const at = projectId.indexOf(MARK);
  return at < 0 ? projectId : projectId.slice(0, at);
}

/** The region in which a project's resources of that id are. */
export function regionOfProject(projectId: string, firstRegion: string): string {
  const at = projectId.indexOf(MARK);
  return at < 0 ? firstRegion : projectId.slice(at + MARK.length);
}
