// `npm test`: sets the project up if needed, then runs the fast tests. Arguments go to vitest.
import { run } from './setup.mjs'

await run('node_modules/vitest/vitest.mjs', ['run', ...process.argv.slice(2)])
