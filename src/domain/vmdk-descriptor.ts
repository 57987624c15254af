import { badImage } from './qcow2-header.ts';

/** What a VMDK's descriptor says, as text (VMware, Virtual Disk Format 5.0). */
export interface VmdkDescriptor {
  readonly createType: string;
  readonly extent: { readonly line: string; readonly sectors: number };
}

const REPACK = 'make it one file that stands alone: qemu-img convert -O qcow2 IN OUT';
const SHOWN_CHARACTERS = 160;
/** Kinds of VMDK that are one file with all of its data in it. */
const ALONE = ['monolithicSparse', 'streamOptimized'];
const EXTENT = /^(RW|RDONLY|NOACCESS)\s+(\d{1,15})\s+([A-Z]+)(?:\s+"([^"]*)")?(?:\s+(\S.*))?$/i;
/** Text that names another disk: QEMU looks for it anywhere in the descriptor. */
const PARENT_HINT = 'parentfilenamehint';

const refused = (reason: string): Error => badImage(`the VMDK image is refused: ${reason}`);

/** What somebody else wrote, for an error: on one line, in quotes, not long. */
export function quoteForeign(text: string): string {
  const cut = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return `"${cut.replaceAll(/[^\x20-\x7e…]/g, '?')}"`;
}

const linesOf = (text: string): string[] =>
  text
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

/** Keys in lower case. One that comes twice means one thing to one reader and another to the next. */
function settingsIn(lines: readonly string[]): Map<string, string> {
  const settings = new Map<string, string>();
  for (const line of lines) {
    const [, key = '', value = ''] = /^([A-Za-z][\w.]*)\s*=\s*(.*)$/.exec(line) ?? [];
    if (key === '') continue;
    const name = key.toLowerCase();
    if (settings.has(name)) throw refused(`its descriptor says ${quoteForeign(key)} twice`);
    settings.set(name, value.replaceAll(/^"|"$/g, ''));
  }
  return settings;
}

function refuseParent(settings: ReadonlyMap<string, string>, text: string): void {
  if (text.toLowerCase().includes(PARENT_HINT)) {
    const hint = settings.get(PARENT_HINT) ?? 'its parent';
    throw refused(`it is the difference to another file, ${quoteForeign(hint)}; ${REPACK}`);
  }
  const parent = settings.get('parentcid');
  if (parent !== undefined && /^f{8}$/i.test(parent)) return;
  throw refused(
    `it needs a parent disk (parentCID is ${quoteForeign(parent ?? 'missing')}, must be ffffffff); ${REPACK}`,
  );
}

function onlyExtent(lines: readonly string[], createType: string): VmdkDescriptor['extent'] {
  const extents = lines.filter((line) => /^(RW|RDONLY|NOACCESS)\b/i.test(line));
  const [line = ''] = extents;
  if (extents.length !== 1) throw refused(`it has ${extents.length} extents and not one; ${REPACK}`);
  const [, access = '', sectors = '', kind = '', name, rest] = EXTENT.exec(line) ?? [];
  if (kind === '') throw refused(`its extent can't be read: ${quoteForeign(line)}`);
  if (kind.toUpperCase() !== 'SPARSE') {
    throw refused(`its data is in another file or device (${createType}): ${quoteForeign(line)}; ${REPACK}`);
  }
  if (access.toUpperCase() === 'NOACCESS') throw refused(`its extent may not be read: ${quoteForeign(line)}`);
  if (name === undefined || name === '' || /[/\\:]|^\.{1,2}$/.test(name) || rest !== undefined) {
    throw refused(`its extent names no plain file: ${quoteForeign(line)}; ${REPACK}`);
  }
  return { line, sectors: Number(sectors) };
}

/** 'InvalidImage.Format' for all but a disk that is in this one file: another host file that it names is in the message. */
export function parseVmdkDescriptor(text: string): VmdkDescriptor {
  const lines = linesOf(text);
  const settings = settingsIn(lines);
  const createType = settings.get('createtype');
  refuseParent(settings, text);
  if (createType === undefined) throw refused('its descriptor has no createType');
  if (!ALONE.includes(createType)) {
    const extents = lines.filter((line) => EXTENT.test(line)).slice(0, 2);
    const named = extents.map((line) => ` (${quoteForeign(line)})`).join('');
    throw refused(`${quoteForeign(createType)} has its data in other files or devices${named}; ${REPACK}`);
  }
  return { createType, extent: onlyExtent(lines, createType) };
}

/** A descriptor that is a file of its own never holds a disk: always throws 'InvalidImage.Format', with what it names. */
export function refuseLoneDescriptor(text: string): never {
  const { createType, extent } = parseVmdkDescriptor(text);
  throw refused(
    `it is the descriptor of a ${createType} disk alone, whose data is in ${quoteForeign(extent.line)}; give that disk as one file: qemu-img convert -O qcow2 IN OUT`,
  );
}
