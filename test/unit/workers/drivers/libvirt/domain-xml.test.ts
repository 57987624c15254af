import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCode } from '../../../../../src/base/errors.ts';
import { hasIllegalXmlCharacter, parseXml, xmlFind, xmlText } from '../../../../../src/base/xml.ts';
import { METADATA_NAMESPACE, renderDomainXml } from '../../../../../src/workers/drivers/libvirt/domain-xml.ts';
import { expectGolden } from '../../../../support/golden.ts';
import { DOMAIN_XML_CASES } from './domain-xml-cases.ts';
import { stillSpec } from '../../../../support/still-spec.ts';

describe('renderDomainXml', () => {
  it.each(Object.entries(DOMAIN_XML_CASES))('renders %s as its golden file says', (name, spec) => {
    expectGolden(`domain-xml/${name}.xml`, renderDomainXml(spec));
  });

  it('is read back by a parser with every text as it was given', () => {
    const texts = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
      .filter((s) => !hasIllegalXmlCharacter(s));
    fc.assert(
      fc.property(texts, texts, texts, (name, path, cmdline) => {
        const spec = stillSpec(1, '/srv');
        const root = parseXml(
          renderDomainXml({ ...spec, name, consoleLogPath: path, boot: { kind: 'kernel', kernelPath: path, cmdline } }),
        );
        expect(xmlFind(root, 'name')?.text).toBe(name);
        expect(xmlFind(root, 'os', 'cmdline')?.text).toBe(cmdline);
        expect(xmlFind(root, 'devices', 'serial', 'log')?.attributes.get('file')).toBe(path);
      }),
    );
  });

  it('keeps cloud, instance and generation in an element of our namespace', () => {
    const spec = stillSpec(1, '/srv');
    const ours = xmlFind(parseXml(renderDomainXml(spec)), 'metadata', 'novactl:instance');
    expect(Object.fromEntries(ours?.attributes ?? [])).toEqual({
      'xmlns:novactl': METADATA_NAMESPACE,
      cloud: 'cloud-00000000000000001',
      id: spec.name,
      generation: '1',
    });
  });

  it.each(['vda', 'sd', 'sdA', 'sdiw', 'sdzz'])('refuses the SCSI target %s', (target) => {
    const spec = stillSpec(1, '/srv');
    const disks = spec.disks.map((disk) => ({ ...disk, bus: 'scsi' as const, target }));
    expect(() => renderDomainXml({ ...spec, disks })).toThrow(/sdiv/);
  });

  it('boots the first disk only when it boots a disk at all', () => {
    const disk = (kind: 'disk' | 'kernel'): string => {
      const spec = stillSpec(1, '/srv');
      return renderDomainXml(kind === 'disk' ? spec : { ...spec, boot: { kind, kernelPath: '/k', cmdline: '' } });
    };
    expect(xmlFind(parseXml(disk('disk')), 'devices', 'disk', 'boot')?.attributes.get('order')).toBe('1');
    expect(xmlFind(parseXml(disk('kernel')), 'devices', 'disk', 'boot')).toBeUndefined();
    expect(xmlText(parseXml(disk('kernel')), 'os', 'kernel')).toBe('/k');
  });

  it.each(['\0', '\u0001', '\u001b', '\uFFFF', '\uD800'])('refuses the character %j', (character) => {
    let thrown: unknown;
    try {
      renderDomainXml({ ...stillSpec(1, '/srv'), name: `a${character}` });
    } catch (error) {
      thrown = error;
    }
    expect(isCode(thrown, 'InvalidParameterValue')).toBe(true);
  });
});
