// House lint rules: typed checks that a broker cannot do without, and the ports that core code must use.
import tseslint from 'typescript-eslint'

// Core logic gets Clock, Rng, Disk, Net and Kube through constructors, so that a seed reproduces a run.
const core = [
  'wire/**/*.ts',
  'client/**/*.ts',
  'broker/**/*.ts'
]
const adapters = [
  'wire/adapters/**/*.ts',
  'broker/io/adapters/**/*.ts',
  'broker/main.ts',
  'broker/http.ts',
  'broker/metrics.ts',
  'client/index.ts',
  'client/adapters/**/*.ts'
]

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.millrace/', 'wire/messages.ts', '**/*.js', '**/*.mjs'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.base],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-debugger': 'error',
      'max-depth': ['error', 4]
    }
  },
  {
    files: core,
    ignores: adapters,
    rules: {
      'no-restricted-globals': ['error', 'Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'fetch', 'crypto', 'process'],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random', message: 'Take an Rng.' }],
      'no-restricted-imports': ['error', { patterns: [{ group: ['node:*'], message: 'Only adapters touch the outside world; take a port.' }] }]
    }
  }
)
