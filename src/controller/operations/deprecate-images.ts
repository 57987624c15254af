import { KEYS } from '../../domain/keys.ts';
import type { ImageRecord } from '../../domain/records.ts';
import { imageView } from '../images/image-view.ts';
import { ownImage } from '../images/own-image.ts';
import type { Draft } from '../state/draft.ts';
import { tagsOf } from '../tags/resource-tags.ts';
import type { ChangeContext, ChangeHandler } from './handler.ts';
import { badParameter } from './handler.ts';

/** Who says `now` may have a clock that is behind. */
const PAST_MS = 5 * 60_000;
/** As EC2 has it. */
const AHEAD_MS = 10 * 366 * 86_400_000;

function changed(draft: Draft, record: ImageRecord, { cloud, principal, operationId }: ChangeContext) {
  draft.put(KEYS.image(record.id), record);
  const image = imageView(record, tagsOf(cloud.store, record.id), principal);
  return { output: { image, operationId }, targets: [record.id] };
}

export const enableImageDeprecation: ChangeHandler<'EnableImageDeprecation'> = {
  decide(draft, { ImageId, DeprecateAt }, context) {
    const { nowMs } = context;
    const deprecatedAtMs = Date.parse(DeprecateAt);
    if (deprecatedAtMs < nowMs - PAST_MS || deprecatedAtMs > nowMs + AHEAD_MS)
      throw badParameter('DeprecateAt', `must be a time from now on and within ten years, not ${DeprecateAt}`);
    const record = ownImage(draft, context.principal, ImageId);
    return changed(draft, { ...record, deprecatedAtMs }, context);
  },
};

export const disableImageDeprecation: ChangeHandler<'DisableImageDeprecation'> = {
  decide(draft, { ImageId }, context) {
    const { deprecatedAtMs: _was, ...record } = ownImage(draft, context.principal, ImageId);
    return changed(draft, record, context);
  },
};
