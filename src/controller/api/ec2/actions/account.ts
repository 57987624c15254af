import type { Ec2Actions } from '../ec2-action.ts';

export const accountActions: Ec2Actions = {
  DescribeRegions: ({ params, regions }) => {
    const names = params.list('RegionName');
    const rows = regions.filter(({ name }) => names === undefined || names.includes(name));
    return Promise.resolve({
      regionInfo: rows.map(({ name, endpoint }) => ({
        regionName: name,
        regionEndpoint: endpoint,
        optInStatus: 'opt-in-not-required',
      })),
    });
  },
};
