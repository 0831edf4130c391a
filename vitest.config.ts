import { defineConfig } from 'vitest/config'

// The fast suite. Slow suites (simulation at length, faults on real processes, real Kubernetes) have
// configurations of their own and run from .ci/run.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [
      ...['kubectl', 'kubernetes', 'fault', 'package', 'examples', 'monitoring', 'image', 'chart', 'crashes', 'scale']
        .map(folder => `test/${folder}/**`),
      'test/sim/scenarios.test.ts',
      'node_modules/**'
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    maxWorkers: 3
  }
})
