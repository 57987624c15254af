/** To be imported when it is needed. By way of this file, since a bundled `import('yaml')` itself has no named exports. */
export { parse, stringify } from 'yaml';
