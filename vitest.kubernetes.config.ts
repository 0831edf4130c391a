import { defineConfig } from 'vitest/config'

// The suites on a real Kubernetes control plane, one after the other. The first run builds it with Go, which may
// take a quarter of an hour; see test/kubernetes/README.md.
export default defineConfig({
  test: {
    include: ['test/kubernetes/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 1_800_000,
    pool: 'forks',
    fileParallelism: false
  }
})
