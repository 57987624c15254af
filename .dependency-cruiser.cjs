/** The layer table of docs/ARCHITECTURE.md as rules: what is not listed for a layer is an error. */
const layer = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^src/', pathNot: allowed },
});
const own = (pkg, owner) => ({
  name: `npm-${pkg.replace(/\W+/g, '-')}-stays-home`,
  comment: `${pkg} may be imported by ${owner} alone`,
  severity: 'error',
  from: { path: '^src/', pathNot: owner },
  to: { path: `node_modules/${pkg}/` },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: { path: '^src/' }, to: { circular: true } },
    { name: 'not-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    layer('base', '^src/base/', ['^src/base/']),
    layer('domain', '^src/domain/', ['^src/(base|domain)/']),
    layer('ports', '^src/ports/', ['^src/(base|domain|ports)/']),
    layer('messages', '^src/messages/', ['^src/(base|domain|messages)/']),
    layer('controller', '^src/controller/', ['^src/(base|domain|ports|messages|controller)/']),
    layer('workers', '^src/workers/[^/]+\\.ts$', ['^src/(base|domain|ports|messages)/', '^src/workers/[^/]+\\.ts$']),
    layer('drivers', '^src/workers/drivers/([^/]+)/', ['^src/(base|domain|ports)/', '^src/workers/drivers/$1/']),
    layer('adapters', '^src/adapters/([^/]+)/', ['^src/(base|domain|ports|messages)/', '^src/adapters/$1/']),
    layer('client', '^src/client/', ['^src/(base|domain|messages|client)/']),
    layer('views', '^src/views/', ['^src/(base|domain|messages|views)/']),
    layer('launch', '^src/launch/', ['^src/(base|domain|ports|messages|controller|workers|adapters|client|launch)/']),
    layer('commands', '^src/commands/', ['^src/(base|client|views|commands|launch)/', '^src/messages/']),
    {
      name: 'commands-launch-dynamically',
      comment: 'nothing heavy is loaded before it is needed',
      severity: 'error',
      from: { path: '^src/commands/' },
      to: { path: '^src/launch/', dependencyTypesNot: ['dynamic-import', 'type-only'] },
    },
    {
      name: 'domain-is-pure',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'http-at-the-edge',
      severity: 'error',
      from: { path: '^src/(controller|workers)/', pathNot: '^src/controller/api/' },
      to: { path: '^(node:)?https?$' },
    },
    own('fast-xml-parser', '^src/base/xml\\.ts$'),
    own('ink', '^src/views/'),
    own('react', '^src/views/'),
    own('ssh2', '^src/adapters/host-shell/'),
    own('lowdb', '^src/adapters/store/'),
    own('fastify', '^src/controller/api/'),
    own('@oclif/core', '^src/(commands/|cli\\.ts)'),
    own('yaml', '^src/(launch|base)/|^src/commands/'),
    own('zod', '^src/(domain|messages|launch|controller|workers)/'),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.tsx', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
