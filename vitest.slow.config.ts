import { defineConfig } from 'vitest/config'

// The slower suites: whole simulated clusters, real processes killed and paused, the real kubectl. One file at a time,
// since they share the machine's two cores with the clusters that they start. Run from .ci/run.
const folders = ['kubectl', 'fault', 'package', 'examples', 'image', 'monitoring', 'chart', 'crashes', 'scale']

export default defineConfig({
  test: {
    include: ['test/sim/scenarios.test.ts', ...folders.map(folder => `test/${folder}/**/*.test.ts`)],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
    fileParallelism: false
  }
})
