import { z } from 'zod';

/** A worker asks whose metadata a guest may read: by the guest's own address, as its host saw it. */
export const MetadataLookup = z.object({
  v: z.literal(1),
  address: z.string().max(64),
  /** Only an instance that is recorded there. */
  hostId: z.string().max(64).optional(),
});

/** MetadataView of controller/api/metadata, with the user data in base64. */
export const MetadataFound = z.object({
  view: z
    .object({
      instanceId: z.string(),
      reservationId: z.string(),
      launchIndex: z.int(),
      imageId: z.string(),
      kernelId: z.string().optional(),
      ramdiskId: z.string().optional(),
      instanceType: z.string(),
      hostname: z.string(),
      localIpv4: z.string(),
      publicIpv4: z.string().optional(),
      mac: z.string(),
      zone: z.string(),
      region: z.string(),
      accountId: z.string(),
      publicKeys: z.array(z.object({ name: z.string(), openssh: z.string() })),
      securityGroups: z.array(z.string()),
      userData: z.string().optional(),
      requireToken: z.boolean().optional(),
      launchTimeMs: z.number(),
      architecture: z.string(),
    })
    .optional(),
});
