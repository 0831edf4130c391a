import { defineConfig } from 'vitest/config'

// The slower suites: real processes killed and paused, the real kubectl. One file at a time, since they
// share the machine's two cores with the clusters that they start. Run from .ci/run.
export default defineConfig({
  test: {
    include: ['kubectl', 'fault', 'package', 'examples', 'image', 'monitoring', 'chart', 'crashes']
      .map(folder => `test/${folder}/**/*.test.ts`),
    testTimeout: 300_000,
    hookTimeout: 300_000,
    pool: 'forks',
    fileParallelism: false
  }
})
