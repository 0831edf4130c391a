// `npm run test:kubernetes`: the suites on a real Kubernetes control plane. `--previous` asks for the older version
// (test/kubernetes/previous/go.mod); all other arguments go to vitest.
import { run } from './setup.mjs'

const args = process.argv.slice(2)
if (args.includes('--previous')) process.env.MILLRACE_KUBERNETES = 'previous'
await run('node_modules/vitest/vitest.mjs', [
  'run', '--config', 'vitest.kubernetes.config.ts', '--exclude', 'test/kubernetes/nodes/**',
  ...args.filter(arg => arg !== '--previous')
])
