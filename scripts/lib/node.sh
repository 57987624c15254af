# shellcheck shell=sh
# Sourced by the scripts of this folder: npm packages, the pinned Node and the build. Needs say.sh and ROOT.

NODE_STAMP=$ROOT/node_modules/.novactl-installed

# What an installation depends on, as one word.
node_wanted() { cat "$ROOT/package-lock.json" "$ROOT/.npmrc" | sha256sum | cut -d ' ' -f 1; }

node_installed() { [ -x "$ROOT/node_modules/.bin/node" ] && [ -f "$NODE_STAMP" ] && [ "$(cat "$NODE_STAMP")" = "$(node_wanted)" ]; }

node_ci() { (cd "$ROOT" && npm ci --no-audit --no-fund --loglevel=error --foreground-scripts=false); }

node_install() {
  node_ci || return 1
  # The pinned Node is an optional dependency, since each machine takes one of two; npm calls it no error when its download fails.
  if [ ! -x "$ROOT/node_modules/.bin/node" ]; then
    echo 'npm left the pinned Node out, as it does when a download fails: once more'
    npm cache verify >/dev/null 2>&1
    node_ci || return 1
  fi
  # The stamp goes last, so that an installation cut short is made again.
  node_wanted >"$NODE_STAMP"
}

node_help() {
  if grep -q -E 'ENOTFOUND|ETIMEDOUT|ECONNREFUSED|EAI_AGAIN' "$STEP_OUT"; then
    echo 'npm ping   (the npm registry did not answer: is the network up?)'
  elif grep -q 'ENOSPC' "$STEP_OUT"; then
    echo "df -h $ROOT"
  elif grep -q 'EACCES' "$STEP_OUT"; then
    echo "ls -ld $ROOT $ROOT/node_modules   (the folder must be yours)"
  else
    echo "cd $ROOT && npm ci"
  fi
}

# npm ci, unless what package-lock.json asks for is there.
node_ensure() {
  if node_installed; then
    skipped 'npm packages' 'as package-lock.json has them'
  else
    step 'install npm packages' node_install || die 'npm ci failed' "$(node_help)"
  fi
  NODE=$ROOT/node_modules/.bin/node
  if [ ! -x "$NODE" ]; then
    die "npm ci brought no Node for this machine ($(uname -m), glibc): $NODE is missing" "npm config get omit   (must not say optional); cd $ROOT && npm ci --loglevel=verbose"
  fi
  node_version=$("$NODE" --version 2>/dev/null) || die "$NODE does not start here" "ldd $NODE"
  case $node_version in
    v24.*) ;;
    *) die "$NODE is $node_version, and novactl needs Node 24" "rm -rf $ROOT/node_modules && npm ci" ;;
  esac
}

# True when dist/ is older than something it is made of.
build_stale() {
  if [ ! -s "$ROOT/dist/.built" ]; then return 0; fi
  if [ "$(cat "$ROOT/dist/.built")" != "$(build_wanted)" ]; then return 0; fi
  return 1
}

# What a build depends on, as one word: the content of the sources, since times lie after a checkout.
build_wanted() {
  (
    cd "$ROOT" &&
      find src bin scripts/*.ts package.json package-lock.json tsconfig.json -type f ! -name '*.swp' -print 2>/dev/null |
      LC_ALL=C sort | xargs sha256sum | sha256sum | cut -d ' ' -f 1
  )
}

build_run() {
  build_from=$(build_wanted)
  (cd "$ROOT" && "$NODE" scripts/build.ts) && printf '%s\n' "$build_from" >"$ROOT/dist/.built"
}

build_ensure() {
  if build_stale; then
    step 'build novactl' build_run || die 'the build failed' "cd $ROOT && npm run build"
  else
    skipped 'build' 'newer than the sources'
  fi
}
